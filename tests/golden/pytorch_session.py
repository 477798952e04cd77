"""A session as PyTorch would hold it: network, loss and optimizer, and what its traces must say."""

import copy

import numpy
import torch
from torch.nn import functional

from pytorch_excerpt import excerpt
from pytorch_network import BatchNorm, Dropout, Layer, stack, tensor, turn

# Each answers one loss per example. xlogy takes 0 * ln 0 as 0, like PyTorch's own cross entropy.
LOSSES = {
    "half_squared_error": lambda p, y: 0.5 * ((y - p) ** 2).sum(dim=1),
    "mean_squared_error": lambda p, y: functional.mse_loss(p, y, reduction="none").mean(dim=1),
    "binary_cross_entropy": lambda p, y: functional.binary_cross_entropy(p, y, reduction="none").mean(dim=1),
    "cross_entropy": lambda p, y: -torch.special.xlogy(y, p).sum(dim=1),
}
# How far the two ways to a cross entropy, over probabilities and over logits, may lie apart.
SAME_RELATIVE, SAME_ABSOLUTE = 1e-12, 1e-14

OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
}
# PyTorch's names for settings, and for what an optimizer remembers.
SETTINGS = {"learning_rate": "lr", "epsilon": "eps"}
SLOTS = {
    "velocity": "momentum_buffer",
    "square_average": "square_avg",
    "first_moment": "exp_avg",
    "second_moment": "exp_avg_sq",
    "square_sum": "sum",
}


def optimizer_of(spec: dict, parameters: list) -> torch.optim.Optimizer:
    """What the spec does not say is PyTorch's default, the learning rate included."""
    given = {name: value for name, value in spec.items() if name not in ("kind", "clip_norm", "beta1", "beta2")}
    settings = {SETTINGS.get(name, name): value for name, value in given.items()}
    if "beta1" in spec or "beta2" in spec:
        settings["betas"] = (spec["beta1"], spec["beta2"])
    return OPTIMIZERS[spec["kind"]](parameters, **settings)


class Session:
    def __init__(self, create: dict):
        self.network, _ = stack(create["network"]["layers"], create["network"]["inputs"])
        self.loss_kind = create["loss"]
        self.seed, self.steps = create.get("seed", 0), 0
        self.optimizer = optimizer_of(create["optimizer"], list(self.network.parameters()))
        self.clip_norm = create["optimizer"].get("clip_norm")

    def answer(self, call: str, request: dict) -> dict:
        """What the trace must hold that answers the call."""
        if call == "step":
            trace = self._down(request, request.get("mode", "train"), made=True)
            self.steps += 1
            return trace
        # These two change nothing, so a copy is asked.
        asked = copy.deepcopy(self)
        if call == "backward":
            return asked._down(request, request.get("mode", "train"), made=False)
        x, y = (tensor(request[key]) for key in ("inputs", "targets"))
        return asked._up(asked._pass(x, request.get("mode", "eval")), y)

    def _pass(self, x: torch.Tensor, mode: str) -> torch.Tensor:
        """Leaves the network trained, as far as a forward pass does: running statistics."""
        self.network.train(mode == "train")
        stream = numpy.random.default_rng(numpy.random.SeedSequence(self.seed, spawn_key=(self.steps,)))
        for layer in self._every():
            if isinstance(layer, Dropout):
                layer.stream = stream
        return self.network(x.clone().requires_grad_())

    def _up(self, outputs: torch.Tensor, y: torch.Tensor) -> dict:
        per_example = LOSSES[self.loss_kind](outputs, y)
        return {
            "forward": {"layers": [layer.up() for layer in self.network], "outputs": excerpt(outputs)},
            "loss": {"per_example": excerpt(per_example), "value": per_example.mean().item()},
        }

    def _down(self, request: dict, mode: str, made: bool) -> dict:
        x, y = (tensor(request[key]) for key in ("inputs", "targets"))
        outputs = self._pass(x, mode)
        for layer in self._every():
            for way in layer.ways.values():
                way.retain_grad()
        up = self._up(outputs, y)
        value = LOSSES[self.loss_kind](outputs, y).mean()
        self.optimizer.zero_grad()
        value.backward()
        if self.loss_kind == "cross_entropy":
            assert_like_pytorchs_own(self.network[-1].ways["deltas"], y, value)
        backward = {"layers": [layer.down(len(x)) for layer in reversed(self.network)]}

        update = {}
        if self.clip_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.clip_norm)
            update["clip"] = {"norm": norm.item()}
        self.optimizer.step()
        update["layers"] = [self._update(layer, mode) for layer in reversed(self.network)]
        if made:
            update["loss_after"] = self._loss_after(x, y, mode)
        self._forget()
        return {**up, "backward": backward, "update": update}

    def _update(self, layer: Layer, mode: str) -> dict:
        update = {"name": layer.name}
        if layer.named():
            update["parameters"] = {name: self._parameter(p, turned) for name, (p, turned) in layer.named().items()}
        if isinstance(layer, BatchNorm) and mode == "train":
            statistics = {"mean": layer.module.running_mean, "variance": layer.module.running_var}
            update["running"] = {name: {"after": excerpt(values)} for name, values in statistics.items()}
        if layer.inner:
            update["layers"] = [self._update(inner, mode) for inner in reversed(layer.inner)]
        return update

    def _parameter(self, parameter: torch.nn.Parameter, turned: bool) -> dict:
        update = {}
        if self.clip_norm is not None:
            update["clipped"] = excerpt(turn(parameter.grad, turned))
        remembered = self.optimizer.state.get(parameter, {})
        # PyTorch's SGD without momentum remembers that it has nothing to remember.
        slots = {ours: remembered[theirs] for ours, theirs in SLOTS.items() if remembered.get(theirs) is not None}
        if slots:
            update["state"] = {"after": {name: excerpt(turn(slot, turned)) for name, slot in slots.items()}}
        return {**update, "after": excerpt(turn(parameter, turned))}

    def _loss_after(self, x: torch.Tensor, y: torch.Tensor, mode: str) -> float:
        """The same pass again, which must not count twice in the running statistics."""
        before = copy.deepcopy(self.network.state_dict())
        value = LOSSES[self.loss_kind](self._pass(x, mode), y).mean().item()
        self.network.load_state_dict(before)
        return value

    def _every(self) -> list[Layer]:
        return [deeper for layer in self.network for deeper in layer.every()]

    def _forget(self) -> None:
        """A tensor that was computed cannot be copied."""
        for layer in self._every():
            layer.seen, layer.ways = {}, {}


def assert_like_pytorchs_own(logits: torch.Tensor, y: torch.Tensor, value: torch.Tensor) -> None:
    """PyTorch's cross entropy works on logits and never shows probabilities. Ours, through them, must give the
    same loss and the same deltas."""
    apart = logits.detach().clone().requires_grad_()
    own = functional.cross_entropy(apart, y)
    own.backward()
    for ours, theirs in ((value, own), (logits.grad, apart.grad)):
        torch.testing.assert_close(ours, theirs, rtol=SAME_RELATIVE, atol=SAME_ABSOLUTE)
