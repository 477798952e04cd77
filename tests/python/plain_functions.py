"""Activations, losses and sums in plain Python, as anybody would write them. They share no code with the service."""

import math
from collections.abc import Callable

Row = list[float]
Matrix = list[Row]

# f(a), and f'(a) out of a alone.
ACTIVATIONS = {
    "linear": (lambda a: a, lambda a: 1.0),
    "sigmoid": (lambda a: logistic(a), lambda a: logistic(a) * logistic(-a)),
    "tanh": (math.tanh, lambda a: 1.0 - math.tanh(a) ** 2),
    "relu": (lambda a: max(a, 0.0), lambda a: float(a > 0.0)),
    "leaky_relu": (lambda a: a if a > 0.0 else 0.01 * a, lambda a: 1.0 if a > 0.0 else 0.01),
    "elu": (lambda a: a if a > 0.0 else math.expm1(a), lambda a: 1.0 if a > 0.0 else math.exp(a)),
    "gelu": (lambda a: a * normal(a), lambda a: normal(a) + a * math.exp(-a * a / 2.0) / math.sqrt(2.0 * math.pi)),
    "silu": (lambda a: a * logistic(a), lambda a: logistic(a) * (1.0 + a * (1.0 - logistic(a)))),
    "softplus": (lambda a: max(a, 0.0) + math.log1p(math.exp(-abs(a))), lambda a: logistic(a)),
}
# PyTorch's: a logarithm is not less than this, and a slope of binary cross-entropy is divided by no less than that.
LOGARITHM_MIN, DIVISOR_MIN = -100.0, 1e-12


def logistic(a: float) -> float:
    return 1.0 / (1.0 + math.exp(-a)) if a > 0.0 else math.exp(a) / (1.0 + math.exp(a))


def normal(a: float) -> float:
    """The part of a normal distribution below a."""
    return 0.5 * math.erfc(-a / math.sqrt(2.0))


def softmax(a: Row) -> Row:
    exponentials = [math.exp(one - max(a)) for one in a]
    return [one / sum(exponentials) for one in exponentials]


def activate(name: str, a: Row) -> Row:
    return softmax(a) if name == "softmax" else [ACTIVATIONS[name][0](one) for one in a]


def slope(name: str, a: float) -> float:
    return ACTIVATIONS[name][1](a)


def loss(name: str, y: Row, out: Row) -> float | None:
    """One example's; nothing where a logarithm does not exist."""
    if name == "half_squared_error":
        return sum((a - b) * (a - b) for a, b in zip(y, out, strict=True)) / 2.0
    if name == "mean_squared_error":
        return sum((a - b) * (a - b) for a, b in zip(y, out, strict=True)) / len(y)
    if name == "cross_entropy":
        if any(b <= 0.0 and a != 0.0 for a, b in zip(y, out, strict=True)):
            return None
        return -sum(a * math.log(b) for a, b in zip(y, out, strict=True) if a != 0.0)
    return -sum(a * bounded_log(b) + (1.0 - a) * bounded_log(1.0 - b) for a, b in zip(y, out, strict=True)) / len(y)


def bounded_log(p: float) -> float:
    return max(math.log(p), LOGARITHM_MIN) if p > 0.0 else LOGARITHM_MIN


def errors(name: str, y: Row, out: Row) -> Row:
    """Downhill, -dE/dout."""
    if name == "half_squared_error":
        return [a - b for a, b in zip(y, out, strict=True)]
    if name == "mean_squared_error":
        return [2.0 * (a - b) / len(y) for a, b in zip(y, out, strict=True)]
    if name == "cross_entropy":
        return [a / b if a != 0.0 else 0.0 for a, b in zip(y, out, strict=True)]
    return [(a - b) / max(b * (1.0 - b), DIVISOR_MIN) / len(y) for a, b in zip(y, out, strict=True)]


def turned(m: Matrix) -> Matrix:
    return [list(column) for column in zip(*m, strict=True)]


def product(a: Matrix, b: Matrix) -> Matrix:
    columns = turned(b)
    return [[sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a]


def combined(f: Callable[..., float], *matrices: Matrix) -> Matrix:
    """Number by number."""
    return [[f(*ones) for ones in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


def plus(a: Matrix, b: Matrix) -> Matrix:
    return combined(lambda x, y: x + y, a, b)


def times(a: Matrix, b: Matrix) -> Matrix:
    return combined(lambda x, y: x * y, a, b)


def in_rows(m: Matrix, row: Row) -> Matrix:
    """The same row as often as the matrix has rows."""
    return [row] * len(m)


def mean(values: Row) -> float:
    return sum(values) / len(values)


def scaled(m: list, factor: float) -> list:
    return [scaled(one, factor) if isinstance(one, list) else one * factor for one in m]
