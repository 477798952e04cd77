"""The networks of pytorch.json.gz: every activation, every loss, and the corners where definitions differ. Three steps
each, with the same batch.

The numbers are drawn from Python's own generator and rounded to three places, so that the file stays short
and a failing case can be typed in by hand.
"""

import random
from dataclasses import dataclass

STEPS = 3
# Other sums and other exponentials than ours were seen to differ by a tenth of this.
RELATIVE_TOLERANCE = 1e-12
# The same through normalizations, which cancel much of a number, and blocks.
DEEP_TOLERANCE = 1e-11
# PyTorch keeps the 1e-12 that holds off a saturated output's slope in single precision: 9.99999996e-13.
GUARDED_TOLERANCE = 1e-8

ANY_TARGET = ["half_squared_error", "mean_squared_error"]
PROBABILITIES = [*ANY_TARGET, "binary_cross_entropy"]
# What a layer's activation as the last one may be judged by.
FITTING = {
    "linear": ANY_TARGET,
    "sigmoid": PROBABILITIES,
    "tanh": ANY_TARGET,
    "relu": ANY_TARGET,
    "leaky_relu": ANY_TARGET,
    "elu": ANY_TARGET,
    "gelu": ANY_TARGET,
    "silu": ANY_TARGET,
    "softplus": ANY_TARGET,
    "softmax": [*PROBABILITIES, "cross_entropy"],
}


@dataclass(frozen=True)
class Case:
    name: str
    create: dict
    # Which of forward, backward and step, with which request, one after the other.
    calls: list[tuple[str, dict]]
    relative_tolerance: float = RELATIVE_TOLERANCE
    # For what is zero in truth, and is made of roundings alone on both sides.
    absolute_tolerance: float = 0.0
    # Which parts of the traces are kept.
    parts: tuple[str, ...] = ("forward", "loss", "backward", "update")


def steps(request: dict) -> list[tuple[str, dict]]:
    return [("step", request)] * STEPS


def cases() -> list[Case]:
    made = [worked_example(), mazur()]
    examples = 0
    for activation, losses in FITTING.items():
        for loss in losses:
            # Batches of 1 to 9, one after the other.
            examples = examples % 9 + 1
            made.append(drawn(f"{activation}-{loss}", [3, 4, 2], [activation] * 2, loss, examples))
    for depth, activation in enumerate(["linear", "tanh", "relu", "softplus", "leaky_relu", "sigmoid"], start=1):
        sizes = [3, 5, 4, 3, 4, 5, 2][: depth + 1]
        made.append(drawn(f"depth-{depth}", sizes, [activation] * depth, "half_squared_error", 4))
    made += [
        drawn("no-bias", [4, 6, 3], ["tanh", "linear"], "mean_squared_error", 5, bias=False),
        drawn("no-bias-softmax", [4, 6, 3], ["relu", "softmax"], "cross_entropy", 6, bias=False),
        drawn("hidden-softmax", [3, 5, 2], ["softmax", "sigmoid"], "binary_cross_entropy", 3),
        drawn("one-unit", [1, 1, 1], ["tanh", "sigmoid"], "binary_cross_entropy", 2),
        drawn("soft-targets", [4, 5, 4], ["tanh", "softmax"], "cross_entropy", 7, one_hot=False),
        drawn("wide", [40, 30, 20, 10], ["relu", "tanh", "softmax"], "cross_entropy", 7),
        drawn("wide-sigmoid", [40, 30, 20, 10], ["sigmoid"] * 3, "binary_cross_entropy", 7),
        relu_at_zero("relu"),
        relu_at_zero("leaky_relu"),
        relu_at_zero("elu"),
        tails("elu"),
        tails("gelu"),
        tails("silu"),
        softplus_threshold(),
        saturated(
            "sigmoid", "binary_cross_entropy", [[40.0], [-40.0]], [[1.0], [0.0], [0.0], [1.0]], GUARDED_TOLERANCE
        ),
        saturated(
            "softmax", "cross_entropy", [[30.0, -30.0], [-3.0, 2.0]], [[1.0, 0.0], [0.0, 1.0]] * 2, RELATIVE_TOLERANCE
        ),
    ]
    return made


def worked_example() -> Case:
    """The tutorial's example."""
    hidden = dense([[0.4, 0.3], [0.2, 0.5]], False, "sigmoid", name="hidden")
    output = dense([[0.6], [0.4]], False, "sigmoid", name="output")
    create = session([hidden, output], "half_squared_error", 0.5)
    return Case("worked-example", create, steps({"inputs": [[0.5, 0.3]], "targets": [[1.0]]}))


def mazur() -> Case:
    """Matt Mazur's "A Step by Step Backpropagation Example", the one most readers have worked through."""
    hidden = dense([[0.15, 0.25], [0.20, 0.30]], [0.35, 0.35], "sigmoid", name="hidden")
    output = dense([[0.40, 0.50], [0.45, 0.55]], [0.60, 0.60], "sigmoid", name="output")
    create = session([hidden, output], "half_squared_error", 0.5)
    return Case("mazur", create, steps({"inputs": [[0.05, 0.10]], "targets": [[0.01, 0.99]]}))


def relu_at_zero(activation: str) -> Case:
    """Pre-activations of exactly zero: the slope there is the one of the negative side."""
    layers = [dense([[0.5, -0.5], [0.5, 0.5]], [0.0, 0.0], activation), dense([[0.3], [-0.8]], [0.1], "linear")]
    request = {"inputs": [[0.0, 0.0], [1.0, -1.0], [1.0, 1.0]], "targets": [[1.0], [0.5], [-0.5]]}
    return Case(f"{activation}-at-zero", session(layers, "half_squared_error", 0.1), steps(request))


def tails(activation: str) -> Case:
    """Pre-activations far out on both sides, and near zero."""
    layers = [dense([[1.0, -0.5]], [0.0, 0.0], activation), dense([[0.02], [-0.01]], [0.0], "linear")]
    request = {"inputs": [[-700.0], [-40.0], [-6.0], [-1e-9], [0.0], [3.0], [40.0]], "targets": [[1.0]] * 7}
    return Case(f"{activation}-tails", session(layers, "mean_squared_error", 1e-6), steps(request))


def softplus_threshold() -> Case:
    """Pre-activations on both sides of 20, where softplus becomes the identity, and 20 itself."""
    layers = [dense([[1.0, 10.0]], [0.0, 0.0], "softplus"), dense([[0.02], [-0.01]], [0.0], "linear")]
    request = {"inputs": [[19.5], [20.0], [20.5], [-35.0], [1.5]], "targets": [[1.0]] * 5}
    return Case("softplus-threshold", session(layers, "mean_squared_error", 1e-4), steps(request))


def saturated(activation: str, loss: str, weights: list, targets: list, tolerance: float) -> Case:
    """Outputs at or next to 0 and 1, where logarithms are clamped and slopes vanish."""
    layers = [dense(weights, [0.0] * len(weights[0]), activation)]
    request = {"inputs": [[1.0, 0.0], [0.0, 1.0], [1.0, -0.5], [0.02, 0.01]], "targets": targets}
    return Case(f"saturated-{loss}", session(layers, loss, 0.1), steps(request), tolerance)


def drawn(
    name: str,
    sizes: list[int],
    activations: list[str],
    loss: str,
    examples: int,
    bias: bool = True,
    one_hot: bool = True,
) -> Case:
    """A network with random weights, and a batch whose targets fit its last activation and its loss."""
    draw = random.Random(name)

    def row(length: int, low: float = -1.0, high: float = 1.0) -> list[float]:
        return [round(draw.uniform(low, high), 3) for _ in range(length)]

    layers = []
    for fan_in, fan_out, activation in zip(sizes, sizes[1:], activations):
        # Weights of this size keep sums near 1 whatever the width, so that nothing saturates.
        size = 2.0 / fan_in**0.5
        weights = [row(fan_out, -size, size) for _ in range(fan_in)]
        layers.append(dense(weights, row(fan_out, -0.5, 0.5) if bias else False, activation))

    units = sizes[-1]
    if loss == "cross_entropy" and one_hot:
        targets = [[float(k == wanted) for k in range(units)] for wanted in draw.choices(range(units), k=examples)]
    elif loss == "cross_entropy":
        targets = [thousandths(draw, units) for _ in range(examples)]
    elif loss == "binary_cross_entropy":
        targets = [[draw.choice([0.0, 1.0, round(draw.random(), 3)]) for _ in range(units)] for _ in range(examples)]
    else:
        targets = [row(units) for _ in range(examples)]
    inputs = [row(sizes[0]) for _ in range(examples)]
    rate = round(draw.uniform(0.05, 0.5), 3)
    return Case(name, session(layers, loss, rate), steps({"inputs": inputs, "targets": targets}))


def thousandths(draw: random.Random, units: int) -> list[float]:
    """Probabilities that add up to 1, in thousandths."""
    cuts = sorted(draw.choices(range(1001), k=units - 1))
    return [(high - low) / 1000 for low, high in zip([0, *cuts], [*cuts, 1000], strict=True)]


def dense(weights: list, bias: list | bool, activation: str, name: str | None = None) -> dict:
    layer = {"kind": "dense", "units": len(weights[0]), "activation": activation, "bias": bias, "weights": weights}
    return layer if name is None else {"name": name, **layer}


def session(layers: list[dict], loss: str, learning_rate: float) -> dict:
    network = {"inputs": len(layers[0]["weights"]), "layers": layers}
    return {"network": network, "loss": loss, "optimizer": {"kind": "sgd", "learning_rate": learning_rate}}
