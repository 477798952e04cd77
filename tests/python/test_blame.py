"""Blame against the trace: what each unit receives, who passes it on, and what the slope does to it."""

import pytest

from conftest import Client
from networks import random_case
from small_networks import small_case
from trace_parts import is_close, parts, total

SMALL = 54
LARGE = range(0, 30)
# All figures but the shares are the trace's own numbers or one product of them.
SHARE = 1e-12


def blame(server: Client, create: dict, batch: dict, example: int) -> tuple[dict, dict]:
    """The trace, and the blame of one of its rows."""
    session = server.post("/v1/sessions", create, 201)["name"]
    trace = server.post(f"/v1/sessions/{session}/backward", batch)
    return trace, server.post(f"/v1/sessions/{session}/blame", {**batch, "example": example}, 200)


def shares(values: list[float]) -> list[float]:
    whole = total([abs(value) for value in values])
    return [abs(value) / whole if whole > 0.0 else 0.0 for value in values]


def senders(ups: list[dict], downs: list[dict], example: int) -> dict[str, list]:
    """For each layer, what the layers above pass down to it: (layer, deltas, weights or None for as they are)."""
    found: dict[str, list] = {}

    def passed_by(up: dict, down: dict) -> list:
        """What a layer passes to the one below it."""
        if up["kind"] == "dense":
            return [(up["name"], down["deltas"][example], up["parameters"]["weights"])]
        if up["kind"] != "residual":
            return [(up["name"], down["deltas"][example], None)]
        around = up["parameters"]["weights"] if "parameters" in up else None
        lowest = passed_by(up["layers"][0], down["layers"][-1])
        return [*lowest, (up["name"], down["errors"][example], around)]

    def stack(ups: list[dict], downs: list[dict], above: list) -> None:
        for up, down in zip(reversed(ups), downs, strict=True):
            found[up["name"]] = above
            if "layers" in up:
                stack(up["layers"], down["layers"], [(up["name"], down["errors"][example], None)])
            above = passed_by(up, down)

    stack(ups, downs, [])
    return found


def agrees(trace: dict, found: dict, example: int) -> None:
    by_name = {part.name: part for part in parts(trace)}
    above = senders(trace["forward"]["layers"], trace["backward"]["layers"], example)
    assert found["example"] == example
    assert [layer["name"] for layer in found["layers"]] == top_down(trace["backward"]["layers"])
    for layer in found["layers"]:
        part, units = by_name[layer["name"]], layer["units"]
        errors = part.down["errors"][example]
        # A block's own deltas are of its inputs; nothing stands between its outputs and their errors.
        deltas = errors if part.up["kind"] == "residual" else part.down["deltas"][example]
        assert [unit["unit"] for unit in units] == list(range(len(errors)))
        assert [unit["error"] for unit in units] == errors
        assert [unit["delta"] for unit in units] == deltas
        for name, values in (("error_share", errors), ("delta_share", deltas)):
            for unit, share in zip(units, shares(values), strict=True):
                assert is_close(unit[name], share, SHARE)
        slopes = part.up.get("derivatives")
        for number, unit in enumerate(units):
            assert unit.get("slope") == (slopes[example][number] if slopes else None)
            if slopes:
                assert unit["delta"] == unit["error"] * unit["slope"]
        received_agrees(units, above[layer["name"]])


def top_down(downs: list[dict]) -> list[str]:
    return [name for down in downs for name in [down["name"], *top_down(down.get("layers", []))]]


def received_agrees(units: list[dict], above: list) -> None:
    for number, unit in enumerate(units):
        expected, sums = [], []
        for sender, deltas, weights in above:
            ways = [(number, 1.0)] if weights is None else list(enumerate(weights[number]))
            terms = [deltas[k] * weight for k, weight in ways]
            expected += [(sender, k, deltas[k], weight, term) for (k, weight), term in zip(ways, terms, strict=True)]
            sums.append(total(terms))
        got = [tuple(one[key] for key in ("layer", "from", "delta", "weight", "term")) for one in unit["received"]]
        assert got == expected
        if above:
            assert unit["error"] == total(sums)
    # What a unit above passes on is shared in proportion to its connections: before any slope.
    for sender, deltas, weights in above:
        for k in range(len(deltas)):
            mine = [
                (number, one)
                for number, unit in enumerate(units)
                for one in unit["received"]
                if (one["layer"], one["from"]) == (sender, k)
            ]
            ways = [weights[number][k] if weights else 1.0 for number, _ in mine]
            terms = shares([deltas[k] * way for way in ways])
            for (_, one), share, connection in zip(mine, terms, shares(ways), strict=True):
                assert is_close(one["share"], share, SHARE)
                if deltas[k] != 0.0:
                    assert is_close(one["share"], connection, SHARE)


@pytest.mark.parametrize("index", range(SMALL))
def test_small_networks(server: Client, index: int):
    case = small_case(index)
    example = index % len(case.inputs)
    agrees(*blame(server, case.create, case.batch, example), example)


@pytest.mark.parametrize("index", LARGE)
def test_random_networks(server: Client, index: int):
    case = random_case(index)
    example = len(case.inputs) - 1
    agrees(*blame(server, case.create, case.batch, example), example)


def test_blame_is_proportional_to_the_connection_only_before_the_slope(server: Client):
    """The tutorial's point: the errors of the hidden units are as 0.6 to 0.4, their deltas are not."""
    trace, found = blame(server, {"preset": "worked-example"}, {}, 0)
    agrees(trace, found, 0)
    output, hidden = found["layers"]
    assert output["units"][0]["received"] == []
    first, second = hidden["units"]
    assert is_close(first["error"] / second["error"], 0.6 / 0.4, SHARE)
    assert is_close(first["error_share"], 0.6, SHARE) and is_close(second["error_share"], 0.4, SHARE)
    assert first["received"][0]["share"] == first["error_share"]
    slopes = first["slope"] / second["slope"]
    assert abs(slopes - 1.0) > 1e-3
    assert is_close(first["delta"] / second["delta"], 0.6 / 0.4 * slopes, SHARE)
    assert abs(first["delta_share"] - 0.6) > 1e-4


@pytest.mark.parametrize(("example", "status"), [(0, 200), (7, 200), (8, 422)])
def test_the_row_must_be_there(server: Client, example: int, status: int):
    session = server.post("/v1/sessions", {"preset": "telephone"}, 201)["name"]
    answer = server.post(f"/v1/sessions/{session}/blame", {"example": example}, status)
    if status == 200:
        assert answer["example"] == example
    else:
        assert [fault["pointer"] for fault in answer["errors"]] == ["/example"]
