"""Makes telephone.json: the 100-layer telephone game and its cures, worked out with 60 digits by mpmath.

The first weights and the data are drawn here by NumPy, as the service documents them, so that nothing is taken from
it: the fixture has the weights' SHA-256 and the data, and the gradients of the lowest, a middle and the highest layer
at the first step. What is a double in the service (weights, data, ε) is the same double here, and every operation upon
it has 60 digits; a gradient is then rounded once. Run it in the environment of tests/python/requirements.txt:

    python3 tests/golden/telephone.py
"""

import hashlib
import struct
from itertools import pairwise

import numpy
from mpmath import fdot, fsum, mp, mpf

from exact import divide, square_root
from fixture import made_by, write
from numpy_random import normal

DEPTH, WIDTH, SEED, EXAMPLES = 100, 16, 3, 8
DIGITS = 60
VARIANTS = ["sigmoid", "relu", "residual", "batch_norm"]
# Counted from the inputs.
SHOWN = [1, 50, 100]
EPSILON = 1e-5

Matrix = list[list]


def first_weights() -> list[Matrix]:
    """he_normal, layer after layer from one stream; `[in][out]`."""
    rng = numpy.random.default_rng(SEED)
    sizes = [WIDTH] * DEPTH + [1]
    return [
        [[normal(rng, 0.0, square_root(divide(2.0, fan_in))) for _ in range(fan_out)] for _ in range(fan_in)]
        for fan_in, fan_out in pairwise(sizes)
    ]


def data() -> tuple[Matrix, Matrix]:
    rng = numpy.random.default_rng(numpy.random.SeedSequence(SEED, spawn_key=(0, 1)))
    inputs = [[normal(rng, 0.0, 1.0) for _ in range(WIDTH)] for _ in range(EXAMPLES)]
    return inputs, [[rng.random()] for _ in range(EXAMPLES)]


def sha256(weights: list[Matrix]) -> str:
    """Over all weights as doubles, the lowest byte first, layer after layer and row by row."""
    values = [value for layer in weights for row in layer for value in row]
    return hashlib.sha256(struct.pack(f"<{len(values)}d", *values)).hexdigest()


def columns(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def product(left: Matrix, right: Matrix) -> Matrix:
    turned = columns(right)
    return [[fdot(row, column) for column in turned] for row in left]


def each(function, *matrices: Matrix) -> Matrix:
    return [[function(*values) for values in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


def sigmoid(a: mpf) -> mpf:
    return 1 / (1 + mp.exp(-a))


class Hidden:
    """One hidden layer of a variant. `up` keeps what `down` needs; `gradient` is left by `down`."""

    def __init__(self, variant: str, weights: Matrix):
        self.variant, self.weights = variant, weights

    def up(self, x: Matrix) -> Matrix:
        self.x = x
        a = product(x, self.weights)
        if self.variant == "batch_norm":
            a = self._normalize(a)
        if self.variant == "relu":
            h = each(lambda a: a if a > 0 else mpf(0), a)
            self.slopes = each(lambda a: mpf(a > 0), a)
        else:
            h = each(sigmoid, a)
            self.slopes = each(lambda h: h * (1 - h), h)
        return each(lambda h, x: h + x, h, x) if self.variant == "residual" else h

    def down(self, from_above: Matrix) -> Matrix:
        """From ∂E/∂h of the batch's mean to ∂E/∂x."""
        deltas = each(lambda e, slope: e * slope, from_above, self.slopes)
        if self.variant == "batch_norm":
            deltas = self._through_normalization(deltas)
        self.gradient = gradient_of(self.x, deltas, bias=self.variant != "batch_norm")
        below = product(deltas, columns(self.weights))
        return each(lambda b, e: b + e, below, from_above) if self.variant == "residual" else below

    def _normalize(self, a: Matrix) -> Matrix:
        normalized, self.deviations = [], []
        for column in columns(a):
            mean = fsum(column) / EXAMPLES
            variance = fsum((value - mean) ** 2 for value in column) / EXAMPLES
            deviation = mp.sqrt(variance + mpf(EPSILON))
            self.deviations.append(deviation)
            normalized.append([(value - mean) / deviation for value in column])
        self.normalized = normalized
        # γ is 1 and β is 0 at the start.
        return columns(normalized)

    def _through_normalization(self, errors: Matrix) -> Matrix:
        """∂/∂a_m of Σ_n e_n·n̂_n, by the quotient rule through mean and variance."""
        through = []
        for e, n, deviation in zip(columns(errors), self.normalized, self.deviations, strict=True):
            mean_error, mean_product = fsum(e) / EXAMPLES, fdot(e, n) / EXAMPLES
            through.append([(e_m - mean_error - n_m * mean_product) / deviation for e_m, n_m in zip(e, n, strict=True)])
        return columns(through)


def gradient_of(x: Matrix, deltas: Matrix, bias: bool) -> dict:
    weights = product(columns(x), deltas)
    return {"weights": weights} | ({"bias": [fsum(column) for column in columns(deltas)]} if bias else {})


def play(variant: str, weights: list[Matrix], inputs: Matrix, targets: Matrix) -> dict:
    hidden = [Hidden(variant, layer) for layer in weights[:-1]]
    h = inputs
    for layer in hidden:
        h = layer.up(h)
    outputs = product(h, weights[-1])
    loss = fsum((y - p) ** 2 for (y,), (p,) in zip(targets, outputs, strict=True)) / 2 / EXAMPLES
    deltas = each(lambda p, y: (p - y) / EXAMPLES, outputs, targets)
    gradients = {f"layer{DEPTH}": gradient_of(h, deltas, bias=True)}
    errors = product(deltas, columns(weights[-1]))
    for number in range(DEPTH - 1, 0, -1):
        errors = hidden[number - 1].down(errors)
        gradients[f"layer{number}"] = hidden[number - 1].gradient
    shown = {f"layer{number}": as_doubles(gradients[f"layer{number}"]) for number in SHOWN}
    norms = [norm(gradients[f"layer{number}"]) for number in range(1, DEPTH + 1)]
    return {"name": variant, "loss": float(loss), "gradients": shown, "gradient_norms": norms}


def as_doubles(gradient: dict) -> dict:
    return {
        name: [[float(g) for g in row] if isinstance(row, list) else float(row) for row in values]
        for name, values in gradient.items()
    }


def norm(gradient: dict) -> float:
    values = [g for row in gradient["weights"] for g in row] + gradient.get("bias", [])
    return float(mp.sqrt(fsum(g * g for g in values)))


def precisely(values: list) -> list:
    return [precisely(value) if isinstance(value, list) else mpf(value) for value in values]


if __name__ == "__main__":
    mp.dps = DIGITS
    weights, (inputs, targets) = first_weights(), data()
    numbers = [precisely(values) for values in (weights, inputs, targets)]
    write(
        "telephone.json",
        {
            "made_by": made_by(__file__, "mpmath", "numpy"),
            "digits": DIGITS,
            "game": {"depth": DEPTH, "width": WIDTH, "seed": SEED},
            "weights_sha256": sha256(weights),
            "inputs": inputs,
            "targets": targets,
            "variants": [play(variant, *numbers) for variant in VARIANTS],
        },
    )
