"""The re-checker, which says that the server's traces hold, would notice one wrong bit, wherever in a trace it is.

In a trace of every kind of layer one number of FLIPS_EVERY is tried, which ones is drawn; `make soak` tries all.
"""

import math
import os
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from networks import ENDINGS, FITTING, MODES, Case, deep_case, make_case
from recheck import recheck

# What a trace is given, not what it computes.
GIVEN = re.compile(
    r"/forward/inputs/|/loss/targets/|/forward/(layers/\d+/)+(parameters/|epsilon|rate)|/update/optimizer/"
    r"|.*/before/|.*/running/momentum"
)
FLIPS_IN_A_LARGE_TRACE = 25
EVERY = int(os.environ.get("FLIPS_EVERY", "5"))

# The second update of each shows what it remembers of the first; the gradients are large enough to be clipped.
MEMORIES = [
    {"kind": "sgd", "momentum": 0.9},
    {"kind": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 0.02},
    {"kind": "rmsprop", "weight_decay": 0.02},
    {"kind": "adam", "weight_decay": 0.02, "clip_norm": 0.01},
    {"kind": "adamw"},
    {"kind": "adagrad", "clip_norm": 0.01},
]


def numbers(value: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every float of a trace: its pointer, and the container with the key under which it stands."""
    for key, member in value.items() if isinstance(value, dict) else enumerate(value):
        here = f"{pointer}/{key}"
        if isinstance(member, float):
            yield here, value, key
        elif isinstance(member, (dict, list)):
            yield from numbers(member, here)


def given(trace: dict, pointer: str) -> bool:
    if found := re.match(r"/forward/(.+)/(?:mean|variance)/", pointer):
        layer = trace["forward"]
        for step in found[1].split("/"):
            layer = layer[int(step) if step.isdecimal() else step]
        # Not from this batch but gathered in training.
        return layer.get("statistics") == "running"
    return GIVEN.match(pointer) is not None


def noticed(trace: dict, pointer: str, container: Any, key: Any) -> None:
    """Changes one number, asks the re-checker, and puts it back."""
    original = container[key]
    if given(trace, pointer):
        # A given number has nothing to be compared with, but what follows from it does not fit any more. By much,
        # because a last bit may be lost where its successors are rounded.
        container[key] = original + 1.0
        assert recheck(trace), f"{pointer} was changed by 1 and nobody noticed"
    else:
        for towards in (-math.inf, math.inf):
            container[key] = math.nextafter(original, towards)
            assert pointer in [mismatch.pointer for mismatch in recheck(trace)], f"{pointer} was flipped unnoticed"
    container[key] = original


def drawn(places: list) -> list:
    return places[random.randrange(EVERY) :: EVERY]


def explain(server, case: Case) -> dict:
    trace = server.post("/v1/explain", {**case.create, **case.batch})
    assert recheck(trace) == []
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
    assert recheck(trace) == []


@pytest.mark.parametrize("index", range(8))
def test_one_wrong_bit_in_a_large_trace_is_noticed(server, index):
    draw = random.Random(f"flips {index}")
    activation, loss = draw.choice(ENDINGS)
    activations = [*draw.choices(list(FITTING), k=3), activation]
    trace = explain(server, make_case(draw, [12, 20, 9, 15, 5], activations, loss, examples=4))
    computed = [place for place in numbers(trace) if not given(trace, place[0])]
    for place in draw.sample(computed, FLIPS_IN_A_LARGE_TRACE):
        noticed(trace, *place)


@pytest.mark.parametrize("mode", MODES)
def test_one_wrong_bit_in_any_kind_of_layer_is_noticed(server, mode):
    trace = explain(server, deep_case(mode, {"kind": "sgd"}))
    places = list(numbers(trace))
    assert len(places) > 500
    for place in drawn(places):
        noticed(trace, *place)
    assert recheck(trace) == []


@pytest.mark.parametrize("index", range(len(MEMORIES)))
def test_one_wrong_bit_in_any_kind_of_update_is_noticed(server, index):
    case = deep_case("train", MEMORIES[index])
    path = f"/v1/sessions/memory-{index}"
    server.put(path, case.create, status=201)
    server.post(f"{path}/step", case.batch)
    trace = server.post(f"{path}/step", case.batch)
    assert recheck(trace) == []
    places = list(numbers(trace["update"], "/update"))
    assert len(places) > 200
    for place in drawn(places):
        noticed(trace, *place)
    assert recheck(trace) == []


def test_a_computed_zero_with_the_other_sign_is_noticed(server):
    draw = random.Random("zeros")
    case = make_case(draw, [3, 8, 2], ["relu", "linear"], "half_squared_error", examples=3)
    trace = explain(server, case)
    zeros = [place for place in numbers(trace) if not given(trace, place[0]) and place[1][place[2]] == 0]
    assert len(zeros) > 10
    for pointer, container, key in zeros:
        original, container[key] = container[key], -container[key]
        assert pointer in [mismatch.pointer for mismatch in recheck(trace)], f"{pointer} was turned unnoticed"
        container[key] = original
