"""Training loops of other libraries on one core: prints steps a second.

    train.py numpy|torch|torch32|jax worked|tanh|784 BATCH SECONDS
"""

import json
import sys
import time

RATE = 0.01


def start(sizes):
    """Weights and biases of each layer, by a generator that everybody has."""
    import numpy as np

    random = np.random.default_rng(1)
    return [(random.standard_normal((i, o)) / i**0.5, np.zeros(o)) for i, o in zip(sizes, sizes[1:], strict=False)]


def problem(which, batch):
    """Sizes, activation of the hidden layers, whether softmax ends it, whether there are biases, and rows."""
    import numpy as np

    random = np.random.default_rng(2)
    if which == "worked":
        return (2, 2, 1), "sigmoid", False, np.array([[0.5, 0.3]]), np.array([[1.0]])
    if which == "tanh":
        return (2, 8, 8, 1), "tanh", True, np.array([[0.0, 1.0]]), np.array([[1.0]])
    inputs = random.standard_normal((batch, 784))
    targets = np.eye(10)[random.integers(0, 10, batch)]
    return (784, 128, 64, 10), "relu", True, inputs, targets


def measure(run, seconds):
    """`run(steps)` for about so long: steps a second."""
    run(2)
    steps = 8
    while True:
        began = time.perf_counter()
        run(steps)
        took = time.perf_counter() - began
        if took > seconds / 4:
            break
        steps *= 4
    steps = max(1, int(steps * seconds / took))
    began = time.perf_counter()
    run(steps)
    return steps / (time.perf_counter() - began)


def numpy_run(which, batch):
    import numpy as np

    sizes, activation, biased, x, y = problem(which, batch)
    layers = start(sizes)
    f = {"sigmoid": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh, "relu": lambda a: np.maximum(a, 0)}[activation]
    slope = {"sigmoid": lambda h: h * (1 - h), "tanh": lambda h: 1 - h * h, "relu": lambda h: (h > 0).astype(float)}[activation]

    def run(steps):
        for _ in range(steps):
            hs = [x]
            for at, (w, b) in enumerate(layers):
                a = hs[-1] @ w + b if biased else hs[-1] @ w
                if which == "784" and at == len(layers) - 1:
                    e = np.exp(a - a.max(1, keepdims=True))
                    hs.append(e / e.sum(1, keepdims=True))
                elif which == "tanh" and at == len(layers) - 1:
                    hs.append(a)
                else:
                    hs.append(f(a))
            delta = hs[-1] - y
            if which == "784":
                delta /= len(x)
            elif which == "worked":
                delta = delta * slope(hs[-1])
            for at in reversed(range(len(layers))):
                w, b = layers[at]
                below = delta @ w.T * slope(hs[at]) if at else None
                w -= RATE * (hs[at].T @ delta)
                if biased:
                    b -= RATE * delta.sum(0)
                delta = below

    return run


def torch_run(which, batch, single):
    import torch

    torch.set_num_threads(1)
    kind = torch.float32 if single else torch.float64
    sizes, activation, biased, x, y = problem(which, batch)
    x, y = torch.tensor(x, dtype=kind), torch.tensor(y, dtype=kind)
    parts = []
    for at, (i, o) in enumerate(zip(sizes, sizes[1:], strict=False)):
        parts.append(torch.nn.Linear(i, o, bias=biased, dtype=kind))
        if at < len(sizes) - 2 or which == "worked":
            parts.append({"sigmoid": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[activation]())
    model = torch.nn.Sequential(*parts)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    loss = torch.nn.CrossEntropyLoss() if which == "784" else lambda o, y: (0.5 * (y - o) ** 2).sum()

    def run(steps):
        for _ in range(steps):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()

    return run


def jax_run(which, batch):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    sizes, activation, biased, x, y = problem(which, batch)
    x, y = jnp.array(x), jnp.array(y)
    layers = [(jnp.array(w), jnp.array(b)) for w, b in start(sizes)]
    f = {"sigmoid": jax.nn.sigmoid, "tanh": jnp.tanh, "relu": jax.nn.relu}[activation]

    def loss(layers):
        h = x
        for at, (w, b) in enumerate(layers):
            a = h @ w + b if biased else h @ w
            h = a if at == len(layers) - 1 and which != "worked" else f(a)
        return -(y * jax.nn.log_softmax(h)).sum(1).mean() if which == "784" else (0.5 * (y - h) ** 2).sum()

    def step(layers, _):
        value, gradients = jax.value_and_grad(loss)(layers)
        return jax.tree.map(lambda w, g: w - RATE * g, layers, gradients), value

    compiled = {}

    def run(steps):
        if steps not in compiled:
            compiled[steps] = jax.jit(lambda layers: jax.lax.scan(step, layers, length=steps)).lower(layers).compile()
            run(steps)
            return
        jax.block_until_ready(compiled[steps](layers))

    def measured(steps):
        if steps not in compiled:
            run(steps)
        run(steps)

    return measured


def main():
    library, which, batch, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    if library == "jax":
        run = jax_run(which, batch)
        # What is compiled for a number of steps is measured with that number.
        steps = 64
        while True:
            run(steps)
            began = time.perf_counter()
            run(steps)
            took = time.perf_counter() - began
            if took > seconds / 2:
                print(json.dumps(steps / took))
                return
            steps *= 4
    run = numpy_run(which, batch) if library == "numpy" else torch_run(which, batch, library == "torch32")
    print(json.dumps(measure(run, seconds)))


main()
