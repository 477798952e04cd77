"""FastAPI servers that do a step of the worked example and answer the same numbers: with NumPy by hand, with PyTorch's
autograd.

    server.py numpy|torch
"""

import socket
import sys
import threading

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

RATE = 0.5


class Batch(BaseModel):
    inputs: list[list[float]]
    targets: list[list[float]]


def trace(step, x, y, layers, loss, loss_after):
    """The answer from the layers' numbers, each from below: (name, weights, a, h, slope, error, delta, gradient, change, after)."""
    names = ("weights", "pre_activations", "outputs", "derivatives", "errors", "deltas", "gradients", "change", "after")
    parts = [{"name": name} | dict(zip(names, numbers, strict=True)) for name, numbers in layers]
    return {
        "format": "chainrule.trace/1", "session": "bench", "step": step,
        "forward": {"inputs": x, "layers": [
            {"name": part["name"], "kind": "dense", "activation": "sigmoid", "parameters": {"weights": part["weights"]},
             **{name: part[name] for name in ("pre_activations", "outputs", "derivatives")}} for part in parts], "outputs": parts[-1]["outputs"]},
        "loss": {"kind": "half_squared_error", "targets": y, "per_example": [loss], "value": loss},
        "backward": {"layers": [{"name": part["name"], "kind": "dense", "errors": part["errors"], "deltas": part["deltas"],
                                 "gradients": {"weights": part["gradients"]}} for part in reversed(parts)]},
        "update": {"optimizer": {"kind": "sgd", "learning_rate": RATE}, "layers": [
            {"name": part["name"], "parameters": {"weights": {"change": part["change"], "after": part["after"]}}} for part in reversed(parts)],
            "loss_after": loss_after},
    }


def numpy_step():
    import numpy as np

    w, v = np.array([[0.4, 0.3], [0.2, 0.5]]), np.array([[0.6], [0.4]])
    made = 0

    def forward(x):
        a = x @ w
        h = 1 / (1 + np.exp(-a))
        b = h @ v
        return a, h, b, 1 / (1 + np.exp(-b))

    def step(batch):
        nonlocal w, v, made
        x, y = np.array(batch.inputs), np.array(batch.targets)
        a, h, b, o = forward(x)
        error = y - o
        slope, slopes = o * (1 - o), h * (1 - h)
        delta = error * slope
        errors = delta @ v.T
        deltas = errors * slopes
        gradients, gradient = -(x.T @ deltas), -(h.T @ delta)
        old = w, v
        w, v = w - RATE * gradients, v - RATE * gradient
        made += 1
        after = float((0.5 * (y - forward(x)[-1]) ** 2).sum())
        hidden = (old[0], a, h, slopes, errors, deltas, gradients, -RATE * gradients, w)
        output = (old[1], b, o, slope, error, delta, gradient, -RATE * gradient, v)
        listed = [(name, [numbers.tolist() for numbers in layer]) for name, layer in (("hidden", hidden), ("output", output))]
        return trace(made, batch.inputs, batch.targets, listed, float((0.5 * error**2).sum()), after)

    return step


def torch_step():
    import torch

    torch.set_num_threads(1)
    w = torch.tensor([[0.4, 0.3], [0.2, 0.5]], dtype=torch.float64, requires_grad=True)
    v = torch.tensor([[0.6], [0.4]], dtype=torch.float64, requires_grad=True)
    made = 0

    def forward(x):
        a = x @ w
        h = torch.sigmoid(a)
        b = h @ v
        return a, h, b, torch.sigmoid(b)

    def step(batch):
        nonlocal made
        x = torch.tensor(batch.inputs, dtype=torch.float64)
        y = torch.tensor(batch.targets, dtype=torch.float64)
        a, h, b, o = forward(x)
        for number in (a, h, b, o):
            number.retain_grad()
        loss = (0.5 * (y - o) ** 2).sum()
        loss.backward()
        with torch.no_grad():
            old = w.tolist(), v.tolist()
            gradients, gradient = w.grad.tolist(), v.grad.tolist()
            change, changes = (-RATE * v.grad).tolist(), (-RATE * w.grad).tolist()
            w.sub_(RATE * w.grad)
            v.sub_(RATE * v.grad)
            w.grad = v.grad = None
            after = (0.5 * (y - forward(x)[-1]) ** 2).sum().item()
            made += 1
            hidden = [old[0], a.tolist(), h.tolist(), (h * (1 - h)).tolist(), (-h.grad).tolist(), (-a.grad).tolist(), gradients, changes, w.tolist()]
            output = [old[1], b.tolist(), o.tolist(), (o * (1 - o)).tolist(), (-o.grad).tolist(), (-b.grad).tolist(), gradient, change, v.tolist()]
        return trace(made, batch.inputs, batch.targets, [("hidden", hidden), ("output", output)], loss.item(), after)

    return step


def main():
    step = {"numpy": numpy_step, "torch": torch_step}[sys.argv[1]]()
    lock = threading.Lock()
    app = FastAPI()

    @app.post("/step")
    async def _(batch: Batch):
        with lock:
            return step(batch)

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listener])


main()
