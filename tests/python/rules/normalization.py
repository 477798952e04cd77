"""Normalization: numbers less their mean, by their deviation, then stretched and shifted by two parameters a unit.

A batch normalization takes mean and variance over the examples of each unit, a layer normalization over the units
of each example. In both each number belongs to one group; a matrix in groups is the matrix as it stands or turned.
"""

from rules.matrices import mean_uphill, transposed
from rules.numbers import divide, each, in_order_sum, square_root
from rules.reader import Reader

Matrix = list[list[float]]
Vector = list[float]


class LayerNorm:
    """By the statistics of each example, in training as in eval."""

    @staticmethod
    def groups(m: Matrix) -> Matrix:
        """From a matrix to its groups; the same once more leads back."""
        return m

    @staticmethod
    def own_statistics(_forward: Reader) -> bool:
        """Whether mean and variance are of these very inputs, so that errors pass through them too."""
        return True

    @classmethod
    def up(cls, layer: Reader, x: Matrix) -> Matrix:
        epsilon = layer.number("epsilon")
        parameters = layer.child("parameters")
        gamma, beta = (parameters.vector(name, len(x[0])) for name in ("gamma", "beta"))
        parameters.done()
        layer.seen |= {"inputs": x, "parameters": parameters.seen}

        groups = cls.groups(x)
        if cls.own_statistics(layer):
            means = layer.check("mean", [mean(group) for group in groups])
            squares = [[(x - m) * (x - m) for x in group] for group, m in zip(groups, means, strict=True)]
            variances = layer.check("variance", [mean(group) for group in squares])
        else:
            means, variances = layer.vector("mean", len(groups)), layer.vector("variance", len(groups))
        deviations = layer.check("deviation", each(lambda variance: square_root(variance + epsilon), variances))
        normalized = layer.check(
            "normalized",
            cls.groups(
                [
                    [divide(x - m, deviation) for x in group]
                    for group, m, deviation in zip(groups, means, deviations, strict=True)
                ]
            ),
        )
        return layer.check("outputs", [each(lambda n, g, b: n * g + b, row, gamma, beta) for row in normalized])

    @classmethod
    def down(cls, layer: Reader, forward: Reader, errors: Matrix) -> None:
        errors = layer.check("errors", errors)
        gamma, normalized = forward.seen["parameters"]["gamma"], forward.seen["normalized"]
        of_normalized = layer.check("normalized_errors", [each(lambda e, g: e * g, row, gamma) for row in errors])

        centred = cls.groups(of_normalized)
        if cls.own_statistics(forward):
            products = cls.groups(each(lambda e, n: e * n, of_normalized, normalized))
            mean_error = layer.check("mean_error", [mean(group) for group in centred])
            mean_product = layer.check("mean_product", [mean(group) for group in products])
            centred = [
                [(e - e_mean) - n * p_mean for e, n in zip(*pair, strict=True)]
                for *pair, e_mean, p_mean in zip(centred, cls.groups(normalized), mean_error, mean_product, strict=True)
            ]
        deviations = forward.seen["deviation"]
        deltas = [[divide(c, deviation) for c in group] for group, deviation in zip(centred, deviations, strict=True)]
        layer.check("deltas", cls.groups(deltas))

        gradients = layer.child("gradients")
        gradients.check("gamma", mean_uphill(each(lambda e, n: e * n, errors, normalized)))
        gradients.check("beta", mean_uphill(errors))
        gradients.done()
        layer.seen["gradients"] = gradients.seen

    @staticmethod
    def errors_below(layer: Reader, _forward: Reader) -> Matrix:
        return layer.seen["deltas"]


class BatchNorm(LayerNorm):
    """In training by the statistics of the batch; in eval by the running ones, which training has gathered."""

    @staticmethod
    def groups(m: Matrix) -> Matrix:
        return transposed(m)

    @staticmethod
    def own_statistics(forward: Reader) -> bool:
        return forward.choice("statistics", {"batch": True, "running": False})

    @classmethod
    def up(cls, layer: Reader, x: Matrix) -> Matrix:
        layer.seen["mode"] = "train" if cls.own_statistics(layer) else "eval"
        # The unbiased variance of one example would be 0/0.
        if layer.seen["mode"] == "train" and len(x) < 2:
            raise layer.refuse("statistics", "running: one example has no variance")
        return super().up(layer, x)


def check_running(layer: Reader, forward: Reader) -> None:
    """What a step of training makes of a batch normalization's running statistics: they follow the batch's, of which
    the variance is made unbiased."""
    running, examples = layer.child("running"), float(len(forward.seen["inputs"]))
    momentum = running.number("momentum")
    unbiased = each(lambda variance: (variance * examples) / (examples - 1.0), forward.seen["variance"])
    for name, of_batch in {"mean": forward.seen["mean"], "variance": unbiased}.items():
        statistic = running.child(name)
        before = statistic.like("before", of_batch)
        statistic.check("after", each(lambda b, new: (1.0 - momentum) * b + momentum * new, before, of_batch))
        statistic.done()
    running.done()


def mean(group: Vector) -> float:
    return in_order_sum(group) / float(len(group))
