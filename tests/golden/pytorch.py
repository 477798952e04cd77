"""Makes pytorch.json: what PyTorch's autograd says about some thirty networks, three steps each.

A second opinion by code that shares nothing with ours: `torch.nn.Linear` layers in float64, gradients by
autograd, the update by `torch.optim.SGD`. PyTorch sums in another order and uses other exponentials, so the
service is compared with it by a small tolerance, not bit by bit: for each number
|ours - PyTorch's| <= relative_tolerance * max(|PyTorch's|, 0.001), as each case says. Run it in the environment
of requirements.txt:

    python3 tests/golden/pytorch.py

Our errors and deltas are of each example's own loss and point downhill; PyTorch differentiates the batch's
mean. So errors = -N * d(mean)/d(outputs) and deltas = -N * d(mean)/d(pre-activations).
"""

import torch
from torch.nn import functional

from fixture import made_by, write
from pytorch_cases import STEPS, Case, cases

ACTIVATIONS = {
    # A copy, so that outputs and pre-activations are two tensors with a gradient each.
    "linear": torch.clone,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "softplus": functional.softplus,
    "softmax": lambda a: functional.softmax(a, dim=1),
}
# Each answers one loss per example. xlogy takes 0 * ln 0 as 0, like PyTorch's own cross entropy.
LOSSES = {
    "half_squared_error": lambda p, y: 0.5 * ((y - p) ** 2).sum(dim=1),
    "mean_squared_error": lambda p, y: functional.mse_loss(p, y, reduction="none").mean(dim=1),
    "binary_cross_entropy": lambda p, y: functional.binary_cross_entropy(p, y, reduction="none").mean(dim=1),
    "cross_entropy": lambda p, y: -torch.special.xlogy(y, p).sum(dim=1),
}
# How far the two ways to a cross entropy, over probabilities and over logits, may lie apart.
SAME_RELATIVE, SAME_ABSOLUTE = 1e-12, 1e-14


class Network:
    """The case's network as PyTorch has it; `torch.nn.Linear` keeps weights as [out][in]."""

    def __init__(self, create: dict):
        self.layers = create["network"]["layers"]
        self.loss = LOSSES[create["loss"]]
        self.linear = []
        for layer in self.layers:
            weights = torch.tensor(layer["weights"], dtype=torch.float64)
            has_bias = layer["bias"] is not False
            module = torch.nn.Linear(*weights.shape, bias=has_bias, dtype=torch.float64)
            with torch.no_grad():
                module.weight.copy_(weights.T)
                if has_bias:
                    module.bias.copy_(torch.tensor(layer["bias"], dtype=torch.float64))
            self.linear.append(module)
        parameters = [parameter for module in self.linear for parameter in module.parameters()]
        self.optimizer = torch.optim.SGD(parameters, lr=create["optimizer"]["learning_rate"])

    def forward(self, x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Pre-activations and outputs of each layer."""
        passed = []
        for layer, module in zip(self.layers, self.linear, strict=True):
            a = module(x)
            x = ACTIVATIONS[layer["activation"]](a)
            passed.append((a, x))
        return passed

    def each_parameter(self, index: int, of: str) -> dict:
        """A layer's parameters, or their gradients, in our names and our shape."""
        module = self.linear[index]
        read = (lambda p: p.grad) if of == "gradients" else (lambda p: p.detach())
        named = {"weights": read(module.weight).T.tolist()}
        if module.bias is not None:
            named["bias"] = read(module.bias).tolist()
        return named


def step(network: Network, request: dict) -> dict:
    """One step of training, and what a trace of it must hold."""
    x, y = (torch.tensor(request[key], dtype=torch.float64) for key in ("inputs", "targets"))
    examples = len(x)
    names = [layer.get("name", f"layer{i + 1}") for i, layer in enumerate(network.layers)]
    from_above = list(reversed(range(len(names))))

    passed = network.forward(x)
    for a, h in passed:
        a.retain_grad()
        h.retain_grad()
    outputs = passed[-1][1]
    per_example = network.loss(outputs, y)
    value = per_example.mean()
    network.optimizer.zero_grad()
    value.backward()
    if network.loss is LOSSES["cross_entropy"]:
        assert_like_pytorchs_own(passed[-1][0], y, value)

    backward = [
        {
            "name": names[i],
            "errors": (-examples * passed[i][1].grad).tolist(),
            "deltas": (-examples * passed[i][0].grad).tolist(),
            "gradients": network.each_parameter(i, "gradients"),
        }
        for i in from_above
    ]
    network.optimizer.step()
    with torch.no_grad():
        loss_after = network.loss(network.forward(x)[-1][1], y).mean().item()
    after = [
        {
            "name": names[i],
            "parameters": {name: {"after": p} for name, p in network.each_parameter(i, "parameters").items()},
        }
        for i in from_above
    ]
    return {
        "forward": {
            "layers": [
                {"name": name, "pre_activations": a.tolist(), "outputs": h.tolist()}
                for name, (a, h) in zip(names, passed, strict=True)
            ],
            "outputs": outputs.tolist(),
        },
        "loss": {"per_example": per_example.tolist(), "value": value.item()},
        "backward": {"layers": backward},
        "update": {"layers": after, "loss_after": loss_after},
    }


def assert_like_pytorchs_own(logits: torch.Tensor, y: torch.Tensor, value: torch.Tensor) -> None:
    """PyTorch's cross entropy works on logits and never shows probabilities. Ours, through them, must give the
    same loss and the same deltas."""
    apart = logits.detach().clone().requires_grad_()
    own = functional.cross_entropy(apart, y)
    own.backward()
    for ours, theirs in ((value, own), (logits.grad, apart.grad)):
        torch.testing.assert_close(ours, theirs, rtol=SAME_RELATIVE, atol=SAME_ABSOLUTE)


def run(case: Case) -> dict:
    network = Network(case.create)
    steps = [{"request": case.request, "trace": step(network, case.request)} for _ in range(STEPS)]
    return {
        "name": case.name,
        "relative_tolerance": case.relative_tolerance,
        "create": case.create,
        "steps": steps,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)  # the same order of sums at every run
    write("pytorch.json", {"made_by": made_by(__file__, "torch", "numpy"), "cases": [run(case) for case in cases()]})
