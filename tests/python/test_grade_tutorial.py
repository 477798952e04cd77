"""The tutorial's own printed numbers, every way of telling them, and what may be told at all."""

import copy
import random
from itertools import zip_longest
from typing import Any

import pytest

from conftest import Client
from networks import random_case
from small_networks import small_case
from test_what_if import settable

# As printed, rounded.
PRINTED = {
    "a": {"forward": {"layers": [{"pre_activations": [[0.26, 0.30]]}]}},
    "h": {"forward": {"layers": [{"outputs": [[0.565, 0.574]]}]}},
    "b": {"forward": {"layers": [{}, {"pre_activations": [[0.569]]}]}},
    "y": {"forward": {"outputs": [[0.638]]}},
    "E": {"loss": {"value": 0.065}},
    "delta of the output": {"backward": {"layers": [{"deltas": [[0.083]]}]}},
    "deltas": {"backward": {"layers": [{}, {"deltas": [[0.012, 0.008]]}]}},
    "change of v": {"update": {"layers": [{"parameters": {"weights": {"change": [[0.024], [0.024]]}}}]}},
    "change of w11": {
        "update": {"layers": [{}, {"parameters": {"weights": {"change": [[0.003, None], [None, None]]}}}]},
    },
}
SIGN = {"delta of the output": "downhill", "deltas": "downhill"}


def grade(server: Client, claim: dict, status: int = 200, **more: object) -> dict:
    return server.post("/v1/grade", {"preset": "worked-example", "claim": claim, **more}, status)


def merged(*claims: dict) -> dict:
    """Claims laid one over another; layers by their place."""
    result: Any = {}
    for claim in claims:
        result = _merged(result, claim)
    return result


def _merged(a: Any, b: Any) -> Any:
    if isinstance(a, dict) and isinstance(b, dict):
        return {key: _merged(a.get(key), b.get(key)) for key in {**a, **b}}
    if isinstance(a, list) and isinstance(b, list) and a and isinstance(a[0], dict):
        return [_merged(*pair) for pair in zip_longest(a, b, fillvalue={})]
    return b if a is None else a


@pytest.mark.parametrize("name", PRINTED)
def test_each_printed_number_is_right(server: Client, name: str):
    answer = grade(server, PRINTED[name])
    assert (answer["verdict"], answer["sign"], answer["first_wrong"]) == ("right", SIGN.get(name), None)


def test_all_printed_numbers_are_right_together(server: Client):
    answer = grade(server, merged(*PRINTED.values()))
    assert (answer["verdict"], answer["sign"], answer["compared"]) == ("right", "downhill", 13)


def test_whoever_points_uphill_is_right_too(server: Client):
    claim = {"backward": {"layers": [{"deltas": [[-0.083]]}, {"deltas": [[-0.012, -0.008]]}]}}
    answer = grade(server, merged(claim, PRINTED["change of v"]))
    assert (answer["verdict"], answer["sign"]) == ("right", "gradient")


# 0.362·1, sigma at h, sigma itself, and the other named ones, at three decimals: by a pocket calculator.
MISTAKEN = {
    "slope_forgotten": {"backward": {"layers": [{"deltas": [[0.362]]}]}},
    "slope_at_outputs": {"backward": {"layers": [{"deltas": [[0.082]]}, {"deltas": [[0.011, 0.008]]}]}},
    "slope_is_activation": {"backward": {"layers": [{"deltas": [[0.231]]}]}},
    "sign_flipped": {"update": {"layers": [{"parameters": {"weights": {"change": [[-0.024], [-0.024]]}}}]}},
    "learning_rate_forgotten": {"update": {"layers": [{"parameters": {"weights": {"change": [[0.047], [0.048]]}}}]}},
    "learning_rate_twice": {"update": {"layers": [{"parameters": {"weights": {"change": [[0.012], [0.012]]}}}]}},
    "half_forgotten": {"loss": {"value": 0.131}},
    "weights_transposed": {"forward": {"layers": [{"pre_activations": [[0.29, 0.25]]}]}},
}


@pytest.mark.parametrize("code", MISTAKEN)
def test_a_students_mistake_is_named(server: Client, code: str):
    answer = grade(server, MISTAKEN[code])
    assert answer["verdict"] == "wrong"
    assert code in [mistake["code"] for mistake in answer["mistakes"]]


def test_mistakes_that_give_the_same_numbers_are_all_named(server: Client):
    """With two examples and the learning rate 0.5 three mistakes double each change, and all three are told apart
    where more is claimed."""
    layers = [{"kind": "dense", "units": 1, "bias": False, "weights": [[0.5], [0.25]]}]
    batch = {"inputs": [[1.0, 2.0], [0.5, -1.0]], "targets": [[2.0], [1.0]]}
    optimizer = {"kind": "sgd", "learning_rate": 0.5}
    body = {"network": {"inputs": 2, "layers": layers}, "optimizer": optimizer, **batch}
    trace = server.post("/v1/explain", body)
    change = [[2.0 * row[0]] for row in trace["update"]["layers"][0]["parameters"]["weights"]["change"]]
    changes = {"update": {"layers": [{"parameters": {"weights": {"change": change}}}]}}
    gradients = trace["backward"]["layers"][0]["gradients"]["weights"]
    double = {"backward": {"layers": [{"gradients": {"weights": [[2.0 * row[0]] for row in gradients]}}]}}
    same = {"backward": {"layers": [{"gradients": {"weights": gradients}}]}}
    deltas = {"backward": {"layers": [{"deltas": trace["backward"]["layers"][0]["deltas"]}]}}

    def named(*claims: dict) -> set[str]:
        answer = server.post("/v1/grade", {**body, "claim": merged(*claims)}, 200)
        return {mistake["code"] for mistake in answer["mistakes"]}

    assert named(changes) == {"learning_rate_forgotten", "sum_instead_of_mean", "half_forgotten"}
    assert named(changes, double) == {"sum_instead_of_mean", "half_forgotten"}
    assert named(changes, same) == {"learning_rate_forgotten"}
    assert named(changes, double, deltas) == {"sum_instead_of_mean"}


@pytest.mark.parametrize("index", range(30))
def test_an_answer_sent_back_whole_is_right(server: Client, index: int):
    """Every kind of layer and optimizer; and one number that is off is found, and has no name."""
    case = (small_case if index % 2 else random_case)(index)
    body = {**case.create, **case.batch}
    trace = server.post("/v1/explain", body)
    assert server.post("/v1/grade", {**body, "claim": trace}, 200)["verdict"] == "right"
    draw = random.Random(f"off {index}")
    for pointer in draw.sample(settable(trace), 4):
        claim = copy.deepcopy(trace)
        *way, last = [int(step) if step.isdecimal() else step for step in pointer.split("/")[1:]]
        place = claim
        for step in way:
            place = place[step]
        was, place[last] = place[last], place[last] * 1.0001 + 0.0123456789012345
        answer = server.post("/v1/grade", {**body, "claim": claim}, 200)
        assert (answer["verdict"], answer["mistakes"]) == ("wrong", [])
        wrong = answer["first_wrong"]
        assert (wrong["pointer"], wrong["expected"], wrong["got"]) == (pointer, was, place[last])
