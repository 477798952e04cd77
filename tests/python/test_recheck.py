"""The server's traces hold, number by number, and the re-checker that says so would notice one wrong bit."""

import math
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from networks import DEPTH_MAX, ENDINGS, EXAMPLES_MAX, FITTING, WIDTH_MAX, Case, make_case, random_case
from recheck import examine, recheck

# Four rounds of all endings.
NETWORKS = 4 * len(ENDINGS)

# What a trace is given, not what it computes.
GIVEN = re.compile(r"/forward/inputs/|/loss/targets/|/forward/layers/\d+/parameters/|/update/optimizer/")
FLIPS_IN_A_LARGE_TRACE = 25


def holds(trace: dict) -> None:
    findings = examine(trace)
    assert findings.mismatches == []
    assert findings.recomputed > 0


def without_session(trace: dict) -> dict:
    return {key: value for key, value in trace.items() if key not in ("session", "step")}


def parameters_used(trace: dict) -> list:
    return [(layer["name"], layer["parameters"]) for layer in trace["forward"]["layers"]]


def parameters_after(trace: dict) -> list:
    return [
        (layer["name"], {name: parameter["after"] for name, parameter in layer["parameters"].items()})
        for layer in reversed(trace["update"]["layers"])
    ]


def test_the_random_networks_leave_nothing_out():
    """The drawn networks must go on covering what this file says they cover."""
    cases = [random_case(index) for index in range(NETWORKS)]
    layers = [layer for case in cases for layer in case.layers]
    hidden = {layer["activation"] for case in cases for layer in case.layers[:-1]}
    assert hidden == set(FITTING)
    assert {(case.layers[-1]["activation"], case.create["loss"]) for case in cases} == set(ENDINGS)
    assert {len(case.layers) for case in cases} == set(range(1, DEPTH_MAX + 1))
    assert {len(case.inputs) for case in cases} == set(range(1, EXAMPLES_MAX + 1))
    assert {layer["units"] for layer in layers} >= {1, 2, 3, WIDTH_MAX}
    assert {type(layer.get("bias")) for layer in layers} == {type(None), bool, list}
    assert {("weights" in layer, "init" in layer) for layer in layers} == {(True, False), (False, True), (False, False)}


@pytest.mark.parametrize("index", range(NETWORKS))
def test_every_answer_of_a_random_network_rechecks(server, index):
    case = random_case(index)
    path = f"/v1/sessions/recheck-{index}"
    server.put(path, case.create, status=201)

    forward = server.post(f"{path}/forward", {"inputs": case.inputs})
    judged = server.post(f"{path}/forward", case.batch)
    backward = server.post(f"{path}/backward", case.batch)
    first = server.post(f"{path}/step", case.batch)
    second = server.post(f"{path}/step", {**case.batch, "learning_rate": 0.125})
    explained = server.post("/v1/explain", {**case.create, **case.batch})
    for trace in (forward, judged, backward, first, second, explained):
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

    # A step starts where the one before it ended.
    assert parameters_used(second) == parameters_after(first)
    assert second["loss"]["value"] == first["update"]["loss_after"]
    assert second["update"]["optimizer"]["learning_rate"] == 0.125
    weights = server.get(f"{path}/weights")
    assert [(layer["name"], layer["parameters"]) for layer in weights["layers"]] == parameters_after(second)


def numbers(value: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every float of a trace: its pointer, and the container with the key under which it stands."""
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        here = f"{pointer}/{key}"
        if isinstance(member, float):
            yield here, value, key
        elif isinstance(member, (dict, list)):
            yield from numbers(member, here)


def noticed(trace: dict, pointer: str, container: Any, key: Any) -> None:
    """Changes one number, asks the re-checker, and puts it back."""
    original = container[key]
    if GIVEN.match(pointer):
        # A given number has nothing to be compared with, but what follows from it does not fit any more. By much,
        # because a last bit may be lost where its successors are rounded.
        container[key] = original + 1.0
        assert recheck(trace), f"{pointer} was changed by 1 and nobody noticed"
    else:
        for towards in (-math.inf, math.inf):
            container[key] = math.nextafter(original, towards)
            assert pointer in [mismatch.pointer for mismatch in recheck(trace)], f"{pointer} was flipped unnoticed"
    container[key] = original


def explain(server, case: Case) -> dict:
    trace = server.post("/v1/explain", {**case.create, **case.batch})
    holds(trace)
    return trace


@pytest.mark.parametrize(("activation", "loss"), ENDINGS)
def test_one_wrong_bit_anywhere_in_a_small_trace_is_noticed(server, activation, loss):
    draw = random.Random(f"flips {activation} {loss}")
    case = make_case(draw, [2, 3, 2], [activation, activation], loss, examples=2)
    # Fixed weights and a bias in both layers: every kind of number is there, and no input is without effect.
    for layer, fan_in in zip(case.layers, (2, 3), strict=True):
        layer.pop("init", None)
        layer["weights"] = [[draw.uniform(0.1, 0.9) for _ in range(layer["units"])] for _ in range(fan_in)]
        layer["bias"] = [draw.uniform(-0.5, 0.5) for _ in range(layer["units"])]
    trace = explain(server, case)
    places = list(numbers(trace))
    assert len(places) > 100
    for place in places:
        noticed(trace, *place)
    holds(trace)


@pytest.mark.parametrize("index", range(8))
def test_one_wrong_bit_in_a_large_trace_is_noticed(server, index):
    draw = random.Random(f"flips {index}")
    activation, loss = draw.choice(ENDINGS)
    activations = [*draw.choices(list(FITTING), k=3), activation]
    trace = explain(server, make_case(draw, [12, 20, 9, 15, 5], activations, loss, examples=4))
    computed = [place for place in numbers(trace) if not GIVEN.match(place[0])]
    for place in draw.sample(computed, FLIPS_IN_A_LARGE_TRACE):
        noticed(trace, *place)
