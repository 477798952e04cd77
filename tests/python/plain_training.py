"""A trainer of dense networks in plain Python, with an option to make every mistake that has a name. A layer may have a
way around it.

It knows nothing of the service; plain_trace tells its numbers in the form of a trace.
"""

from dataclasses import dataclass, field, replace
from math import hypot

from plain_functions import Matrix, Row, activate, errors, loss, plus, product, scaled, slope, turned
from plain_mistakes import RIGHT, Wrong
from plain_trace import told


@dataclass(frozen=True)
class Layer:
    name: str
    activation: str
    weights: Matrix
    bias: Row | None
    # A residual block around the layer: None, "identity" or "projection", which has weights of its own
    shortcut: str | None = None
    projection: Matrix | None = None
    # What the optimizer remembers: (parameter, what) -> a list as the parameter's
    memory: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    layers: list[Layer]
    loss: str
    optimizer: dict
    # Whether activations are layers of their own
    split: bool = False
    steps: int = 0


def climb(network: Network, x: Matrix, wrong: Wrong) -> list[dict]:
    """What each layer does on the way up, from below."""
    done = []
    for layer in network.layers:
        output = layer is network.layers[-1]
        a = product(x, turned_if_square(layer.weights, wrong.transposed in ("up", "read")))
        if layer.bias is not None and not (wrong.bias == "forward" and wrong.here(output)):
            a = [[one + bias for one, bias in zip(row, layer.bias, strict=True)] for row in a]
        name = "linear" if output and wrong.softmax else layer.activation
        h = [activate(name, row) for row in a]
        slopes = None
        if name != "softmax":
            kind = wrong.slope if wrong.here(output) else None
            true = [[slope(name, one) for one in row] for row in a]
            taken = [
                [slope_taken(kind, name, one, out) for one, out in zip(*rows, strict=True)]
                for rows in zip(a, h, strict=True)
            ]
            slopes = {"told": taken if wrong.told else true, "taken": taken}
        way_round = around(layer, x, wrong)
        out = plus(h, way_round) if way_round else h
        done.append(
            {"layer": layer, "x": x, "a": a, "h": h, "slopes": slopes, "output": output, "around": way_round, "out": out}
        )
        x = out
    return done


def around(layer: Layer, x: Matrix, wrong: Wrong) -> Matrix | None:
    if layer.projection:
        return product(x, turned_if_square(layer.projection, wrong.transposed in ("up", "read")))
    return x if layer.shortcut else None


def slope_taken(kind: str | None, name: str, a: float, h: float) -> float:
    if kind == "one":
        return 1.0
    if kind == "h":
        return h
    return slope(name, h if kind == "at_h" else a)


def turned_if_square(m: Matrix, turn: bool) -> Matrix:
    return turned(m) if turn and len(m) == len(m[0]) else m


def losses(network: Network, out: Matrix, y: Matrix, wrong: Wrong) -> tuple[list, float | None]:
    each = [loss(network.loss, *rows) for rows in zip(y, out, strict=True)]
    if None in each:
        return [None] * len(each), None
    if "loss" in wrong.doubled:
        each = scaled(each, 2.0)
    return each, sum(each) / (1 if "loss" in wrong.summed else len(each))


def step(network: Network, x: Matrix, y: Matrix, wrong: Wrong = RIGHT) -> tuple[dict, Network]:
    """All numbers of a step as a trace tells them, and the network after it."""
    ups = climb(network, x, wrong)
    out = ups[-1]["out"]
    value = losses(network, out, y, wrong)
    downs = descend(network, ups, y, wrong)
    clip = clip_of(network, downs)
    done = [updated(network, up["layer"], down["gradients"], clip, wrong) for up, down in zip(ups, downs, strict=True)]
    updates, after = [update for update, _ in done], [learned for _, learned in done]
    later = replace(network, layers=after, steps=network.steps + 1)
    loss_after = losses(later, climb(later, x, wrong)[-1]["out"], y, wrong)[1]
    return told(network, ups, value, downs, clip, updates, loss_after), later


def descend(network: Network, ups: list[dict], y: Matrix, wrong: Wrong) -> list[dict]:
    """What each layer does on the way down; listed from below."""
    # Whoever updates too early clips as in a step without that mistake.
    clip = clip_of(network, descend(network, ups, y, replace(wrong, early=False))) if wrong.early else None
    arrived: Matrix | None = errors_of_outputs(network, ups[-1]["out"], y, wrong)
    if arrived is not None and wrong.flipped == "loss":
        arrived = scaled(arrived, -1.0)
    downs = []
    for up in reversed(ups):
        layer = up["layer"]
        deltas = deltas_of(up, arrived, y, wrong)
        gradients = gradients_of(up, arrived, deltas, wrong)
        learned = updated(network, layer, gradients, clip, wrong)[1] if wrong.early else layer

        def through(weights: Matrix, what: Matrix) -> Matrix:
            passed = product(what, turned(turned_if_square(weights, wrong.transposed in ("down", "read"))))
            return scaled(passed, -1.0) if wrong.flipped == "way" else passed

        down = {"errors": arrived, "deltas": deltas, "gradients": gradients, "branch": through(learned.weights, deltas)}
        if layer.shortcut:
            down["around"] = through(learned.projection, arrived) if layer.projection else arrived
        arrived = plus(down["branch"], down["around"]) if layer.shortcut else down["branch"]
        downs.append({**down, "passed": arrived})
    return downs[::-1]


def clip_of(network: Network, downs: list[dict]) -> dict | None:
    limit = network.optimizer.get("clip_norm")
    if limit is None:
        return None
    flat = [one for down in downs for gradient in down["gradients"].values() for row in rows_of(gradient) for one in row]
    norm = hypot(*flat)
    return {"norm": norm, "scale": min(1.0, limit / (norm + 1e-6))}


def rows_of(parameter: list) -> Matrix:
    return parameter if isinstance(parameter[0], list) else [parameter]


def parameters(layer: Layer) -> dict:
    found = {"weights": layer.weights, "bias": layer.bias, "projection": layer.projection}
    return {name: values for name, values in found.items() if values is not None}


def errors_of_outputs(network: Network, out: Matrix, y: Matrix, wrong: Wrong) -> Matrix | None:
    """Who takes y - a for the deltas knows of no errors."""
    if wrong.softmax == "fused":
        return None
    found = []
    for rows in zip(y, out, strict=True):
        if wrong.softmax and any(b == 0.0 for b in rows[1]):
            return None
        found.append(errors(network.loss, *rows))
    return scaled(found, 2.0) if "errors" in wrong.doubled else found


def deltas_of(up: dict, arrived: Matrix | None, y: Matrix, wrong: Wrong) -> Matrix:
    if arrived is None:
        return [[a - b for a, b in zip(*rows, strict=True)] for rows in zip(y, up["h"], strict=True)]
    if up["slopes"]:
        pairs = zip(arrived, up["slopes"]["taken"], strict=True)
        return [[error * one for error, one in zip(*rows, strict=True)] for rows in pairs]
    return [softmax_deltas(*rows, wrong) for rows in zip(arrived, up["h"], strict=True)]


def softmax_deltas(arrived: Row, h: Row, wrong: Wrong) -> Row:
    """Softmax has no slope at a unit that could be taken elsewhere, but it can be left out, or h stand for it."""
    here = wrong.here(True) and not wrong.told
    if here and wrong.slope == "one":
        return arrived
    if here and wrong.slope == "h":
        return [error * one for error, one in zip(arrived, h, strict=True)]
    shared = sum(error * one for error, one in zip(arrived, h, strict=True))
    return [one * (error - shared) for error, one in zip(arrived, h, strict=True)]


def gradients_of(up: dict, arrived: Matrix | None, deltas: Matrix, wrong: Wrong) -> dict:
    layer = up["layer"]
    count = 1 if "gradients" in wrong.summed else len(deltas)
    sign = 1.0 if wrong.flipped == "gradients" and wrong.here(up["output"]) else -1.0

    def of_weights(blame: Matrix) -> Matrix:
        return turned_if_square(scaled(product(turned(up["x"]), blame), sign / count), wrong.transposed == "read")

    found = {"weights": of_weights(deltas)}
    if layer.bias is not None:
        times = len(layer.weights) if wrong.bias_times == "gradients" else 1
        found["bias"] = [sum(column) * sign / count * times for column in turned(deltas)]
    if layer.projection:
        found["projection"] = of_weights(arrived)
    return found


def updated(network: Network, layer: Layer, gradients: dict, clip: dict | None, wrong: Wrong) -> tuple[dict, Layer]:
    update, memory = {}, dict(layer.memory)
    for name, before in parameters(layer).items():
        rows, values = rows_of(gradients[name]), rows_of(before)
        if clip:
            rows = scaled(rows, clip["scale"])
        change = change_of(network, name, values, rows, memory, wrong)
        if wrong.flipped == "change":
            change = scaled(change, -1.0)
        if name == "bias" and wrong.bias == "learning":
            change = scaled(change, 0.0)
        if name == "bias" and wrong.bias_times == "change":
            change = scaled(change, len(layer.weights))
        after = plus(values, change)
        update[name] = {"change": change, "after": after}
        if name == "bias":
            update[name] = {"change": change[0], "after": after[0]}
    learned = {name: one["after"] for name, one in update.items()}
    return update, replace(layer, **learned, memory=memory)


def change_of(network: Network, name: str, values: Matrix, rows: Matrix, memory: dict, wrong: Wrong) -> Matrix:
    settings = network.optimizer
    rate, decay = wrong.rate(settings["learning_rate"]), 0.0 if wrong.undecayed else settings.get("weight_decay", 0.0)
    apart = settings["kind"] == "adamw"
    if decay and not apart:
        rows = combined(lambda g, w: g + decay * w, rows, values)
    zero = scaled(rows, 0.0)
    direction = rows
    if settings["kind"] == "sgd" and settings.get("momentum"):
        before = memory.get((name, "velocity"), zero)
        velocity = combined(lambda v, g: settings["momentum"] * v + g, before, rows)
        memory[name, "velocity"] = velocity = rows if wrong.momentum == "velocity" else velocity
        ahead = combined(lambda v, g: settings["momentum"] * v + g, velocity, rows)
        direction = ahead if settings.get("nesterov") else velocity
        direction = rows if wrong.momentum == "change" else direction
    if settings["kind"] in ("adam", "adamw"):
        first, second = (memory.get((name, moment), zero) for moment in ("first_moment", "second_moment"))
        b1, b2 = settings.get("beta1", 0.9), settings.get("beta2", 0.999)
        first = memory[name, "first_moment"] = combined(lambda m, g: b1 * m + (1.0 - b1) * g, first, rows)
        second = memory[name, "second_moment"] = combined(lambda v, g: b2 * v + (1.0 - b2) * g * g, second, rows)
        t = network.steps + 1
        c1 = 1.0 if "first_moment" in wrong.uncorrected else 1.0 - b1**t
        c2 = 1.0 if "second_moment" in wrong.uncorrected else 1.0 - b2**t
        epsilon = settings.get("epsilon", 1e-8)
        direction = combined(lambda m, v: (m / c1) / ((v / c2) ** 0.5 + epsilon), first, second)
    if decay and apart:
        direction = combined(lambda d, w: d + decay * w, direction, values)
    return scaled(direction, -rate)


def combined(f, first: Matrix, second: Matrix) -> Matrix:
    return [[f(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(first, second, strict=True)]
