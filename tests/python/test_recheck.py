"""The server's traces of random networks hold, number by number."""

import pytest

from networks import (
    DEPTH_MAX,
    ENDINGS,
    EXAMPLES_MAX,
    FITTING,
    LAYER_KINDS,
    MODES,
    NESTING_MAX,
    OPTIMIZERS,
    WIDTH_MAX,
    random_case,
    with_inner,
)
from recheck import examine

# Four rounds of all endings.
NETWORKS = 4 * len(ENDINGS)

# Not the one that any of the networks was made with.
OTHER_RATE = 0.0078125


def holds(trace: dict) -> None:
    findings = examine(trace)
    assert findings.mismatches == []
    assert findings.recomputed > 0


def without_session(trace: dict) -> dict:
    return {key: value for key, value in trace.items() if key not in ("session", "step")}


def learned(layers: list[dict]) -> list:
    """What layers from below have learned, of a forward pass or of a weights answer."""
    return [(layer["name"], layer.get("parameters"), learned(layer.get("layers", []))) for layer in layers]


def learned_after(layers: list[dict]) -> list:
    """The same of an update's layers, which come from the top."""

    def parameters(layer: dict) -> dict | None:
        return {name: one["after"] for name, one in layer["parameters"].items()} if "parameters" in layer else None

    return [(layer["name"], parameters(layer), learned_after(layer.get("layers", []))) for layer in reversed(layers)]


def memories(layers: list[dict], when: str) -> list:
    """What the optimizer remembers of each parameter, as the update says."""
    return [
        one["state"][when]
        for layer in with_inner(layers)
        for one in layer.get("parameters", {}).values()
        if "state" in one
    ]


def running(layers: list[dict], when: str) -> list:
    return [
        {name: layer["running"][name][when] for name in ("mean", "variance")}
        for layer in with_inner(layers)
        if "running" in layer
    ]


def nesting(layers: list[dict]) -> int:
    return max((1 + nesting(layer["layers"]) for layer in layers if "layers" in layer), default=0)


def test_the_random_networks_leave_nothing_out():
    """The drawn networks must go on covering what this file says they cover."""
    cases = [random_case(index) for index in range(NETWORKS)]
    layers = [layer for case in cases for layer in with_inner(case.layers)]
    of_kind = {kind: [layer for layer in layers if layer["kind"] == kind] for kind in LAYER_KINDS}
    for kind in ("dense", "activation"):
        assert {layer["activation"] for layer in of_kind[kind]} == set(FITTING)
    assert {(case.layers[-1]["activation"], case.create["loss"]) for case in cases} == set(ENDINGS)
    assert {len(case.layers) for case in cases} >= set(range(1, DEPTH_MAX + 1))
    assert {len(case.inputs) for case in cases} == set(range(1, EXAMPLES_MAX + 1))
    assert {layer["units"] for layer in of_kind["dense"]} >= {1, 2, 3, WIDTH_MAX}
    assert {type(layer.get("bias")) for layer in of_kind["dense"]} == {type(None), bool, list}
    assert {("weights" in layer, "init" in layer) for layer in of_kind["dense"]} == {(1, 0), (0, 1), (0, 0)}

    assert {nesting(case.layers) for case in cases} == set(range(NESTING_MAX + 1))
    assert {layer.get("shortcut") for layer in of_kind["residual"]} == {None, "identity", "projection"}
    assert {"gamma" in layer for layer in of_kind["batch_norm"]} == {True, False}
    assert {layer.get("rate") == 0.0 for layer in of_kind["dropout"]} == {True, False}
    assert {(case.mode, layer["kind"]) for case in cases for layer in with_inner(case.layers)} == {
        (mode, kind) for mode in MODES for kind in LAYER_KINDS
    }
    optimizers = [case.create["optimizer"] for case in cases]
    for kind, settings in OPTIMIZERS.items():
        for name in [*settings, "learning_rate", "weight_decay", "clip_norm"]:
            assert {name in one for one in optimizers if one["kind"] == kind} == {True, False}
    assert {(one.get("momentum"), one.get("nesterov")) for one in optimizers} == {
        (None, None),
        (0.9, None),
        (0.9, True),
    }


@pytest.mark.parametrize("index", range(NETWORKS))
def test_every_answer_of_a_random_network_rechecks(server, index):
    case = random_case(index)
    path = f"/v1/sessions/recheck-{index}"
    server.put(path, case.create, status=201)

    forward = server.post(f"{path}/forward", case.question)
    judged = server.post(f"{path}/forward", case.batch)
    backward = server.post(f"{path}/backward", case.batch)
    first = server.post(f"{path}/step", case.batch)
    second = server.post(f"{path}/step", {**case.batch, "learning_rate": OTHER_RATE})
    explained = server.post("/v1/explain", {**case.create, **case.batch})
    # What was trained is used: with running statistics that are not the first ones, and nothing dropped.
    used = server.post(f"{path}/forward", {"inputs": case.inputs})
    tuned = server.post(f"{path}/backward", {**case.batch, "mode": "eval"})
    for trace in (forward, judged, backward, first, second, explained, used, tuned):
        holds(trace)

    # Each answer goes as far as it was asked to.
    assert set(forward) == {"format", "session", "step", "forward"}
    assert set(judged) == set(forward) | {"loss"}
    assert set(backward) == set(judged) | {"backward", "update"}
    assert "loss_after" not in backward["update"]
    assert [trace["step"] for trace in (forward, judged, backward, first, second)] == [0, 0, 0, 1, 2]
    assert [trace["session"] for trace in (forward, first)] == [f"recheck-{index}"] * 2

    # The same numbers by every way to them.
    assert forward["forward"] == judged["forward"] == backward["forward"] == first["forward"]
    assert first["backward"] == backward["backward"]
    assert explained == without_session(first)
    assert used["forward"] == tuned["forward"]

    # A step starts where the one before it ended.
    assert learned(second["forward"]["layers"]) == learned_after(first["update"]["layers"])
    if case.mode == "eval" or not any(layer["kind"] == "dropout" for layer in with_inner(case.layers)):
        assert second["loss"]["value"] == first["update"]["loss_after"]
    assert second["update"]["optimizer"]["learning_rate"] == OTHER_RATE
    weights = server.get(f"{path}/weights")
    assert learned(weights["layers"]) == learned_after(second["update"]["layers"])
    assert memories(second["update"]["layers"], "before") == memories(first["update"]["layers"], "after")
    assert running(second["update"]["layers"], "before") == running(first["update"]["layers"], "after")
