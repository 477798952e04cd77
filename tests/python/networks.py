"""Random networks with a fitting batch, the same at every run: what the tests put to the server."""

import random
from dataclasses import dataclass

ANY_TARGET = ["half_squared_error", "mean_squared_error"]
PROBABILITIES = [*ANY_TARGET, "binary_cross_entropy"]
# Which losses may judge a network whose last layer has the activation.
FITTING = {
    "linear": ANY_TARGET,
    "sigmoid": PROBABILITIES,
    "tanh": ANY_TARGET,
    "relu": ANY_TARGET,
    "leaky_relu": ANY_TARGET,
    "softplus": ANY_TARGET,
    "softmax": [*PROBABILITIES, "cross_entropy"],
}
ENDINGS = [(activation, loss) for activation, losses in FITTING.items() for loss in losses]

DEPTH_MAX, WIDTH_MAX, EXAMPLES_MAX = 5, 40, 9

# Small ones: a network whose numbers grow past the doubles is refused, and answers nothing to recheck.
INITS = [
    "zeros",
    {"kind": "constant", "value": 0.05},
    {"kind": "uniform", "low": -0.4, "high": 0.5},
    {"kind": "normal", "mean": 0.01, "std": 0.2},
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
]


@dataclass(frozen=True)
class Case:
    create: dict
    inputs: list[list[float]]
    targets: list[list[float]]

    @property
    def batch(self) -> dict:
        return {"inputs": self.inputs, "targets": self.targets}

    @property
    def layers(self) -> list[dict]:
        return self.create["network"]["layers"]


def random_case(index: int) -> Case:
    """The endings take turns, and so do depths and batch sizes; all else is drawn."""
    draw = random.Random(f"network {index}")
    activation, loss = ENDINGS[index % len(ENDINGS)]
    depth, examples = index % DEPTH_MAX + 1, index % EXAMPLES_MAX + 1
    # Mostly narrow ones, and now and then the two extremes.
    sizes = [
        draw.choice([1, WIDTH_MAX, *draw.choices(range(2, 9), k=3), draw.randint(9, WIDTH_MAX)])
        for _ in range(depth + 1)
    ]
    hidden = [draw.choice(list(FITTING)) for _ in range(depth - 1)]
    return make_case(draw, sizes, [*hidden, activation], loss, examples)


def make_case(draw: random.Random, sizes: list[int], activations: list[str], loss: str, examples: int) -> Case:
    """A network of these sizes (the inputs first), with a batch."""
    layers = [
        dense(draw, fan_in, fan_out, activation)
        for fan_in, fan_out, activation in zip(sizes, sizes[1:], activations, strict=False)
    ]
    create = {
        "network": {"inputs": sizes[0], "layers": layers},
        "loss": loss,
        "optimizer": {"kind": "sgd", "learning_rate": draw.uniform(0.001, 0.2)},
        "seed": draw.randrange(2**53),
    }
    inputs = [[draw.gauss(0.0, 1.0) for _ in range(sizes[0])] for _ in range(examples)]
    return Case(create, inputs, [targets_of(draw, loss, sizes[-1]) for _ in range(examples)])


def dense(draw: random.Random, fan_in: int, fan_out: int, activation: str) -> dict:
    layer = {"kind": "dense", "units": fan_out, "activation": activation}
    bias = draw.choice([None, True, False, "values"])
    if bias == "values":
        layer["bias"] = [draw.gauss(0.0, 0.5) for _ in range(fan_out)]
    elif bias is not None:
        layer["bias"] = bias
    start = draw.choice(["weights", "weights", "init", "init", "default"])
    if start == "weights":
        layer["weights"] = [[draw.gauss(0.0, fan_in**-0.5) for _ in range(fan_out)] for _ in range(fan_in)]
    elif start == "init":
        layer["init"] = draw.choice(INITS)
    return layer


def targets_of(draw: random.Random, loss: str, units: int) -> list[float]:
    if loss == "cross_entropy":
        wanted = draw.randrange(units)
        one_hot = [float(k == wanted) for k in range(units)]
        # Now and then probabilities in place of one-hot: half for the wanted class, the rest for its neighbour.
        return draw.choice([one_hot, one_hot, [(a + b) / 2 for a, b in zip(one_hot, [one_hot[-1], *one_hot[:-1]])]])
    if loss == "binary_cross_entropy":
        return [draw.choice([0.0, 1.0, draw.random()]) for _ in range(units)]
    return [draw.gauss(0.0, 1.0) for _ in range(units)]
