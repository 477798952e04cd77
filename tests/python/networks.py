"""Random networks with a fitting batch, the same at every run: what the tests put to the server."""

import random
from collections.abc import Iterator
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
    "elu": ANY_TARGET,
    "gelu": ANY_TARGET,
    "silu": ANY_TARGET,
    "softmax": [*PROBABILITIES, "cross_entropy"],
}
ENDINGS = [(activation, loss) for activation, losses in FITTING.items() for loss in losses]

LAYER_KINDS = ["dense", "activation", "batch_norm", "layer_norm", "dropout", "residual"]
# With the settings that each may be given besides those of all.
OPTIMIZERS = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "rmsprop": {"alpha": 0.9, "epsilon": 1e-6},
    "adam": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6},
    "adamw": {"beta1": 0.8, "beta2": 0.99, "epsilon": 1e-6},
    "adagrad": {"epsilon": 1e-6},
}
MODES = ["train", "eval"]

DEPTH_MAX, WIDTH_MAX, EXAMPLES_MAX, NESTING_MAX = 5, 40, 9, 3

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
    mode: str = "train"

    @property
    def question(self) -> dict:
        return {"inputs": self.inputs, "mode": self.mode}

    @property
    def batch(self) -> dict:
        return {**self.question, "targets": self.targets}

    @property
    def layers(self) -> list[dict]:
        return self.create["network"]["layers"]


def with_inner(layers: list[dict]) -> Iterator[dict]:
    """The layers, behind each the layers inside it."""
    for layer in layers:
        yield layer
        yield from with_inner(layer.get("layers", []))


def random_case(index: int) -> Case:
    """The endings take turns, and so do depths, batch sizes, modes and optimizers; all else is drawn."""
    draw = random.Random(f"network {index}")
    activation, loss = ENDINGS[index % len(ENDINGS)]
    depth, examples = index % DEPTH_MAX + 1, index % EXAMPLES_MAX + 1
    mode = MODES[index // 2 % len(MODES)]
    # The statistics of one example say nothing, so batch_norm does not train on it.
    kinds = [kind for kind in LAYER_KINDS if kind != "batch_norm" or mode == "eval" or examples > 1]
    inputs = width(draw)
    layers, units = stack(draw, inputs, depth - 1, kinds)
    layers += ending(draw, units, outputs := width(draw), activation)
    optimizer = optimizer_of(draw, list(OPTIMIZERS)[index % len(OPTIMIZERS)])
    return case_of(draw, inputs, layers, outputs, loss, optimizer, examples, mode)


def make_case(draw: random.Random, sizes: list[int], activations: list[str], loss: str, examples: int) -> Case:
    """A network of dense layers of these sizes (the inputs first), with a batch."""
    layers = [
        dense(draw, fan_in, fan_out, activation)
        for fan_in, fan_out, activation in zip(sizes, sizes[1:], activations, strict=False)
    ]
    optimizer = {"kind": "sgd", "learning_rate": draw.uniform(0.001, 0.2)}
    return case_of(draw, sizes[0], layers, sizes[-1], loss, optimizer, examples)


def deep_case(mode: str, optimizer: dict) -> Case:
    """Small, with every kind of layer and a block within a block; no number of it is without effect."""
    draw = random.Random(f"deep network {mode} {optimizer}")
    inner = [{"kind": "layer_norm"}, {"kind": "activation", "activation": "silu"}]
    branch = [
        {"kind": "dense", "units": 4, "activation": "elu"},
        {"kind": "residual", "layers": inner},
        {"kind": "dropout", "rate": 0.25},
        {"kind": "batch_norm"},
    ]
    layers = [
        {"kind": "dense", "units": 3, "activation": "linear"},
        {"kind": "batch_norm"},
        {"kind": "activation", "activation": "gelu"},
        {"kind": "residual", "shortcut": "projection", "layers": branch},
        {"kind": "layer_norm"},
        {"kind": "dense", "units": 2, "activation": "linear"},
        {"kind": "activation", "activation": "softmax"},
    ]
    return case_of(draw, 2, layers, 2, "half_squared_error", optimizer, examples=3, mode=mode)


def case_of(
    draw: random.Random,
    inputs: int,
    layers: list[dict],
    outputs: int,
    loss: str,
    optimizer: dict,
    examples: int,
    mode: str = "train",
) -> Case:
    create = {
        "network": {"inputs": inputs, "layers": layers},
        "loss": loss,
        "optimizer": optimizer,
        "seed": draw.randrange(2**53),
    }
    rows = [[draw.gauss(0.0, 1.0) for _ in range(inputs)] for _ in range(examples)]
    return Case(create, rows, [targets_of(draw, loss, outputs) for _ in range(examples)], mode)


def width(draw: random.Random) -> int:
    """Mostly narrow, and now and then one of the two extremes."""
    return draw.choice([1, WIDTH_MAX, *draw.choices(range(2, 9), k=3), draw.randint(9, WIDTH_MAX)])


def stack(draw: random.Random, units: int, count: int, kinds: list[str], nesting: int = 0) -> tuple[list[dict], int]:
    """So many layers upon so many units, and the units of the last one."""
    # Blocks come more often than others, or there would hardly be one within a block within a block.
    among = [kind for kind in kinds if kind != "residual"] if nesting == NESTING_MAX else [*kinds, "residual"]
    layers = []
    for _ in range(count):
        kind = draw.choice(among)
        if kind == "residual":
            layer, units = residual(draw, units, kinds, nesting)
        elif kind == "dense":
            fan_in, units = units, draw.choice([units, width(draw)])
            layer = dense(draw, fan_in, units, draw.choice(list(FITTING)))
        elif kind == "activation":
            layer = {"kind": kind, "activation": draw.choice(list(FITTING))}
        elif kind == "dropout":
            layer = {"kind": kind, **some(draw, rate=draw.choice([0.0, draw.random()]))}
        else:
            layer = normalization(draw, kind, units)
        layers.append(layer)
    return layers, units


def dense(draw: random.Random, fan_in: int, fan_out: int, activation: str) -> dict:
    layer = {"kind": "dense", "units": fan_out, "activation": activation}
    bias = draw.choice([None, True, False, "values"])
    if bias == "values":
        layer["bias"] = [draw.gauss(0.0, 0.5) for _ in range(fan_out)]
    elif bias is not None:
        layer["bias"] = bias
    return layer | start(draw, fan_in, fan_out)


def start(draw: random.Random, fan_in: int, fan_out: int) -> dict:
    """The first weights: given, drawn as asked for, or as it is without a word."""
    kind = draw.choice(["weights", "weights", "init", "init", "default"])
    if kind == "weights":
        return {"weights": [[draw.gauss(0.0, fan_in**-0.5) for _ in range(fan_out)] for _ in range(fan_in)]}
    return {"init": draw.choice(INITS)} if kind == "init" else {}


def normalization(draw: random.Random, kind: str, units: int) -> dict:
    gamma = [draw.gauss(1.0, 0.3) for _ in range(units)]
    beta = [draw.gauss(0.0, 0.3) for _ in range(units)]
    settings = {"epsilon": draw.choice([1e-5, 1e-3]), "gamma": gamma, "beta": beta}
    if kind == "batch_norm":
        settings["momentum"] = draw.choice([0.0, 0.3, 1.0])
    return {"kind": kind, **some(draw, **settings)}


def residual(draw: random.Random, units: int, kinds: list[str], nesting: int) -> tuple[dict, int]:
    layers, outputs = stack(draw, units, draw.randint(1, 3), kinds, nesting + 1)
    layer = {"kind": "residual", "layers": layers}
    # An identity meets only a branch of as many units.
    if outputs != units or draw.random() < 0.3:
        return layer | {"shortcut": "projection"} | start(draw, units, outputs), outputs
    return layer | some(draw, shortcut="identity"), outputs


def ending(draw: random.Random, fan_in: int, fan_out: int, activation: str) -> list[dict]:
    """The output layer, whose activation is now and then a layer of its own."""
    if draw.random() < 0.7:
        return [dense(draw, fan_in, fan_out, activation)]
    return [dense(draw, fan_in, fan_out, "linear"), {"kind": "activation", "activation": activation}]


def optimizer_of(draw: random.Random, kind: str) -> dict:
    """The rates are small: where each gradient is divided by its own size, every weight moves by about the rate."""
    own = some(draw, **OPTIMIZERS[kind])
    # Nesterov's form is one of momentum.
    if own.get("nesterov"):
        own |= OPTIMIZERS[kind]
    common = some(draw, learning_rate=draw.uniform(0.0005, 0.005), weight_decay=0.02, clip_norm=draw.uniform(0.1, 3.0))
    return {"kind": kind, **own, **common}


def some(draw: random.Random, **fields: object) -> dict:
    """Each of the fields or not."""
    return {name: value for name, value in fields.items() if draw.random() < 0.5}


def targets_of(draw: random.Random, loss: str, units: int) -> list[float]:
    if loss == "cross_entropy":
        wanted = draw.randrange(units)
        one_hot = [float(k == wanted) for k in range(units)]
        # Now and then probabilities in place of one-hot: half for the wanted class, the rest for its neighbour.
        return draw.choice([one_hot, one_hot, [(a + b) / 2 for a, b in zip(one_hot, [one_hot[-1], *one_hot[:-1]])]])
    if loss == "binary_cross_entropy":
        return [draw.choice([0.0, 1.0, draw.random()]) for _ in range(units)]
    return [draw.gauss(0.0, 1.0) for _ in range(units)]
