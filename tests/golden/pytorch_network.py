"""A session's network and optimizer as PyTorch has them, built from the body that creates the session.

Every layer is PyTorch's own module in float64; what a trace says of it is read off its tensors and their gradients.
Only dropout is not PyTorch's: its mask cannot be known before, so it is drawn here by NumPy, from the stream that the
service documents, and multiplied in; autograd goes through it like through the rest.
"""

import numpy
import torch
from torch.nn import functional

from pytorch_excerpt import excerpt

ACTIVATIONS = {
    # A copy, so that outputs and pre-activations are two tensors with a gradient each.
    "linear": torch.clone,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softmax": lambda a: functional.softmax(a, dim=1),
}


def tensor(values: list) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


class Layer(torch.nn.Module):
    """One layer. Its forward leaves in `seen` the tensors that a trace names, and in `ways` those whose gradients are
    the trace's errors and deltas."""

    def __init__(self, name: str, spec: dict):
        super().__init__()
        self.name, self.spec = name, spec
        self.seen: dict[str, torch.Tensor | str] = {}
        self.ways: dict[str, torch.Tensor] = {}
        self.inner: list[Layer] = []

    def named(self) -> dict[str, tuple[torch.nn.Parameter, bool]]:
        """The layer's own parameters by our names, and whether PyTorch keeps them turned, as [out][in]."""
        return {}

    def up(self) -> dict:
        """What the forward part of a trace says."""
        seen = {name: excerpt(t) if isinstance(t, torch.Tensor) else t for name, t in self.seen.items()}
        layers = {"layers": [layer.up() for layer in self.inner]} if self.inner else {}
        return {"name": self.name, **layers, **seen}

    def down(self, examples: int) -> dict:
        """What the backward part says: errors and deltas are of each example's own loss and point downhill, and PyTorch
        differentiates the batch's mean."""
        layers = {"layers": [layer.down(examples) for layer in reversed(self.inner)]} if self.inner else {}
        ways = {name: excerpt(-examples * way.grad) for name, way in self.ways.items()}
        gradients = {name: excerpt(turn(p.grad, turned)) for name, (p, turned) in self.named().items()}
        return {"name": self.name, **ways, **layers, **({"gradients": gradients} if gradients else {})}

    def every(self) -> list["Layer"]:
        return [self, *(deeper for layer in self.inner for deeper in layer.every())]


def turn(values: torch.Tensor, turned: bool) -> torch.Tensor:
    return values.T if turned else values


def linear_module(weights: list, bias: list | bool) -> torch.nn.Linear:
    weights = tensor(weights)
    module = torch.nn.Linear(*weights.shape, bias=bias is not False, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(weights.T)
        if bias is not False:
            module.bias.copy_(tensor(bias))
    return module


class Dense(Layer):
    def __init__(self, name: str, spec: dict):
        super().__init__(name, spec)
        self.linear = linear_module(spec["weights"], spec["bias"])

    def named(self) -> dict:
        bias = {} if self.linear.bias is None else {"bias": (self.linear.bias, False)}
        return {"weights": (self.linear.weight, True), **bias}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = self.linear(x)
        h = ACTIVATIONS[self.spec.get("activation", "linear")](a)
        self.seen = {"pre_activations": a, "outputs": h}
        self.ways = {"errors": h, "deltas": a}
        return h


class Activation(Layer):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        h = ACTIVATIONS[self.spec["activation"]](x)
        self.seen = {"outputs": h}
        self.ways = {"errors": h, "deltas": x}
        return h


class Normalization(Layer):
    def __init__(self, name: str, spec: dict, module: torch.nn.Module):
        super().__init__(name, spec)
        self.module = module
        with torch.no_grad():
            for ours, theirs in (("gamma", module.weight), ("beta", module.bias)):
                if ours in spec:
                    theirs.copy_(tensor(spec[ours]))

    def named(self) -> dict:
        return {"gamma": (self.module.weight, False), "beta": (self.module.bias, False)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        seen = self.look(x.detach())
        h = self.module(x)
        self.seen = {**seen, "outputs": h}
        self.ways = {"errors": h, "deltas": x}
        return h


class BatchNorm(Normalization):
    def __init__(self, name: str, spec: dict, units: int):
        # What the spec does not say is PyTorch's default, and so it is with the two below.
        settings = {"eps": spec["epsilon"]} if "epsilon" in spec else {}
        settings |= {"momentum": spec["momentum"]} if "momentum" in spec else {}
        super().__init__(name, spec, torch.nn.BatchNorm1d(units, **settings, dtype=torch.float64))

    def look(self, x: torch.Tensor) -> dict:
        if self.training:
            normalized = functional.batch_norm(x, None, None, training=True, eps=self.module.eps)
            mean, variance = x.mean(dim=0), x.var(dim=0, correction=0)
        else:
            mean, variance = self.module.running_mean, self.module.running_var
            normalized = functional.batch_norm(x, mean, variance, training=False, eps=self.module.eps)
        statistics = "batch" if self.training else "running"
        # A copy, for the pass goes on to change the running ones.
        return {"statistics": statistics, "mean": mean.clone(), "variance": variance.clone(), "normalized": normalized}


class LayerNorm(Normalization):
    def __init__(self, name: str, spec: dict, units: int):
        settings = {"eps": spec["epsilon"]} if "epsilon" in spec else {}
        super().__init__(name, spec, torch.nn.LayerNorm(units, **settings, dtype=torch.float64))

    def look(self, x: torch.Tensor) -> dict:
        normalized = functional.layer_norm(x, x.shape[1:], eps=self.module.eps)
        return {"mean": x.mean(dim=1), "variance": x.var(dim=1, correction=0), "normalized": normalized}


class Dropout(Layer):
    """`stream` is set by the network before each pass."""

    stream: numpy.random.Generator

    def __init__(self, name: str, spec: dict):
        super().__init__(name, spec)
        self.rate = spec.get("rate", torch.nn.Dropout().p)
        # What stays is made larger as PyTorch's own dropout does it.
        drawn = functional.dropout(torch.ones(1000, dtype=torch.float64), self.rate)
        assert set(drawn.tolist()) <= {0.0, 1.0 / (1.0 - self.rate)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        if self.training:
            kept = tensor((self.stream.random(tuple(x.shape)) >= self.rate).tolist())
            mask = kept / (1.0 - self.rate)
            h = x * mask
            self.seen = {"mask": mask, "outputs": h}
        else:
            h = functional.dropout(x, self.rate, training=False).clone()
            self.seen = {"outputs": h}
        self.ways = {"errors": h, "deltas": x}
        return h


class Residual(Layer):
    def __init__(self, name: str, spec: dict, units: int):
        super().__init__(name, spec)
        self.branch, _ = stack(spec["layers"], units, f"{name}.")
        self.inner = list(self.branch)
        self.projection = linear_module(spec["weights"], False) if "weights" in spec else None

    def named(self) -> dict:
        return {} if self.projection is None else {"weights": (self.projection.weight, True)}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        into_branch, around = x.clone(), x.clone()
        branch = self.branch(into_branch)
        shortcut = around if self.projection is None else self.projection(around)
        h = branch + shortcut
        self.seen = {"branch": branch, "shortcut": shortcut, "outputs": h}
        self.ways = {"errors": h, "branch_errors": into_branch, "shortcut_errors": around, "deltas": x}
        return h


def stack(specs: list[dict], units: int, prefix: str = "layer") -> tuple[torch.nn.Sequential, int]:
    """The layers upon so many units, and the units of the last."""
    layers = []
    for place, spec in enumerate(specs, start=1):
        layer = one(spec.get("name", f"{prefix}{place}"), spec, units)
        layers.append(layer)
        units = units_of(spec, units)
    return torch.nn.Sequential(*layers), units


def one(name: str, spec: dict, units: int) -> Layer:
    plain = {"dense": Dense, "activation": Activation, "dropout": Dropout}
    if spec["kind"] in plain:
        return plain[spec["kind"]](name, spec)
    return {"batch_norm": BatchNorm, "layer_norm": LayerNorm, "residual": Residual}[spec["kind"]](name, spec, units)


def units_of(spec: dict, below: int) -> int:
    """How many units a layer upon so many has."""
    if spec["kind"] == "dense":
        return len(spec["weights"][0])
    for inner in spec.get("layers", []):
        below = units_of(inner, below)
    return below
