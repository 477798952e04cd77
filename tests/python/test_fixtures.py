"""The server against the golden files that it must meet bit for bit: the worked example and the random numbers.

And the re-checker's own functions against the correctly rounded values, so that a fault in them would not be
taken for one of the server.
"""

import json

import pytest

from golden import golden
from rules import numbers

WORKED_EXAMPLE = golden("worked-example.json")["trace"]
RANDOM = golden("random.json")
MATH = golden("math.json")["functions"]


def worked_example_session() -> tuple[dict, dict]:
    """The session and the batch that the fixture's trace is of."""
    layers = [
        {
            "name": layer["name"],
            "kind": "dense",
            "units": len(layer["outputs"][0]),
            "activation": layer["activation"],
            "bias": False,
            "weights": layer["parameters"]["weights"],
        }
        for layer in WORKED_EXAMPLE["forward"]["layers"]
    ]
    create = {
        "network": {"inputs": 2, "layers": layers},
        "loss": WORKED_EXAMPLE["loss"]["kind"],
        "optimizer": WORKED_EXAMPLE["update"]["optimizer"],
    }
    return create, {"inputs": WORKED_EXAMPLE["forward"]["inputs"], "targets": WORKED_EXAMPLE["loss"]["targets"]}


def test_the_worked_example_is_the_fixture_bit_for_bit(server):
    create, batch = worked_example_session()
    server.put("/v1/sessions/worked-example", create, status=201)
    step = server.post("/v1/sessions/worked-example/step", batch)
    assert step.pop("session") == "worked-example"
    assert step.pop("step") == 1
    # As text, so that the order of the keys and the sign of a zero count too.
    assert json.dumps(step) == json.dumps(WORKED_EXAMPLE)
    assert json.dumps(server.post("/v1/explain", {**create, **batch})) == json.dumps(WORKED_EXAMPLE)


DRAWS = [(seed, drawn) for seed in RANDOM["seeds"] for drawn in seed["uniform"] + seed["normal"]]


@pytest.mark.parametrize("index", range(len(DRAWS)))
def test_first_weights_are_drawn_as_numpy_draws_them(server, index):
    seed, drawn = DRAWS[index]
    layers = [{"kind": "dense", "units": units, "init": drawn["init"]} for units in RANDOM["network"]["units"]]
    create = {"network": {"inputs": RANDOM["network"]["inputs"], "layers": layers}, "seed": seed["seed"]}
    server.put(f"/v1/sessions/random-{index}", create, status=201)
    weights = server.get(f"/v1/sessions/random-{index}/weights")
    assert [layer["parameters"]["weights"] for layer in weights["layers"]] == [
        layer["weights"] for layer in drawn["layers"]
    ]
    assert [layer["parameters"]["bias"] for layer in weights["layers"]] == [
        [0.0] * units for units in RANDOM["network"]["units"]
    ]


@pytest.mark.parametrize("name", ["exp", "ln", "log1p", "tanh", "expm1", "erf", "power"])
def test_the_recheckers_functions_are_correctly_rounded(name):
    function = getattr(numbers, name)
    for *arguments, value in ([float.fromhex(text) for text in row] for row in MATH[name]):
        if name == "power":
            arguments[1] = int(arguments[1])
        # As text, so that the sign of a zero counts.
        assert function(*arguments).hex() == value.hex(), f"{name}{tuple(arguments)}"
