"""The gradient check against the same differences taken from outside: weights replaced, the loss asked for."""

import copy
import random

import pytest

from conftest import Client
from networks import Case, with_inner
from small_networks import small_case
from trace_parts import at, indices, part_of, parts

NETWORKS = 27
OUTSIDE_EACH = 6
# The cube root of 2^-52.
STEP = (2.0**-52) ** (1.0 / 3.0)
KINKED = ("relu", "leaky_relu")


def made(server: Client, create: dict) -> str:
    return server.post("/v1/sessions", create, 201)["name"]


def check(server: Client, session: str, batch: dict, **more: int) -> dict:
    return server.post(f"/v1/sessions/{session}/gradient-check", {**batch, **more}, 200)


def places(trace: dict) -> list[tuple[str, str, tuple]]:
    return [
        (part.name, name, tuple(index))
        for part in parts(trace)
        for name, values in part.up.get("parameters", {}).items()
        for index in indices(values)
    ]


def place(one: dict) -> tuple[str, str, tuple]:
    return one["layer"], one["parameter"], tuple(one["index"])


class Outside:
    """The loss of a session whose weights are replaced one at a time."""

    def __init__(self, server: Client, case: Case):
        self.server, self.case, self.session = server, case, made(server, case.create)
        weights = server.get(f"/v1/sessions/{self.session}/weights")["layers"]
        self.layers = weights

    def trace(self, layer: str, parameter: str, index: tuple, value: float) -> dict:
        changed = copy.deepcopy(self.layers)
        values = next(one for one in with_inner(changed) if one["name"] == layer)["parameters"][parameter]
        for step in index[:-1]:
            values = values[step]
        values[index[-1]] = value
        self.server.put(f"/v1/sessions/{self.session}/weights", {"layers": changed}, 200)
        return self.server.post(f"/v1/sessions/{self.session}/forward", self.case.batch, 200)


def sides(trace: dict) -> list:
    """On which side of its kink each unit lies."""
    return [
        [[slope == 1.0 for slope in row] for row in layer["derivatives"]]
        for layer in with_inner(trace["forward"]["layers"])
        if layer.get("activation") in KINKED
    ]


def agrees(one: dict, trace: dict, outside: Outside) -> None:
    layer, parameter, index = place(one)
    part = part_of(trace, layer)
    value = at(part.up["parameters"][parameter], list(index))
    assert one["analytic"] == at(part.down["gradients"][parameter], list(index))
    assert abs(one["step"] - STEP * max(1.0, abs(value))) <= 1e-12 * one["step"]
    above, below = value + one["step"], value - one["step"]
    up, down = (outside.trace(layer, parameter, index, moved) for moved in (above, below))
    numeric = (up["loss"]["value"] - down["loss"]["value"]) / (above - below)
    assert one["numeric"] == numeric
    assert one["kink"] == (sides(up) != sides(down))
    scale = max(abs(one["analytic"]), abs(numeric))
    expected = abs(one["analytic"] - numeric) / scale if scale else 0.0
    assert abs(one["relative_error"] - expected) <= 1e-12
    # What the rounding of the losses makes of six digits.
    assert one["resolved"] == (scale >= 2.0**-52 * abs(trace["loss"]["value"]) / (above - below) * 1e6)


@pytest.mark.parametrize("index", range(NETWORKS))
def test_the_differences_are_those_taken_from_outside(server: Client, index: int):
    case = small_case(index)
    session = made(server, case.create)
    trace = server.post(f"/v1/sessions/{session}/backward", case.batch)
    found = check(server, session, case.batch)
    every = places(trace)
    assert [place(one) for one in found["parameters"]] == every
    assert found["checked"] == found["of"] == len(every)
    smooth = [one["relative_error"] for one in found["parameters"] if one["resolved"] and not one["kink"]]
    assert found["max_relative_error"] == max(smooth, default=None)
    assert max(smooth, default=0.0) < 1e-4
    assert found["unresolved"] == sum(not one["resolved"] for one in found["parameters"])
    outside = Outside(server, case)
    for one in random.Random(index).sample(found["parameters"], min(OUTSIDE_EACH, len(every))):
        agrees(one, trace, outside)


def relu_case(a: float, activation: str = "relu") -> Case:
    """One unit whose pre-activation is `a` and whose input is 1: its weight and its bias move it as they move."""
    layers = [
        {"kind": "dense", "units": 1, "activation": activation, "weights": [[0.5]], "bias": [a - 0.5]},
        {"kind": "dense", "units": 1, "weights": [[2.0]], "bias": False},
    ]
    return Case({"network": {"inputs": 1, "layers": layers}}, [[1.0]], [[3.0]])


NEAR = [(0.5, False), (1e-4, False), (1e-6, True), (0.0, True), (-1e-6, True), (-1e-4, False)]


@pytest.mark.parametrize("activation", [*KINKED, "tanh", "elu"])
@pytest.mark.parametrize(("a", "near"), NEAR)
def test_a_kink_within_the_step_is_told(server: Client, activation: str, a: float, near: bool):
    case = relu_case(a, activation)
    session = made(server, case.create)
    trace = server.post(f"/v1/sessions/{session}/backward", case.batch)
    found = check(server, session, case.batch)
    kinks = {place(one): one["kink"] for one in found["parameters"]}
    kinked = near and activation in KINKED
    assert kinks == {
        ("layer1", "weights", (0, 0)): kinked,
        ("layer1", "bias", (0,)): kinked,
        ("layer2", "weights", (0, 0)): False,
    }
    for one in found["parameters"]:
        agrees(one, trace, Outside(server, case))
    # A kink does not count as an error of the gradient.
    assert (found["max_relative_error"] or 0.0) < 1e-4
    if kinked:
        assert max(one["relative_error"] for one in found["parameters"]) > 1e-2


@pytest.mark.parametrize(("a", "kink"), [(20.0, True), (19.9, False), (20.1, False)])
def test_softplus_has_a_kink_at_its_threshold(server: Client, a: float, kink: bool):
    case = relu_case(a, "softplus")
    found = check(server, made(server, case.create), case.batch)
    assert [one["kink"] for one in found["parameters"]] == [kink, kink, False]


def test_what_no_difference_of_losses_can_show_is_told(server: Client):
    """A loss of half a million hides a gradient of a thousandth."""
    layers = [{"kind": "dense", "units": 1, "weights": [[1e-6]], "bias": [bias]} for bias in (0.0, 1000.0)]
    case = Case({"network": {"inputs": 1, "layers": layers}}, [[1.0]], [[0.0]])
    found = check(server, made(server, case.create), case.batch)
    told = {place(one): (one["resolved"], one["relative_error"] > 1e-4) for one in found["parameters"]}
    assert told[("layer1", "weights", (0, 0))] == (False, True)
    assert told[("layer2", "bias", (0,))] == (True, False)
    assert found["unresolved"] == sum(not resolved for resolved, _ in told.values())
    assert found["max_relative_error"] < 1e-6


def wide_case() -> Case:
    """2,000 parameters and one more."""
    layers = [
        {"kind": "dense", "units": 50, "activation": "tanh", "bias": False},
        {"kind": "dense", "units": 1, "bias": True},
    ]
    create = {"network": {"inputs": 39, "layers": layers}, "seed": 4}
    draw = random.Random("wide")
    return Case(create, [[draw.gauss(0.0, 1.0) for _ in range(39)]], [[0.5]])


def test_a_sample_is_drawn_by_the_seed_in_order(server: Client):
    case = wide_case()
    session = made(server, case.create)
    every = places(server.post(f"/v1/sessions/{session}/backward", case.batch))
    assert len(every) == 2001

    def sample(**more: int) -> list[tuple]:
        found = check(server, session, case.batch, **more)
        assert found["of"] == 2001 and found["checked"] == len(found["parameters"])
        return [place(one) for one in found["parameters"]]

    first = sample(sample=40, seed=1)
    assert len(first) == 40 and first == sample(sample=40, seed=1)
    assert first != sample(sample=40, seed=2)
    assert sample(sample=40) == sample(sample=40, seed=0)
    chosen = set(first)
    assert first == [one for one in every if one in chosen]
    # Every parameter can be drawn, the last one too: over the seeds each comes about as often as any other.
    drawn = [one for seed in range(60) for one in sample(sample=100, seed=seed)]
    halves = sum(every.index(one) < len(every) // 2 for one in drawn[::7])
    assert 0.4 < halves / len(drawn[::7]) < 0.6
    # All but one, where there is one more than can be checked at once.
    assert len(set(sample())) == 2000


@pytest.mark.parametrize(("sample", "status"), [(0, 400), (1, 200), (2000, 200), (2001, 400)])
def test_how_many_can_be_checked(server: Client, sample: int, status: int):
    session = made(server, {"preset": "mazur"})
    answer = server.post(f"/v1/sessions/{session}/gradient-check", {"sample": sample}, status)
    if status == 200:
        assert answer["checked"] == min(sample, 12) and answer["of"] == 12
    else:
        assert [fault["pointer"] for fault in answer["errors"]] == ["/sample"]


def test_nothing_changes(server: Client):
    session = made(server, {"preset": "mazur"})
    before = server.get(f"/v1/sessions/{session}")
    check(server, session, {})
    assert server.get(f"/v1/sessions/{session}") == before
