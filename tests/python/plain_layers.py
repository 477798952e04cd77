"""Each kind of layer in plain Python: what it does on the way up and on the way down, with an option to make every
mistake that has a name. `told` is what a trace says of it.
"""

from plain_functions import Matrix, activate, combined, in_rows, plus, scaled, slope, times
from plain_normalization import normalization_down, normalization_up
from plain_parts import Down, Layer, Pass, Up


def climb(layers: tuple[Layer, ...], x: Matrix, current: Pass) -> tuple[Up, ...]:
    """From below."""
    done: list[Up] = []
    for layer in layers:
        done.append(UP[layer.kind](layer, done[-1].out if done else x, current))
    return tuple(done)


def descend(ups: tuple[Up, ...], errors: Matrix | None, current: Pass) -> tuple[Down, ...]:
    """From the top; listed from below."""
    done: list[Down] = []
    for up in reversed(ups):
        done.append(DOWN[up.layer.kind](up, done[-1].passed if done else errors, current))
    return tuple(reversed(done))


def dense_up(layer: Layer, x: Matrix, current: Pass) -> Up:
    a, bias = current.up_through(layer.parameters["weights"], x), layer.parameters.get("bias")
    if bias is not None and not (current.wrong.bias == "forward" and current.here(layer)):
        a = plus(a, in_rows(a, bias))
    h, slopes, told = activated(layer, a, current)
    return Up(layer, x, h, {"parameters": layer.parameters, "pre_activations": a, **told}, slopes)


def activation_up(layer: Layer, x: Matrix, current: Pass) -> Up:
    h, slopes, told = activated(layer, x, current)
    return Up(layer, x, h, told, slopes)


def activated(layer: Layer, a: Matrix, current: Pass) -> tuple[Matrix, Matrix | None, dict]:
    name, kind = current.activation(layer), current.slope_of(layer)
    h = [activate(name, row) for row in a]
    if name == "softmax":
        return h, None, {"outputs": h}
    taken = combined(lambda one, out: slope_taken(kind, name, one, out), a, h)
    derivatives = taken if current.wrong.told else combined(lambda one: slope(name, one), a)
    # Whoever forgets softmax tells no derivatives in its place.
    told = {"derivatives": derivatives} if layer.settings["activation"] != "softmax" else {}
    return h, taken, {"outputs": h, **told}


def slope_taken(kind: str | None, name: str, a: float, h: float) -> float:
    if kind == "one":
        return 1.0
    if kind == "h":
        return h
    return slope(name, h if kind == "at_h" else a)


def dense_down(up: Up, errors: Matrix | None, current: Pass) -> Down:
    layer, deltas = up.layer, deltas_of(up, errors, current)
    gradients: dict = {"weights": current.gradient_of_weights(layer, up.x, deltas)}
    if "bias" in layer.parameters:
        often = len(layer.parameters["weights"]) if current.wrong.bias_times == "gradients" else 1
        gradients["bias"] = scaled(current.gradient_of_units(layer, deltas), often)
    told = {"errors": errors, "deltas": deltas, "gradients": gradients}
    return Down(layer, told, gradients, current.down_through(layer, gradients, deltas))


def activation_down(up: Up, errors: Matrix | None, current: Pass) -> Down:
    deltas = deltas_of(up, errors, current)
    return Down(up.layer, {"errors": errors, "deltas": deltas}, {}, deltas)


def deltas_of(up: Up, errors: Matrix | None, current: Pass) -> Matrix:
    if errors is None:
        return combined(lambda y, a: y - a, current.targets, up.out)
    if up.slopes:
        return times(errors, up.slopes)
    # Softmax has no slope at a unit that could be taken elsewhere, but it can be left out, or h stand for it.
    kind = None if current.wrong.told else current.slope_of(up.layer)
    if kind == "one":
        return errors
    if kind == "h":
        return times(errors, up.out)
    shared = [sum(row) for row in times(errors, up.out)]
    return [[h * (e - all_of) for e, h in zip(*rows, strict=True)] for *rows, all_of in zip(errors, up.out, shared)]


def dropout_up(layer: Layer, x: Matrix, current: Pass) -> Up:
    mask = current.masks[layer.name] if current.training else None
    out = times(x, mask) if mask else x
    return Up(layer, x, out, {"mask": mask, "outputs": out} if mask else {"outputs": out})


def dropout_down(up: Up, errors: Matrix, _current: Pass) -> Down:
    mask = up.told.get("mask")
    deltas = times(errors, mask) if mask else errors
    return Down(up.layer, {"errors": errors, "deltas": deltas}, {}, deltas)


def residual_up(layer: Layer, x: Matrix, current: Pass) -> Up:
    inner = climb(layer.layers, x, current)
    branch, projected = inner[-1].out, layer.settings["shortcut"] == "projection"
    shortcut = current.up_through(layer.parameters["weights"], x) if projected else x
    out = plus(branch, shortcut)
    own = {"parameters": layer.parameters} if projected else {}
    layers = {"layers": [told_of(up.layer, up.told) for up in inner]}
    return Up(layer, x, out, {**own, **layers, "branch": branch, "shortcut": shortcut, "outputs": out}, None, inner)


def residual_down(up: Up, errors: Matrix, current: Pass) -> Down:
    layer, inner, gradients, shortcut = up.layer, descend(up.inner, errors, current), {}, errors
    if layer.settings["shortcut"] == "projection":
        gradients = {"weights": current.gradient_of_weights(layer, up.x, errors)}
        shortcut = current.down_through(layer, gradients, errors)
    branch = inner[0].passed
    deltas = plus(branch, shortcut)
    told = {
        "errors": errors,
        "layers": [told_of(down.layer, down.told) for down in reversed(inner)],
        **({"gradients": gradients} if gradients else {}),
        "branch_errors": branch,
        "shortcut_errors": shortcut,
        "deltas": deltas,
    }
    return Down(layer, told, gradients, deltas, inner)


def told_of(layer: Layer, told: dict) -> dict:
    return {"name": layer.name, **told}


UP = {
    "dense": dense_up,
    "activation": activation_up,
    "batch_norm": normalization_up,
    "layer_norm": normalization_up,
    "dropout": dropout_up,
    "residual": residual_up,
}
DOWN = {
    "dense": dense_down,
    "activation": activation_down,
    "batch_norm": normalization_down,
    "layer_norm": normalization_down,
    "dropout": dropout_down,
    "residual": residual_down,
}
