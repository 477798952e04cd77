"""Layers of the plain kinds: what each must show on the way up and on the way back. A new one is one class, and one
line in rules/stack.py.

`up` takes the outputs of the layer below and returns its own. `down` takes the errors that arrive from above and
checks deltas and gradients. `errors_below` is what the layer passes on to the one below; it is apart because the
lowest layer has nobody to tell. What later rules need they leave in their reader's `seen`: "inputs", "parameters"
and "gradients" by name, and "mode" where it can be told whether the pass trains.
"""

from rules.activations import ACTIVATIONS
from rules.matrices import mean_uphill, product, transposed, weight_gradients
from rules.numbers import each
from rules.reader import Reader

Matrix = list[list[float]]


class Dense:
    """a = x·w + b, then an activation. Weights are `[in][out]`, the bias `[out]` or absent."""

    @staticmethod
    def up(layer: Reader, x: Matrix) -> Matrix:
        activate, _ = layer.choice("activation", ACTIVATIONS)
        parameters = layer.child("parameters")
        w = parameters.matrix("weights", rows=len(x[0]))
        b = parameters.vector("bias", len(w[0])) if parameters.has("bias") else None
        parameters.done()
        layer.seen |= {"inputs": x, "parameters": parameters.seen}

        a = product(x, w)
        if b is not None:
            a = [[a_j + b_j for a_j, b_j in zip(row, b, strict=True)] for row in a]
        return activate(layer, layer.check("pre_activations", a))

    @staticmethod
    def down(layer: Reader, forward: Reader, errors: Matrix) -> None:
        _, way_back = forward.choice("activation", ACTIVATIONS)
        deltas = way_back(layer, layer.check("errors", errors), forward)

        gradients = layer.child("gradients")
        gradients.check("weights", weight_gradients(forward.seen["inputs"], deltas))
        if "bias" in forward.seen["parameters"]:
            gradients.check("bias", mean_uphill(deltas))
        gradients.done()
        layer.seen["gradients"] = gradients.seen

    @staticmethod
    def errors_below(layer: Reader, forward: Reader) -> Matrix:
        return product(layer.seen["deltas"], transposed(forward.seen["parameters"]["weights"]))


class Activation:
    """An activation of what comes from below, without weights."""

    @staticmethod
    def up(layer: Reader, x: Matrix) -> Matrix:
        activate, _ = layer.choice("activation", ACTIVATIONS)
        return activate(layer, x)

    @staticmethod
    def down(layer: Reader, forward: Reader, errors: Matrix) -> None:
        _, way_back = forward.choice("activation", ACTIVATIONS)
        way_back(layer, layer.check("errors", errors), forward)

    @staticmethod
    def errors_below(layer: Reader, _forward: Reader) -> Matrix:
        return layer.seen["deltas"]


class Dropout:
    """In training drops numbers and makes the others larger, as the mask says; in eval there is no mask."""

    @staticmethod
    def up(layer: Reader, x: Matrix) -> Matrix:
        rate = layer.number("rate")
        if not 0.0 <= rate < 1.0:
            raise layer.refuse("rate", "a number from 0 up to but not 1")
        kept = 1.0 / (1.0 - rate)
        layer.seen["mode"] = "train" if layer.has("mask") else "eval"
        if layer.has("mask"):
            # Which numbers are dropped is drawn, and so given; what a mask may hold is not.
            drawn = layer.like("mask", x)
            layer.check("mask", each(lambda m: 0.0 if m == 0.0 else kept, drawn))
        return layer.check("outputs", Dropout._masked(x, layer))

    @staticmethod
    def down(layer: Reader, forward: Reader, errors: Matrix) -> None:
        layer.check("deltas", Dropout._masked(layer.check("errors", errors), forward))

    @staticmethod
    def errors_below(layer: Reader, _forward: Reader) -> Matrix:
        return layer.seen["deltas"]

    @staticmethod
    def _masked(numbers: Matrix, forward: Reader) -> Matrix:
        if "mask" not in forward.seen:
            return numbers
        return each(lambda number, m: 0.0 if m == 0.0 else number * m, numbers, forward.seen["mask"])
