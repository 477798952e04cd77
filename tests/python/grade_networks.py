"""Random networks for grading, with a batch: every kind of layer, blocks in blocks, every optimizer, both modes."""

import random
from dataclasses import dataclass, field, replace

from networks import ANY_TARGET, FITTING
from plain_parts import Layer, every
from plain_training import Batch, Network

CURVED = ["sigmoid", "tanh", "gelu", "silu", "softplus"]
BENT = ["relu", "leaky_relu", "elu"]
# Take turns, so that a few cases have everything.
FORMS = ["dense", "apart", "batch_norm", "layer_norm", "dropout", "residual", "nested", "mixed"]
# The output layer's activation, or how else the network ends, and the loss: any that fits where none is named.
ENDINGS = [
    ("linear", None),
    ("softmax", "cross_entropy"),
    ("sigmoid", "binary_cross_entropy"),
    ("apart", None),
    ("softmax", None),
    ("inside a block", None),
    ("normalized", None),
    ("dropped", None),
    ("sigmoid", None),
    ("apart", "cross_entropy"),
    ("tanh", None),
]
OPTIMIZERS = ["sgd", "adam", "momentum", "rmsprop", "nesterov", "adagrad", "adamw"]
BRANCHES = ["dense", "apart", "batch_norm", "layer_norm", "dropout"]
NESTING_MAX = 2


@dataclass(frozen=True)
class GradeCase:
    network: Network
    batch: Batch
    # Training before, with the same batch
    steps: int
    seed: int

    @property
    def body(self) -> dict:
        mode = "train" if self.batch.training else "eval"
        return {"inputs": self.batch.inputs, "targets": self.batch.targets, "mode": mode}

    @property
    def create(self) -> dict:
        layers = [created(layer) for layer in self.network.layers]
        network = {"inputs": len(self.batch.inputs[0]), "layers": layers}
        kinds = {"loss": self.network.loss, "optimizer": self.network.optimizer}
        return {"network": network, **kinds, "seed": self.seed}

    @property
    def layers(self) -> list[Layer]:
        return [one for layer in self.network.layers for one in every(layer)]


def created(layer: Layer) -> dict:
    body = {"kind": layer.kind, "name": layer.name, **layer.settings, **layer.parameters}
    if layer.kind == "dense":
        body |= {"units": len(layer.parameters["weights"][0]), "bias": layer.parameters.get("bias", False)}
    return body | ({"layers": [created(inner) for inner in layer.layers]} if layer.layers else {})


def grade_case(seed: str, index: int) -> GradeCase:
    draw = random.Random(f"grade {seed} {index}")
    stack, form, ending = Stack(draw, index), FORMS[index % len(FORMS)], ENDINGS[index % len(ENDINGS)]
    inputs = stack.units = draw.randint(2, 4)
    stack.hidden(form)
    loss = stack.ending(*ending)
    over_examples = any(one.kind == "batch_norm" for layer in stack.layers for one in every(layer))
    examples = draw.randint(4, 6) if over_examples else draw.choice([1, 1, draw.randint(2, 6)])
    rows = [[draw.gauss(0.0, 1.0) for _ in range(inputs)] for _ in range(examples)]
    targets = [row_of_targets(draw, loss, stack.units) for _ in range(examples)]
    network = Network(tuple(stack.layers), loss, optimizer_of(draw, OPTIMIZERS[index % len(OPTIMIZERS)], over_examples))
    batch = Batch(rows, targets, training=index % 5 != 3)
    return GradeCase(network, batch, draw.randint(0, 2), draw.randrange(2**53))


@dataclass
class Stack:
    """Layers one upon another, as they are drawn."""

    draw: random.Random
    # Says what stands in blocks, and below norms
    turn: int
    layers: list[Layer] = field(default_factory=list)
    units: int = 0
    prefix: str = "layer"
    nesting: int = 0

    def hidden(self, form: str) -> None:
        for _ in range(self.draw.randint(1, 3 if form == "dense" else 2)):
            self.group(self.draw.choice([form, "dense", "apart"]) if self.layers else form)

    def group(self, form: str) -> None:
        if form == "mixed":
            form = self.draw.choice(["apart", "batch_norm", "layer_norm", "dropout", "residual", "nested"])
        if form == "nested" and self.nesting == NESTING_MAX:
            form = "apart"
        if form == "apart":
            self.dense("linear")
            self.between()
            self.activation(self.draw.choice(CURVED + BENT))
        elif form in ("batch_norm", "layer_norm"):
            self.normalized(form)
        elif form == "dropout":
            self.dense(self.activation_name())
            self.dropout()
        elif form in ("residual", "nested"):
            self.residual(form)
        else:
            self.dense(self.activation_name())

    def activation_name(self) -> str:
        return self.draw.choice([*CURVED, *BENT, *BENT, "linear", "softmax"])

    def between(self) -> None:
        """What may stand between weights and their activation."""
        what = self.draw.choice(["nothing", "nothing", "layer_norm", "dropout"])
        if what == "layer_norm" and self.units > 2:
            self.normalization(what)
        elif what == "dropout":
            self.dropout()

    def normalized(self, kind: str) -> None:
        """An activation of its own stands above a norm, or below it, or there is none."""
        units = self.draw.randint(3, 5)
        is_linear = (self.turn // len(FORMS) + len(self.layers)) % 2 == 0
        self.dense("linear" if is_linear else self.draw.choice(CURVED + BENT), units)
        self.normalization(kind)
        if self.draw.random() < 0.6:
            self.activation(self.draw.choice(CURVED + BENT))

    def residual(self, form: str) -> None:
        branch = Stack(self.draw, self.turn, [], self.units, f"{self.next_name()}.", self.nesting + 1)
        if form == "nested":
            if self.draw.random() < 0.5:
                branch.dense(self.draw.choice(CURVED))
            branch.group("residual" if branch.nesting == NESTING_MAX else "nested")
        else:
            branch.group(BRANCHES[self.turn % len(BRANCHES)])
        # Its activation is its own, whatever stands above the block.
        width = self.units if self.draw.random() < 0.6 else self.draw.randint(2, 4)
        branch.dense(self.draw.choice(CURVED + BENT), width)
        self.block(branch)
        if self.draw.random() < 0.3:
            self.activation(self.draw.choice(CURVED + BENT))

    def block(self, branch: "Stack") -> None:
        projected = branch.units != self.units or self.draw.random() < 0.3
        parameters = {"weights": self.weights(branch.units)} if projected else {}
        settings = {"shortcut": "projection" if projected else "identity"}
        self.add("residual", settings, parameters, layers=tuple(branch.layers))
        self.units = branch.units

    def ending(self, ending: str, loss: str | None) -> str:
        """The output layer, and with what loss it is judged."""
        outputs, activation = self.draw.randint(2, 4), ending
        if ending == "apart":
            activation = "softmax" if loss else self.draw.choice(["sigmoid", "tanh", "softmax"])
            self.dense("linear", outputs)
            self.between()
            self.activation(activation)
        elif ending == "inside a block":
            branch = Stack(self.draw, self.turn, [], self.units, f"{self.next_name()}.", self.nesting + 1)
            branch.group("apart")
            branch.dense(self.draw.choice(CURVED))
            self.block(branch)
        elif ending == "normalized":
            self.dense("linear", outputs := max(outputs, 3))
            self.normalization("layer_norm")
        elif ending == "dropped":
            self.dense("tanh", outputs)
            self.dropout()
        else:
            self.dense(ending, outputs)
        return loss or self.draw.choice(FITTING.get(activation, ANY_TARGET))

    def dense(self, activation: str, units: int | None = None) -> None:
        units = units or self.draw.choice([self.units, self.draw.randint(2, 4)])
        parameters: dict = {"weights": self.weights(units)}
        if self.draw.random() < 0.85:
            parameters["bias"] = [self.draw.gauss(0.0, 0.5) for _ in range(units)]
        self.add("dense", {"activation": activation}, parameters)
        self.units = units

    def weights(self, units: int) -> list:
        spread = 1.5 * self.units**-0.5
        return [[self.draw.gauss(0.0, spread) for _ in range(units)] for _ in range(self.units)]

    def activation(self, name: str) -> None:
        self.add("activation", {"activation": name}, {})

    def normalization(self, kind: str) -> None:
        parameters = {
            "gamma": [self.draw.gauss(1.0, 0.3) for _ in range(self.units)],
            "beta": [self.draw.gauss(0.0, 0.3) for _ in range(self.units)],
        }
        settings, running = {"epsilon": self.draw.choice([1e-5, 1e-3])}, None
        if kind == "batch_norm":
            settings["momentum"] = self.draw.choice([0.1, 0.5])
            running = {"mean": [0.0] * self.units, "variance": [1.0] * self.units}
        self.add(kind, settings, parameters, running=running)

    def dropout(self) -> None:
        self.add("dropout", {"rate": self.draw.choice([0.2, 0.5])}, {})

    def add(self, kind: str, settings: dict, parameters: dict, **more: object) -> None:
        self.layers.append(replace(Layer(self.next_name(), kind, settings, parameters), **more))

    def next_name(self) -> str:
        return f"{self.prefix}{len(self.layers) + 1}"


def optimizer_of(draw: random.Random, name: str, over_examples: bool) -> dict:
    kind = "sgd" if name in ("momentum", "nesterov") else name
    settings: dict = {"kind": kind, "learning_rate": draw.uniform(0.1, 0.5)}
    if kind != "sgd":
        settings |= {"learning_rate": draw.uniform(0.02, 0.1)}
    if kind != "sgd" and (over_examples or draw.random() < 0.3):
        # What is added to all examples alike a batch normalization takes out again: its gradient is zero but for
        # roundings. An epsilon far above these keeps them from becoming a full step.
        settings |= {"epsilon": draw.choice([1e-3, 1e-4])}
    if name in ("momentum", "nesterov"):
        settings |= {"momentum": draw.uniform(0.5, 0.9)}
    if name == "nesterov":
        settings |= {"nesterov": True}
    if kind == "rmsprop" and draw.random() < 0.7:
        settings |= {"alpha": draw.uniform(0.5, 0.95)}
    if kind in ("adam", "adamw") and draw.random() < 0.7:
        settings |= {"beta1": draw.uniform(0.5, 0.9), "beta2": draw.uniform(0.9, 0.99)}
    if draw.random() < 0.35 or kind == "adamw":
        # Without a word adamw has one.
        settings |= {"weight_decay": draw.uniform(0.05, 0.3)}
    if draw.random() < 0.3:
        settings |= {"clip_norm": draw.uniform(0.1, 0.5)}
    return settings


def row_of_targets(draw: random.Random, loss: str, units: int) -> list[float]:
    if loss == "cross_entropy":
        wanted = draw.randrange(units)
        return [float(k == wanted) for k in range(units)]
    return [draw.random() if loss == "binary_cross_entropy" else draw.gauss(0.0, 1.0) for _ in range(units)]
