"""Random networks so small that every path through them can be walked, yet with every kind of layer."""

import random

from networks import Case, case_of, dense

WIDTH_MAX, EXAMPLES_MAX, DEPTH_MAX = 3, 3, 4
KINDS = ["dense", "softmax", "batch_norm", "layer_norm", "activation", "dropout", "residual", "projection", "nested"]
ACTIVATIONS = ["linear", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "softplus"]
ENDINGS = [
    ("linear", "half_squared_error"),
    ("sigmoid", "half_squared_error"),
    ("tanh", "mean_squared_error"),
    ("sigmoid", "binary_cross_entropy"),
    ("softmax", "cross_entropy"),
    ("softmax", "mean_squared_error"),
]
MODES = ["train", "train", "eval"]


def small_case(index: int) -> Case:
    """Each kind of layer, ending and mode takes its turn; all else is drawn."""
    draw = random.Random(f"small network {index}")
    mode = MODES[index % len(MODES)]
    # Batch statistics want two examples.
    examples = draw.randint(2, EXAMPLES_MAX) if mode == "train" else draw.randint(1, EXAMPLES_MAX)
    units = inputs = draw.randint(1, WIDTH_MAX)
    layers = []
    for number in range(draw.randint(1, DEPTH_MAX)):
        added, units = layer(draw, KINDS[(index + 4 * number) % len(KINDS)], units)
        layers.append(added)
    activation, loss = ENDINGS[index % len(ENDINGS)]
    outputs = draw.randint(2, WIDTH_MAX)
    layers.append(dense(draw, units, outputs, activation))
    return case_of(draw, inputs, layers, outputs, loss, {"kind": "sgd", "learning_rate": 0.1}, examples, mode)


def layer(draw: random.Random, kind: str, units: int) -> tuple[dict, int]:
    if kind == "dense":
        above = draw.randint(1, WIDTH_MAX)
        return dense(draw, units, above, draw.choice([*ACTIVATIONS, "softmax"])), above
    if kind == "softmax":
        return {"kind": "activation", "activation": "softmax"}, units
    if kind == "activation":
        return {"kind": kind, "activation": draw.choice(ACTIVATIONS)}, units
    if kind == "dropout":
        return {"kind": kind, "rate": 0.4}, units
    if kind in ("batch_norm", "layer_norm"):
        scales = {"gamma": [draw.gauss(1.0, 0.3) for _ in range(units)], "beta": [draw.gauss(0.0, 0.3)] * units}
        return {"kind": kind, **scales}, units
    if kind == "nested":
        inner = [{"kind": "layer_norm"}, layer(draw, "residual", units)[0]]
        return {"kind": "residual", "layers": inner}, units
    if kind == "projection":
        above = draw.randint(1, WIDTH_MAX)
        inner = [dense(draw, units, above, draw.choice(ACTIVATIONS)), {"kind": "dropout", "rate": 0.2}]
        weights = [[draw.gauss(0.0, 1.0) for _ in range(above)] for _ in range(units)]
        return {"kind": "residual", "layers": inner, "shortcut": "projection", "weights": weights}, above
    inner = [dense(draw, units, units, draw.choice(ACTIVATIONS))]
    return {"kind": "residual", "layers": inner}, units
