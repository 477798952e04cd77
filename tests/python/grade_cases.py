"""Networks with a batch, as the service's session and as the plain trainer's network, some steps on."""

import random
from dataclasses import dataclass

from conftest import Client
from grade_claims import FAR, Claimed, Told, as_written
from plain_mistakes import Wrong, ways
from plain_trace import is_split, names
from plain_training import Layer, Network, step

SGD = {"kind": "sgd", "learning_rate": 0.3}
MOMENTUM = {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.8}
ADAM = {"kind": "adam", "learning_rate": 0.05}
CLIPPED = {**SGD, "clip_norm": 0.2}
NESTEROV = {**MOMENTUM, "nesterov": True}
# Sizes from the inputs, activations, loss, optimizer, examples, biases, steps before.
CASES = [
    ((2, 2, 1), ("sigmoid", "sigmoid"), "half_squared_error", SGD, 1, False, 0),
    ((3, 4, 2), ("sigmoid", "sigmoid"), "half_squared_error", SGD, 1, True, 0),
    ((3, 4, 2), ("tanh", "linear"), "half_squared_error", SGD, 5, True, 1),
    ((3, 4, 2), ("relu", "softmax"), "cross_entropy", SGD, 1, True, 0),
    ((3, 4, 2), ("sigmoid", "sigmoid"), "binary_cross_entropy", ADAM, 5, True, 0),
    ((3, 4, 2), ("tanh", "sigmoid"), "mean_squared_error", MOMENTUM, 1, True, 2),
    ((5, 4, 3, 2), ("relu", "tanh", "linear"), "mean_squared_error", SGD, 5, True, 0),
    ((5, 4, 3, 2), ("sigmoid", "tanh", "softmax"), "cross_entropy", SGD, 5, True, 1),
    ((5, 4, 3, 2), ("tanh", "tanh", "sigmoid"), "half_squared_error", MOMENTUM, 5, True, 1),
    ((5, 4, 3, 2), ("sigmoid", "relu", "sigmoid"), "binary_cross_entropy", SGD, 1, False, 0),
    ((5, 4, 3, 2), ("tanh", "sigmoid", "linear"), "half_squared_error", ADAM, 1, True, 2),
    ((3, 3, 3), ("sigmoid", "tanh"), "half_squared_error", SGD, 5, True, 0),
    ((2, 2, 2), ("sigmoid", "sigmoid"), "half_squared_error", SGD, 1, True, 0),
    ((3, 3, 3, 3), ("tanh", "sigmoid", "softmax"), "cross_entropy", SGD, 1, True, 0),
    ((4, 3), ("softmax",), "cross_entropy", {**ADAM, "weight_decay": 0.1}, 5, True, 1),
    ((3, 4, 2), ("tanh", "linear"), "half_squared_error", {**MOMENTUM, "weight_decay": 0.2}, 5, True, 1),
    (
        (3, 4, 2),
        ("sigmoid", "linear"),
        "mean_squared_error",
        {**ADAM, "kind": "adamw", "weight_decay": 0.3},
        1,
        True,
        1,
    ),
    ((3, 4, 2), ("sigmoid", "tanh"), "half_squared_error", CLIPPED, 5, True, 1),
    ((3, 4, 2), ("elu", "linear"), "half_squared_error", NESTEROV, 5, True, 2),
    ((3, 4, 3, 2), ("gelu", "silu", "linear"), "mean_squared_error", SGD, 5, True, 0),
    ((3, 4, 3, 2), ("leaky_relu", "softplus", "sigmoid"), "binary_cross_entropy", SGD, 1, True, 0),
    ((3, 4, 2), ("sigmoid", "linear"), "half_squared_error", {**MOMENTUM, "clip_norm": 0.5, "weight_decay": 0.2}, 5, True, 1),
]
# The same with every activation a layer of its own, or with ways around the hidden layers.
SPLIT, IDENTITY, PROJECTION = "split", "identity", "projection"
FORMS = [
    (SPLIT, ((3, 4, 2), ("sigmoid", "sigmoid"), "half_squared_error", SGD, 5, True, 0)),
    (SPLIT, ((3, 4, 3, 2), ("tanh", "gelu", "softmax"), "cross_entropy", SGD, 5, True, 1)),
    (SPLIT, ((3, 3, 3), ("elu", "linear"), "mean_squared_error", ADAM, 5, True, 0)),
    (SPLIT, ((3, 4, 2), ("silu", "sigmoid"), "binary_cross_entropy", {**MOMENTUM, "weight_decay": 0.2}, 1, True, 1)),
    (IDENTITY, ((3, 3, 3, 2), ("tanh", "sigmoid", "sigmoid"), "half_squared_error", SGD, 5, True, 0)),
    (PROJECTION, ((3, 4, 3, 2), ("sigmoid", "tanh", "linear"), "half_squared_error", NESTEROV, 5, True, 1)),
    (PROJECTION, ((3, 3, 2), ("tanh", "softmax"), "cross_entropy", CLIPPED, 5, True, 0)),
]
KINDS = [(None, case) for case in CASES] + FORMS


@dataclass(frozen=True)
class GradeCase:
    network: Network
    inputs: list
    targets: list
    steps: int

    @property
    def batch(self) -> dict:
        return {"inputs": self.inputs, "targets": self.targets}

    @property
    def create(self) -> dict:
        layers = [one for layer in self.network.layers for one in created(self.network, layer)]
        network = {"inputs": len(self.network.layers[0].weights), "layers": layers}
        return {"network": network, "loss": self.network.loss, "optimizer": self.network.optimizer}


def created(network: Network, layer: Layer) -> list[dict]:
    dense, activation, block = names(layer)
    found = [
        {
            "kind": "dense",
            "name": dense,
            "units": len(layer.weights[0]),
            "activation": "linear" if network.split else layer.activation,
            "weights": layer.weights,
            "bias": layer.bias or False,
        }
    ]
    if is_split(network, layer):
        found.append({"kind": "activation", "name": activation, "activation": layer.activation})
    if layer.shortcut:
        found = [{"kind": "residual", "name": block, "layers": found, "shortcut": layer.shortcut}]
        found[0] |= {"weights": layer.projection} if layer.projection else {}
    return found


def grade_case(index: int) -> GradeCase:
    """The cases take turns; weights and data are drawn."""
    draw = random.Random(f"grade {index}")
    form, (sizes, activations, loss, optimizer, examples, biases, steps) = KINDS[index % len(KINDS)]

    def weights(fan_in: int, fan_out: int) -> list:
        return [[draw.gauss(0.0, 1.5 * fan_in**-0.5) for _ in range(fan_out)] for _ in range(fan_in)]

    layers = []
    for number, (fan_in, fan_out, activation) in enumerate(zip(sizes, sizes[1:], activations, strict=False), 1):
        drawn, bias = weights(fan_in, fan_out), [draw.gauss(0.0, 0.5) for _ in range(fan_out)] if biases else None
        shortcut = form if form in (IDENTITY, PROJECTION) and number < len(activations) else None
        projection = weights(fan_in, fan_out) if shortcut == PROJECTION else None
        layers.append(Layer(f"layer{number}", activation, drawn, bias, shortcut, projection))
    inputs = [[draw.gauss(0.0, 1.0) for _ in range(sizes[0])] for _ in range(examples)]
    targets = [row_of_targets(draw, loss, sizes[-1]) for _ in range(examples)]
    return GradeCase(Network(layers, loss, optimizer, split=form == SPLIT), inputs, targets, steps)


def row_of_targets(draw: random.Random, loss: str, units: int) -> list[float]:
    if loss == "cross_entropy":
        wanted = draw.randrange(units)
        return [float(k == wanted) for k in range(units)]
    return [draw.random() for _ in range(units)] if loss == "binary_cross_entropy" else [draw.gauss(0.0, 1.0)] * units


class Scene:
    """A session some steps on, and what the plain trainer tells of its next step, right or with any mistake."""

    def __init__(self, server: Client, case: GradeCase):
        self.server, self.case, self.network = server, case, case.network
        self.session = server.post("/v1/sessions", case.create, 201)["name"]
        for _ in range(case.steps):
            server.post(f"/v1/sessions/{self.session}/step", case.batch)
            _, self.network = step(self.network, case.inputs, case.targets)
        self._told: dict[Wrong, Told | None] = {}

    def told_trace(self, wrong: Wrong) -> dict:
        return as_written(step(self.network, self.case.inputs, self.case.targets, wrong)[0], wrong)

    def told(self, wrong: Wrong) -> Told:
        if wrong not in self._told:
            self._told[wrong] = Told(self.told_trace(wrong))
        return self._told[wrong]

    def grade(self, claim: dict) -> dict:
        return self.server.post(f"/v1/sessions/{self.session}/grade", {**self.case.batch, "claim": claim}, 200)

    def nearest(self, claim: list[Claimed], code: str) -> int:
        """How near the claim is to the numbers that one gets with a mistake, made in the way that suits it best."""
        return min((self.told(way).worst(claim) for way in ways(code, self.network.loss)), default=FAR)
