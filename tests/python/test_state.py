"""A session's `state` is the documented hash of all that a step changes: anyone can compute it from the weights and
what the last step's trace says of the optimizer's memory."""

import hashlib
import json
import struct
from collections.abc import Iterator

import pytest

from networks import random_case, with_inner

# What each optimizer remembers of a parameter, in the order in which it is hashed.
SLOTS = {
    "sgd": [],
    "rmsprop": ["square_average"],
    "adam": ["first_moment", "second_moment"],
    "adamw": ["first_moment", "second_moment"],
    "adagrad": ["square_sum"],
}
COUNTING = {"adam", "adamw"}

# By layer, parameter and slot.
Memory = dict[str, dict[str, dict[str, list]]]


def documented_state(layers: list[dict], memory: Memory | None = None, updates: int | None = None) -> str:
    """SHA-256 over a headline and all that a step changes, each with its name, rows and columns, and values as they lie
    in memory; at the end how many steps were made, where the next one depends on it."""
    state = hashlib.sha256(b"chainrule.state/1\n")
    for name, values in named(layers, memory or {}):
        rows = values if isinstance(values[0], list) else [values]
        state.update(f"{name}\n".encode("ascii"))
        state.update(struct.pack("<QQ", len(rows), len(rows[0])))
        for row in rows:
            state.update(struct.pack(f"<{len(row)}d", *row))
    if updates is not None:
        state.update(b"updates\n" + struct.pack("<Q", updates))
    return state.hexdigest()


def named(layers: list[dict], memory: Memory) -> Iterator[tuple[str, list]]:
    """Each parameter and behind it what the optimizer remembers of it, a layer's running statistics behind those, the
    layers inside it last."""
    for layer in layers:
        for name, values in layer.get("parameters", {}).items():
            yield f"{layer['name']}/{name}", values
            for slot, remembered in memory.get(layer["name"], {}).get(name, {}).items():
                yield f"{layer['name']}/{name}/{slot}", remembered
        for name, values in layer.get("running", {}).items():
            yield f"{layer['name']}/running/{name}", values
        yield from named(layer.get("layers", []), memory)


def first_memory(layers: list[dict], optimizer: dict) -> Memory:
    """Zeros, before the first step."""
    slots = ["velocity"] if optimizer.get("momentum") else SLOTS[optimizer["kind"]]
    return {
        layer["name"]: {
            name: {slot: zeros(values) for slot in slots} for name, values in layer.get("parameters", {}).items()
        }
        for layer in with_inner(layers)
    }


def memory_after(step: dict) -> Memory:
    return {
        layer["name"]: {
            name: one.get("state", {}).get("after", {}) for name, one in layer.get("parameters", {}).items()
        }
        for layer in with_inner(step["update"]["layers"])
    }


def zeros(quantity: list) -> list:
    return [zeros(item) if isinstance(item, list) else 0.0 for item in quantity]


@pytest.mark.parametrize("index", range(40))
def test_the_state_is_the_hash_of_all_that_a_step_changes(server, index):
    case = random_case(index)
    path = f"/v1/sessions/state-{index}"
    created = server.put(path, case.create, status=201)
    weights = server.get(f"{path}/weights")
    assert created["state"] == weights["state"]
    optimizer = case.create["optimizer"]
    memory = first_memory(weights["layers"], optimizer)
    counts = optimizer["kind"] in COUNTING or any(layer["kind"] == "dropout" for layer in with_inner(case.layers))
    states, contents = set(), set()
    for step in range(3):
        weights = server.get(f"{path}/weights")
        assert weights["step"] == step
        assert weights["state"] == documented_state(weights["layers"], memory, step if counts else None)
        assert server.get(path)["state"] == weights["state"]
        states.add(weights["state"])
        contents.add(json.dumps([weights["layers"], memory, step if counts else None]))
        # None of these may change anything.
        server.post(f"{path}/forward", case.question)
        server.post(f"{path}/forward", {"inputs": case.inputs})
        server.post(f"{path}/backward", case.batch)
        assert server.get(path)["state"] == weights["state"]
        memory = memory_after(server.post(f"{path}/step", case.batch))
    # Another state where something is another, and only there: a step with no gradient changes nothing.
    assert len(states) == len(contents)


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


def test_memory_and_running_statistics_are_part_of_the_state(server):
    """Sessions whose parameters are the same may still go on differently."""
    dense = {"kind": "dense", "name": "a", "units": 2, "bias": False, "weights": [[1.0, 2.0], [3.0, 4.0]]}
    variants = [
        ([dense], {"kind": "sgd"}),
        ([dense], {"kind": "sgd", "momentum": 0.9}),
        ([dense], {"kind": "rmsprop"}),
        ([dense], {"kind": "adam"}),
        ([dense, {"kind": "dropout"}], {"kind": "sgd"}),
        ([dense, {"kind": "layer_norm", "name": "b"}], {"kind": "sgd"}),
        ([dense, {"kind": "batch_norm", "name": "b"}], {"kind": "sgd"}),
    ]
    states = set()
    for i, (layers, optimizer) in enumerate(variants):
        create = {"network": {"inputs": 2, "layers": layers}, "optimizer": optimizer}
        states.add(server.put(f"/v1/sessions/state-with-{i}", create, status=201)["state"])
    assert len(states) == len(variants)
