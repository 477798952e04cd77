"""Batch and layer normalization in plain Python."""

from plain_functions import Matrix, in_rows, mean, plus, scaled, times, turned
from plain_parts import Down, Layer, Pass, Up


def normalization_up(layer: Layer, x: Matrix, current: Pass) -> Up:
    groups = in_groups(layer, x)
    if has_own_statistics(layer, current):
        means = [mean(group) for group in groups]
        variances = [mean([(one - m) * (one - m) for one in group]) for group, m in zip(groups, means, strict=True)]
    else:
        means, variances = layer.running["mean"], layer.running["variance"]
    deviations = [(variance + layer.settings["epsilon"]) ** 0.5 for variance in variances]
    centred = [[one - m for one in group] for group, m in zip(groups, means, strict=True)]
    normalized = in_groups(layer, [scaled(group, 1.0 / d) for group, d in zip(centred, deviations, strict=True)])
    gamma, beta = (in_rows(x, layer.parameters[name]) for name in ("gamma", "beta"))
    out = plus(times(normalized, gamma), beta)
    statistics = {"mean": means, "variance": variances, "deviation": deviations}
    return Up(layer, x, out, {"parameters": layer.parameters, **statistics, "normalized": normalized, "outputs": out})


def in_groups(layer: Layer, m: Matrix) -> Matrix:
    """Those numbers together that are normalized together: each unit's, or each example's. Once more leads back."""
    return turned(m) if layer.kind == "batch_norm" else m


def has_own_statistics(layer: Layer, current: Pass) -> bool:
    return layer.kind == "layer_norm" or current.training


def normalization_down(up: Up, errors: Matrix, current: Pass) -> Down:
    layer, normalized = up.layer, up.told["normalized"]
    gradients = {
        "gamma": current.gradient_of_units(layer, times(errors, normalized)),
        "beta": current.gradient_of_units(layer, errors),
    }
    of_normalized = times(errors, in_rows(errors, current.scales_on_the_way_down(layer, gradients)))
    told: dict = {"errors": errors, "normalized_errors": of_normalized}
    groups = list(zip(in_groups(layer, of_normalized), in_groups(layer, normalized), strict=True))
    if has_own_statistics(layer, current):
        told["mean_error"] = [mean(e) for e, _ in groups]
        told["mean_product"] = [mean([a * b for a, b in zip(*group, strict=True)]) for group in groups]
        passed = [through_statistics(*group) for group in groups]
    else:
        passed = [e for e, _ in groups]
    deviations = up.told["deviation"]
    deltas = in_groups(layer, [scaled(group, 1.0 / d) for group, d in zip(passed, deviations, strict=True)])
    return Down(layer, {**told, "deltas": deltas, "gradients": gradients}, gradients, deltas)


def through_statistics(errors: list[float], normalized: list[float]) -> list[float]:
    """Each number has a part in the mean and in the variance, and so in each normalized number."""
    count = len(errors)

    def part(i: int, j: int) -> float:
        return (i == j) - (1.0 + normalized[i] * normalized[j]) / count

    return [sum(errors[i] * part(i, j) for i in range(count)) for j in range(count)]
