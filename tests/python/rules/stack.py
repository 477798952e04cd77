"""Layers one upon another, and the residual block, a layer that holds such a stack itself.

A stack is checked from below on the way up and from the top on the way back and in the update, where it names its
layers again. All kinds of layers meet in the table at the end.
"""

from collections.abc import Iterator

from rules.layers import Activation, Dense, Dropout
from rules.matrices import product, transposed, weight_gradients
from rules.normalization import BatchNorm, LayerNorm
from rules.numbers import each
from rules.reader import Reader

Matrix = list[list[float]]


def climb(layers: list[Reader], x: Matrix) -> Matrix:
    """Checks the layers from below; answers the outputs of the last."""
    for layer in layers:
        layer.text("name")
        x = layer.choice("kind", KINDS).up(layer, x)
        layer.done()
    return x


def descend(section: Reader, forward_layers: list[Reader], errors: Matrix) -> list[Reader]:
    """Checks the section's layers from the top, where the errors arrive."""
    above = None
    pairs = paired(section, forward_layers)
    for layer, forward in pairs:
        layer.same("kind", forward.text("kind"))
        if above is not None:
            errors = passed_down(*above)
        forward.choice("kind", KINDS).down(layer, forward, errors)
        layer.done()
        above = layer, forward
    return [layer for layer, _ in pairs]


def passed_down(layer: Reader, forward: Reader) -> Matrix:
    """The errors of whatever lies below the layer."""
    return forward.choice("kind", KINDS).errors_below(layer, forward)


def paired(section: Reader, forward_layers: list[Reader]) -> list[tuple[Reader, Reader]]:
    """The section's layers, each with its forward layer: the same names, from the top down."""
    layers = section.children("layers", length=len(forward_layers))
    pairs = list(zip(layers, reversed(forward_layers), strict=True))
    for layer, forward in pairs:
        layer.same("name", forward.text("name"))
    return pairs


def with_inner(layers: list[Reader]) -> Iterator[Reader]:
    """The layers in their order, behind each the layers inside it."""
    for layer in layers:
        yield layer
        yield from with_inner(layer.seen.get("layers", []))


class Residual:
    """The branch, a stack of layers, plus the shortcut around it: the inputs themselves or their projection x·w."""

    @staticmethod
    def up(layer: Reader, x: Matrix) -> Matrix:
        inner = layer.children("layers")
        layer.seen |= {"inputs": x, "layers": inner}
        branch = layer.check("branch", climb(inner, x))
        if layer.has("parameters"):
            parameters = layer.child("parameters")
            w = parameters.matrix("weights", rows=len(x[0]), columns=len(branch[0]))
            parameters.done()
            layer.seen["parameters"] = parameters.seen
            shortcut = product(x, w)
        elif len(x[0]) == len(branch[0]):
            shortcut = x
        else:
            raise layer.refuse("shortcut", f"a projection, for {len(x[0])} inputs and a branch of {len(branch[0])}")
        shortcut = layer.check("shortcut", shortcut)
        return layer.check("outputs", each(lambda b, s: b + s, branch, shortcut))

    @staticmethod
    def down(layer: Reader, forward: Reader, errors: Matrix) -> None:
        errors = layer.check("errors", errors)
        layer.seen["layers"] = descend(layer, forward.seen["layers"], errors)
        branch = layer.check("branch_errors", passed_down(layer.seen["layers"][-1], forward.seen["layers"][0]))
        shortcut = errors
        if "parameters" in forward.seen:
            gradients = layer.child("gradients")
            gradients.check("weights", weight_gradients(forward.seen["inputs"], errors))
            gradients.done()
            layer.seen["gradients"] = gradients.seen
            shortcut = product(errors, transposed(forward.seen["parameters"]["weights"]))
        shortcut = layer.check("shortcut_errors", shortcut)
        layer.check("deltas", each(lambda b, s: b + s, branch, shortcut))

    @staticmethod
    def errors_below(layer: Reader, _forward: Reader) -> Matrix:
        return layer.seen["deltas"]


KINDS = {
    "dense": Dense,
    "activation": Activation,
    "batch_norm": BatchNorm,
    "layer_norm": LayerNorm,
    "dropout": Dropout,
    "residual": Residual,
}
