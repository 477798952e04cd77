"""Activations: h and its local derivative from the pre-activations a. A new one is one function and one line.

They serve a dense layer, which has pre-activations of its own, and an activation layer, whose pre-activations are
the outputs of the layer below.

The way up takes a layer's reader and its pre-activations `[examples][units]`, checks the quantities the trace must
give for it, in their order, and returns the outputs; the way back takes the errors that arrive and returns the
deltas. Every quantity is computed from the *given* earlier ones.
"""

from rules.numbers import divide, each, erf, exp, expm1, in_order_sum, log1p, tanh
from rules.reader import Reader

Matrix = list[list[float]]

LEAKY_SLOPE = 0.01
# Above this, softplus is a itself: log1p(e^20) - 20 is about 2e-9, and PyTorch draws the same line.
SOFTPLUS_THRESHOLD = 20.0
# 1/sqrt(2) and 1/sqrt(2 pi): the normal distribution by the error function, and the height of its bell.
INVERSE_ROOT_TWO = 0.7071067811865476
BELL_HEIGHT = 0.3989422804014327


def linear(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", a)
    layer.check("derivatives", each(lambda _: 1.0, a))
    return h


def sigmoid(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(logistic, a))
    layer.check("derivatives", each(lambda h: h * (1.0 - h), h))
    return h


def hyperbolic_tangent(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(tanh, a))
    layer.check("derivatives", each(lambda h: 1.0 - h * h, h))
    return h


def relu(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a if a > 0.0 else 0.0, a))
    layer.check("derivatives", each(lambda a: 1.0 if a > 0.0 else 0.0, a))
    return h


def leaky_relu(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a if a > 0.0 else LEAKY_SLOPE * a, a))
    layer.check("derivatives", each(lambda a: 1.0 if a > 0.0 else LEAKY_SLOPE, a))
    return h


def softplus(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a if a > SOFTPLUS_THRESHOLD else log1p(exp(a)), a))
    layer.check("derivatives", each(lambda a: 1.0 if a > SOFTPLUS_THRESHOLD else logistic(a), a))
    return h


def elu(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a if a > 0.0 else expm1(a), a))
    layer.check("derivatives", each(lambda a: 1.0 if a > 0.0 else exp(a), a))
    return h


def gelu(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a * normal_share_below(a), a))
    layer.check("derivatives", each(lambda a: normal_share_below(a) + a * (BELL_HEIGHT * exp(-0.5 * (a * a))), a))
    return h


def silu(layer: Reader, a: Matrix) -> Matrix:
    h = layer.check("outputs", each(lambda a: a * logistic(a), a))
    layer.check("derivatives", each(lambda a: logistic(a) * (1.0 + a * (1.0 - logistic(a))), a))
    return h


def softmax(layer: Reader, a: Matrix) -> Matrix:
    """Mixes the units of a row, so it has no derivatives of its own but its steps by name."""
    maxima = layer.check("maxima", [max(row) for row in a])
    exponentials = layer.check(
        "exponentials", [[exp(a_j - top) for a_j in row] for row, top in zip(a, maxima, strict=True)]
    )
    sums = layer.check("sums", [in_order_sum(row) for row in exponentials])
    return layer.check(
        "outputs", [[divide(e, total) for e in row] for row, total in zip(exponentials, sums, strict=True)]
    )


def by_slope(layer: Reader, errors: Matrix, forward: Reader) -> Matrix:
    """The way back through an activation that works on each unit alone: error times local derivative."""
    return layer.check("deltas", each(lambda e, slope: e * slope, errors, forward.seen["derivatives"]))


def through_softmax(layer: Reader, errors: Matrix, forward: Reader) -> Matrix:
    """softmax's way back: each delta needs the row's errors, weighted by all of the row's outputs."""
    outputs = forward.seen["outputs"]
    weighted = layer.check(
        "weighted_errors",
        [in_order_sum(e * h for e, h in zip(*row, strict=True)) for row in zip(errors, outputs, strict=True)],
    )
    return layer.check(
        "deltas",
        [
            [h * (e - w) for e, h in zip(row_errors, row_outputs, strict=True)]
            for row_errors, row_outputs, w in zip(errors, outputs, weighted, strict=True)
        ],
    )


def logistic(a: float) -> float:
    """The sigmoid, by the branch in which the exponential cannot overflow."""
    if a >= 0.0:
        return 1.0 / (1.0 + exp(-a))
    e = exp(a)
    return e / (1.0 + e)


def normal_share_below(a: float) -> float:
    """The share of the standard normal distribution below a."""
    return 0.5 * (1.0 + erf(a * INVERSE_ROOT_TWO))


# Name: (the way up, the way back).
ACTIVATIONS = {
    "linear": (linear, by_slope),
    "sigmoid": (sigmoid, by_slope),
    "tanh": (hyperbolic_tangent, by_slope),
    "relu": (relu, by_slope),
    "leaky_relu": (leaky_relu, by_slope),
    "softplus": (softplus, by_slope),
    "elu": (elu, by_slope),
    "gelu": (gelu, by_slope),
    "silu": (silu, by_slope),
    "softmax": (softmax, through_softmax),
}
