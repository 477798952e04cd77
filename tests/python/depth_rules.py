"""Every figure of the depth insight, out of a trace, in plain Python: the dense layers from the outputs down."""

import math

from trace_parts import Part, parts, total

# Of the output layer's blame, at the lowest layer.
VANISHING = 1e-4
EXPLODING = 1e4
# A slope is flat below this part of the steepest one that its activation is measured by.
SATURATED = 0.05
STEEPEST = {"sigmoid": 0.25}


def figures(trace: dict) -> list[dict]:
    dense = [part for part in reversed(parts(trace)) if part.up["kind"] == "dense"]
    mine = slopes(trace)
    output = mean_size(dense[0])
    found = []
    for distance, part in enumerate(dense):
        size = mean_size(part)
        ratio = size / output if output > 0.0 else None
        activation, derivatives = mine[part.name]
        flat = SATURATED * STEEPEST.get(activation, 1.0)
        found.append(
            {
                "name": part.name,
                "distance": distance,
                "mean_abs_delta": size,
                "gradient_norm": norm(list(part.down["gradients"].values())),
                "change_norm": norm([one["change"] for one in part.update["parameters"].values()]),
                "ratio_to_output": ratio,
                "log10_ratio": math.log10(ratio) if ratio else None,
                "mean_slope": mean(derivatives),
                "saturated": mean([float(abs(slope) < flat) for slope in derivatives] if derivatives else None),
                "bound": 0.25**distance,
                "log10_bound": -distance * math.log10(4.0),
            }
        )
    return found


def verdict(layers: list[dict]) -> str | None:
    """By one figure alone, however many layers there are."""
    ratio = layers[-1]["ratio_to_output"]
    if ratio is None:
        return None
    if ratio < VANISHING:
        return "vanishing"
    return "exploding" if ratio > EXPLODING else "healthy"


def slopes(trace: dict) -> dict[str, tuple[str, list[float] | None]]:
    """For each dense layer the slopes of its activation; of a linear one those of the next activation layer above, if
    no other dense layer comes first."""
    found, above = {}, None
    for part in reversed(parts(trace)):
        own = (part.up.get("activation"), flat(part.up["derivatives"]) if "derivatives" in part.up else None)
        if part.up["kind"] == "activation":
            above = own if own[1] else None
        elif part.up["kind"] == "dense":
            found[part.name] = above if part.up["activation"] == "linear" and above else own
            above = None
    return found


def mean_size(part: Part) -> float:
    return mean([abs(delta) for delta in flat(part.down["deltas"])])


def mean(values: list[float] | None) -> float | None:
    return None if values is None else total(values) / len(values)


def norm(tensors: list) -> float:
    return math.hypot(*[value for tensor in tensors for value in flat(tensor)])


def flat(values: float | list) -> list[float]:
    return [one for value in values for one in flat(value)] if isinstance(values, list) else [values]
