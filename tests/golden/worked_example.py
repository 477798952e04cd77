"""Makes worked-example.json: one full step of the tutorial's 2-2-1 network, computed apart from the service.

Each operation is carried out exactly and rounded once to a double (see exact.py), in the order that the
documented arithmetic fixes. Neither the service nor the re-checker has a hand in it, so that the two can be
held against it. Run it in the environment of tests/python/requirements.txt:

    python3 tests/golden/worked_example.py
"""

from exact import add, divide, exp, multiply, subtract
from fixture import made_by, write

NAMES = ["hidden", "output"]
WEIGHTS = [[[0.4, 0.3], [0.2, 0.5]], [[0.6], [0.4]]]
INPUTS = [0.5, 0.3]
TARGETS = [1.0]
LEARNING_RATE = 0.5


def sum_of_products(left: list[float], right: list[float]) -> float:
    """((l0 r0 + l1 r1) + ...): every product and every sum rounded on its own, from the first term on."""
    products = [multiply(a, b) for a, b in zip(left, right, strict=True)]
    total = products[0]
    for product in products[1:]:
        total = add(total, product)
    return total


def sigmoid(a: float) -> float:
    e = exp(-abs(a))
    return divide(1.0 if a >= 0.0 else e, add(1.0, e))


def forward(weights: list) -> list[dict]:
    """The layers of the pass, for the one example."""
    layers, x = [], INPUTS
    for name, w in zip(NAMES, weights, strict=True):
        a = [sum_of_products(x, list(column)) for column in zip(*w, strict=True)]
        h = [sigmoid(a_j) for a_j in a]
        slopes = [multiply(h_j, subtract(1.0, h_j)) for h_j in h]
        layers.append(
            {
                "name": name,
                "kind": "dense",
                "activation": "sigmoid",
                "parameters": {"weights": w},
                "pre_activations": [a],
                "outputs": [h],
                "derivatives": [slopes],
            }
        )
        x = h
    return layers


def loss(outputs: list[float]) -> float:
    differences = [subtract(y, p) for y, p in zip(TARGETS, outputs, strict=True)]
    return multiply(0.5, sum_of_products(differences, differences))


def trace() -> dict:
    layers = forward(WEIGHTS)
    outputs = layers[-1]["outputs"][0]
    backward, update, weights_after = [], [], []
    errors = [subtract(y, p) for y, p in zip(TARGETS, outputs, strict=True)]
    for i in reversed(range(len(layers))):
        layer, w = layers[i], WEIGHTS[i]
        x = layers[i - 1]["outputs"][0] if i else INPUTS
        deltas = [multiply(e, slope) for e, slope in zip(errors, layer["derivatives"][0], strict=True)]
        # With a batch of one, the sum over the batch is its only term, and dividing by 1 changes nothing.
        gradients = [[subtract(0.0, multiply(x_i, d_j)) for d_j in deltas] for x_i in x]
        change = [[subtract(0.0, multiply(LEARNING_RATE, g)) for g in row] for row in gradients]
        after = [[add(b, c) for b, c in zip(*rows, strict=True)] for rows in zip(w, change, strict=True)]
        backward.append(
            {
                "name": layer["name"],
                "kind": "dense",
                "errors": [errors],
                "deltas": [deltas],
                "gradients": {"weights": gradients},
            }
        )
        update.append({"name": layer["name"], "parameters": {"weights": {"change": change, "after": after}}})
        weights_after.insert(0, after)
        errors = [sum_of_products(deltas, w_i) for w_i in w]
    value = loss(outputs)
    return {
        "format": "chainrule.trace/1",
        "forward": {"inputs": [INPUTS], "layers": layers, "outputs": [outputs]},
        "loss": {"kind": "half_squared_error", "targets": [TARGETS], "per_example": [value], "value": value},
        "backward": {"layers": backward},
        "update": {
            "optimizer": {"kind": "sgd", "learning_rate": LEARNING_RATE},
            "layers": update,
            "loss_after": loss(forward(weights_after)[-1]["outputs"][0]),
        },
    }


if __name__ == "__main__":
    write("worked-example.json", {"made_by": made_by(__file__, "mpmath"), "trace": trace()})
