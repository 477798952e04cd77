"""A session's `state` is the documented hash of its parameters: anyone can compute it from the weights."""

import hashlib
import json
import struct

import pytest

from networks import random_case


def documented_state(layers: list[dict]) -> str:
    """SHA-256 over a headline, then for each parameter its name, rows and columns, and values as they lie in memory."""
    state = hashlib.sha256(b"chainrule.state/1\n")
    for layer in layers:
        parameters = layer["parameters"]
        assert list(parameters) in (["weights"], ["weights", "bias"])
        for name, values in parameters.items():
            rows = values if isinstance(values[0], list) else [values]
            state.update(f"{layer['name']}/{name}\n".encode("ascii"))
            state.update(struct.pack("<QQ", len(rows), len(rows[0])))
            for row in rows:
                state.update(struct.pack(f"<{len(row)}d", *row))
    return state.hexdigest()


@pytest.mark.parametrize("index", range(12))
def test_the_state_is_the_hash_of_the_weights_before_and_after_a_step(server, index):
    case = random_case(index)
    path = f"/v1/sessions/state-{index}"
    created = server.put(path, case.create, status=201)
    assert created["state"] == server.get(f"{path}/weights")["state"]
    states, parameters = set(), set()
    for step in range(3):
        weights = server.get(f"{path}/weights")
        assert weights["step"] == step
        assert weights["state"] == documented_state(weights["layers"])
        assert server.get(path)["state"] == weights["state"]
        states.add(weights["state"])
        parameters.add(json.dumps(weights["layers"]))
        # Neither of these may change anything.
        server.post(f"{path}/forward", {"inputs": case.inputs})
        server.post(f"{path}/backward", case.batch)
        assert server.get(path)["state"] == weights["state"]
        server.post(f"{path}/step", case.batch)
    # Another state where the parameters are others, and only there: a step with no gradient changes nothing.
    assert len(states) == len(parameters)


def test_one_parameter_more_or_less_is_another_state(server):
    """A layer's name, a bias of zeros and the shape are part of the state, not only the values."""
    base = {"kind": "dense", "name": "a", "units": 2, "bias": False, "weights": [[1.0, 2.0], [3.0, 4.0]]}
    variants = [
        (2, base),
        (2, {**base, "name": "b"}),
        (2, {**base, "bias": True}),
        (1, {**base, "units": 4, "weights": [[1.0, 2.0, 3.0, 4.0]]}),
        (4, {**base, "units": 1, "weights": [[1.0], [2.0], [3.0], [4.0]]}),
    ]
    states = set()
    for i, (inputs, layer) in enumerate(variants):
        server.put(f"/v1/sessions/state-of-{i}", {"network": {"inputs": inputs, "layers": [layer]}}, status=201)
        weights = server.get(f"/v1/sessions/state-of-{i}/weights")
        assert weights["state"] == documented_state(weights["layers"])
        states.add(weights["state"])
    assert len(states) == len(variants)
