"""Layer kinds: what a layer must show on the way up and on the way back. A new one is one class and one line.

`up` takes the outputs of the layer below and returns its own. `down` takes the errors that arrive from above,
checks deltas and gradients, and returns the gradients by parameter. `errors_below` is what the layer passes on
to the one below; it is apart because the lowest layer has nobody to tell.
"""

from rules.activations import ACTIVATIONS
from rules.numbers import in_order_sum
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

        columns = list(zip(*w, strict=True))
        a = [
            [in_order_sum(x_i * w_ij for x_i, w_ij in zip(row, column, strict=True)) for column in columns] for row in x
        ]
        if b is not None:
            a = [[a_j + b_j for a_j, b_j in zip(row, b, strict=True)] for row in a]
        return activate(layer, layer.check("pre_activations", a))

    @staticmethod
    def down(layer: Reader, forward: Reader, errors: Matrix) -> dict[str, list]:
        _, way_back = forward.choice("activation", ACTIVATIONS)
        deltas = way_back(layer, layer.check("errors", errors), forward)
        x, examples = forward.seen["inputs"], float(len(deltas))

        gradients = layer.child("gradients")
        gradients.check(
            "weights",
            [
                [
                    0.0 - in_order_sum(x_n[i] * d_n[j] for x_n, d_n in zip(x, deltas, strict=True)) / examples
                    for j in range(len(deltas[0]))
                ]
                for i in range(len(x[0]))
            ],
        )
        if "bias" in forward.seen["parameters"]:
            gradients.check(
                "bias", [0.0 - in_order_sum(d_n[j] for d_n in deltas) / examples for j in range(len(deltas[0]))]
            )
        gradients.done()
        return gradients.seen

    @staticmethod
    def errors_below(layer: Reader, forward: Reader) -> Matrix:
        w = forward.seen["parameters"]["weights"]
        return [
            [in_order_sum(d_j * w_ij for d_j, w_ij in zip(row, w_i, strict=True)) for w_i in w]
            for row in layer.seen["deltas"]
        ]


KINDS = {"dense": Dense}
