"""Losses: E of one example, and the errors -dE/dŷ that start the way back. A new one is a pair of functions.

Both take one row of targets y and one row of the network's outputs p (for prediction, ŷ).
"""

from rules.numbers import divide, in_order_sum, ln, log1p

Row = list[float]

# PyTorch's two guards of the binary cross-entropy: a logarithm never counts below -100, and the slope of a
# saturated output is held off zero.
LOGARITHM_MIN = -100.0
SLOPE_MIN = 1e-12


def half_squared_error(targets: Row, outputs: Row) -> float:
    return 0.5 * in_order_sum((y - p) * (y - p) for y, p in zip(targets, outputs, strict=True))


def half_squared_error_errors(targets: Row, outputs: Row) -> Row:
    return [y - p for y, p in zip(targets, outputs, strict=True)]


def mean_squared_error(targets: Row, outputs: Row) -> float:
    return in_order_sum((y - p) * (y - p) for y, p in zip(targets, outputs, strict=True)) / float(len(targets))


def mean_squared_error_errors(targets: Row, outputs: Row) -> Row:
    return [(2.0 * (y - p)) / float(len(targets)) for y, p in zip(targets, outputs, strict=True)]


def binary_cross_entropy(targets: Row, outputs: Row) -> float:
    terms = (
        (y - 1.0) * max(log1p(-p), LOGARITHM_MIN) - y * max(ln(p), LOGARITHM_MIN)
        for y, p in zip(targets, outputs, strict=True)
    )
    return in_order_sum(terms) / float(len(targets))


def binary_cross_entropy_errors(targets: Row, outputs: Row) -> Row:
    return [
        ((y - p) / max((1.0 - p) * p, SLOPE_MIN)) / float(len(targets)) for y, p in zip(targets, outputs, strict=True)
    ]


def cross_entropy(targets: Row, outputs: Row) -> float:
    # A class that is not wanted at all adds nothing, even where its probability is zero: 0 * ln 0 counts as 0.
    return 0.0 - in_order_sum(0.0 if y == 0.0 else y * ln(p) for y, p in zip(targets, outputs, strict=True))


def cross_entropy_errors(targets: Row, outputs: Row) -> Row:
    return [0.0 if y == 0.0 else divide(y, p) for y, p in zip(targets, outputs, strict=True)]


# Name: (loss of an example, errors of an example).
LOSSES = {
    "half_squared_error": (half_squared_error, half_squared_error_errors),
    "mean_squared_error": (mean_squared_error, mean_squared_error_errors),
    "binary_cross_entropy": (binary_cross_entropy, binary_cross_entropy_errors),
    "cross_entropy": (cross_entropy, cross_entropy_errors),
}


def mean(per_example: Row) -> float:
    """The reported loss: the mean over the batch."""
    return in_order_sum(per_example) / float(len(per_example))
