"""What if: the differences are laid over the trace as it was, and what comes out must hold number by number, but for
the very numbers that were set. A weight, an input or a target is also really changed elsewhere, and that must agree."""

import copy
import random
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import Client
from networks import Case, random_case
from recheck import recheck
from small_networks import small_case
from trace_parts import parts

NETWORKS = 36
NUMBERS_EACH = 8
# Settings and counts; everything else that is a number is a quantity.
SETTINGS = {"step", "timestep", "epsilon", "rate", "optimizer", "momentum"}
# What a pass finds rather than computes, and the loss afterwards, which is another pass.
NOT_SET = {"before", "loss_after"}


def what_if(server: Client, path: str, batch: dict, *overrides: dict) -> list[dict]:
    answer = server.post(path, {**batch, "what_if": list(overrides)}, 200)
    assert answer["format"] == "chainrule.what-if/1"
    assert answer["what_if"] == list(overrides)
    return answer["differences"]


def overlaid(trace: dict, differences: list[dict]) -> dict:
    """The trace with the differences in it; each says truly what was there, and is one."""
    changed = copy.deepcopy(trace)
    pointers = [one["pointer"] for one in differences]
    assert len(set(pointers)) == len(pointers)
    order = {pointer: number for number, (pointer, _) in enumerate(quantities(trace))}
    assert pointers == sorted(pointers, key=order.__getitem__)
    for one in differences:
        *way, last = one["pointer"].split("/")[1:]
        place = changed
        for step in way:
            place = place[step if isinstance(place, dict) else int(step)]
        last = last if isinstance(place, dict) else int(last)
        assert place[last] == one["was"]
        assert one["is"] != one["was"] or str(one["is"]) != str(one["was"])
        place[last] = one["is"]
    return changed


def quantities(value: Any, pointer: str = "") -> Iterator[tuple[str, float]]:
    """Every number that is no setting, with its pointer."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in SETTINGS:
                yield from quantities(inner, f"{pointer}/{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from quantities(inner, f"{pointer}/{number}")
    elif isinstance(value, float | int):
        yield pointer, value


def settable(trace: dict) -> list[str]:
    return [pointer for pointer, _ in quantities(trace) if not NOT_SET & set(pointer.split("/"))]


def made(server: Client, case: Case) -> str:
    return server.post("/v1/sessions", case.create, 201)["name"]


def holds_but_for(trace: dict, *pointers: str) -> None:
    broken = [mismatch for mismatch in recheck(trace) if mismatch.pointer not in pointers]
    assert broken == []


@pytest.mark.parametrize("index", range(NETWORKS))
def test_every_quantity_can_be_set(server: Client, index: int):
    case = small_case(index)
    draw = random.Random(f"what if {index}")
    explained = {**case.create, **case.batch}
    trace = server.post("/v1/explain", explained, 200)
    assert recheck(trace) == []
    choice = settable(trace)
    for pointer in draw.sample(choice, min(NUMBERS_EACH, len(choice))):
        # Every quantity may be between 0 and 1, an output that is to be a probability too; a mask drops or does not.
        was, value = dict(quantities(trace))[pointer], 0.0 if "/mask/" in pointer else draw.uniform(0.05, 0.95)
        differences = what_if(server, "/v1/explain", explained, {"at": pointer, "set": value})
        assert ({"pointer": pointer, "was": was, "is": value} in differences) == (was != value)
        holds_but_for(overlaid(trace, differences), pointer)


@pytest.mark.parametrize("index", range(0, 30, 2))
def test_a_session_is_asked_and_stays_as_it_was(server: Client, index: int):
    case = random_case(index)
    session = made(server, case)
    shown, path = server.get(f"/v1/sessions/{session}"), f"/v1/sessions/{session}/backward"
    trace = server.post(path, case.batch)
    draw = random.Random(index)
    # Not every loss takes just any target.
    choice = [pointer for pointer in settable(trace) if not pointer.startswith("/loss/targets")]
    for pointer in draw.sample(choice, 3):
        differences = what_if(server, path, case.batch, {"at": pointer, "set": 0.25})
        holds_but_for(overlaid(trace, differences), pointer)
    assert server.get(f"/v1/sessions/{session}") == shown
    assert server.post(path, case.batch) == trace


@pytest.mark.parametrize("index", range(NETWORKS))
def test_a_weight_really_changed_gives_the_same(server: Client, index: int):
    case = small_case(index)
    session, twin = made(server, case), made(server, case)
    path = f"/v1/sessions/{session}/backward"
    trace = server.post(path, case.batch)
    choice = [pointer for pointer, _ in quantities(trace["forward"], "/forward") if "/parameters/" in pointer]
    pointer = random.Random(index).choice(choice)
    differences = what_if(server, path, case.batch, {"at": pointer, "set": 0.375})
    changed = overlaid(trace, differences)

    server.put(f"/v1/sessions/{twin}/weights", {"layers": learned(changed["forward"]["layers"])}, 200)
    really = server.post(f"/v1/sessions/{twin}/backward", case.batch)
    for section in ("forward", "loss", "backward", "update"):
        assert changed[section] == really[section]


def learned_after(layers: list[dict]) -> list[dict]:
    """The same out of an update, whose layers come from the top."""
    found = []
    for layer in reversed(layers):
        one = {"name": layer["name"]}
        if "parameters" in layer:
            one["parameters"] = {name: update["after"] for name, update in layer["parameters"].items()}
        if "layers" in layer:
            one["layers"] = learned_after(layer["layers"])
        found.append(one)
    return found


def learned(layers: list[dict]) -> list[dict]:
    found = []
    for layer in layers:
        one = {"name": layer["name"]}
        if "parameters" in layer:
            one["parameters"] = layer["parameters"]
        if "layers" in layer:
            one["layers"] = learned(layer["layers"])
        found.append(one)
    return found


@pytest.mark.parametrize("part", ["inputs", "targets"])
@pytest.mark.parametrize("index", range(0, NETWORKS, 2))
def test_other_data_give_the_same(server: Client, index: int, part: str):
    """An input or a target that is set is the same as one that was sent, in the loss after the step too."""
    case = small_case(index)
    # A set target is judged as it is; to keep it a distribution the losses of probabilities are left to the inputs.
    if part == "targets" and case.create["loss"] == "cross_entropy":
        case = small_case(index + 1)
    trace = server.post("/v1/explain", {**case.create, **case.batch}, 200)
    row, column = len(case.inputs) - 1, len(case.batch[part][0]) - 1
    pointer = f"/{'forward' if part == 'inputs' else 'loss'}/{part}/{row}/{column}"
    differences = what_if(server, "/v1/explain", {**case.create, **case.batch}, {"at": pointer, "set": 0.625})
    batch = copy.deepcopy(case.batch)
    batch[part][row][column] = 0.625
    assert overlaid(trace, differences) == server.post("/v1/explain", {**case.create, **batch}, 200)


@pytest.mark.parametrize("index", range(0, NETWORKS, 2))
def test_an_ablated_unit_puts_out_nothing(server: Client, index: int):
    case = small_case(index)
    session, twin = made(server, case), made(server, case)
    path = f"/v1/sessions/{session}/backward"
    trace = server.post(path, case.batch)
    layer = random.Random(index).choice(parts(trace)[:-1])
    unit = len(layer.up["outputs"][0]) - 1
    ablate = {"ablate": {"layer": layer.name, "unit": unit}}
    changed = overlaid(trace, what_if(server, path, case.batch, ablate))
    outputs = next(part for part in parts(changed) if part.name == layer.name).up["outputs"]
    assert all(row[unit] == 0.0 for row in outputs)
    prefix = next(pointer for pointer, one in pointers(trace["forward"]["layers"], "/forward") if one == layer.name)
    # What puts out a constant has no slope; where there is none, what arrives at the unit goes no further.
    if "derivatives" in layer.up:
        ends = f"{prefix}/derivatives"
    else:
        ends = next(one for one, name in pointers(trace["backward"]["layers"], "/backward") if name == layer.name)
        ends += "/errors"
    set_to_zero = [f"{at}/{row}/{unit}" for at in (f"{prefix}/outputs", ends) for row in range(len(outputs))]
    holds_but_for(changed, *set_to_zero)
    down = next(part for part in parts(changed) if part.name == layer.name).down
    if layer.up["kind"] != "residual" and layer.up["kind"] != "layer_norm":
        assert all(row[unit] == 0.0 for row in down["deltas"])
    if layer.up["kind"] == "dense":
        assert all(row[unit] == 0.0 for row in down["gradients"]["weights"])
    # The same as each of these numbers set to 0.
    each = [{"at": pointer, "set": 0.0} for pointer in set_to_zero]
    assert overlaid(trace, what_if(server, path, case.batch, *each)) == changed
    # After the step the unit is still missing.
    explained = {**case.create, **case.batch}
    stepped = overlaid(server.post("/v1/explain", explained), what_if(server, "/v1/explain", explained, ablate))
    server.put(f"/v1/sessions/{twin}/weights", {"layers": learned_after(changed["update"]["layers"])}, 200)
    after = server.post(f"/v1/sessions/{twin}/forward", case.batch)
    without = what_if(server, f"/v1/sessions/{twin}/forward", case.batch, ablate)
    assert stepped["update"]["loss_after"] == overlaid(after, without)["loss"]["value"]


def pointers(layers: list[dict], outer: str) -> Iterator[tuple[str, str]]:
    for number, layer in enumerate(layers):
        yield f"{outer}/layers/{number}", layer["name"]
        yield from pointers(layer.get("layers", []), f"{outer}/layers/{number}")


def test_forward_alone_is_answered_to_its_end(server: Client):
    session = server.post("/v1/sessions", {"preset": "worked-example"}, 201)["name"]
    path = f"/v1/sessions/{session}/forward"
    trace = server.post(path, {})
    changed = overlaid(trace, what_if(server, path, {}, {"at": "/forward/layers/0/outputs/0/1", "set": 0.0}))
    holds_but_for(changed, "/forward/layers/0/outputs/0/1")
    assert changed["forward"]["layers"][1]["pre_activations"] == [
        [trace["forward"]["layers"][0]["outputs"][0][0] * 0.6]
    ]
    # What is set to what it was makes no difference.
    assert what_if(server, path, {}, {"at": "/forward/inputs/0/0", "set": 0.5}) == []


SET = {"at": "/forward/inputs/0/0", "set": 0.1}


@pytest.mark.parametrize(
    ("overrides", "status", "pointer"),
    [
        ([SET] * 100, 200, None),
        ([SET] * 101, 422, "/what_if"),
        ([], 422, "/what_if"),
        ([SET, {"at": "/forward/inputs/0/2", "set": 0.1}], 422, "/what_if/1/at"),
        ([{"at": "/forward/inputs/1/0", "set": 0.1}], 422, "/what_if/0/at"),
        ([{"at": "/forward/inputs", "set": 0.1}], 422, "/what_if/0/at"),
        ([{"at": "/backward/layers/0/deltas/0/0", "set": 0.1}], 422, "/what_if/0/at"),
        ([{"at": "", "set": 0.1}], 422, "/what_if/0/at"),
        ([{"ablate": {"layer": "hidden", "unit": 1}}], 200, None),
        ([{"ablate": {"layer": "hidden", "unit": 2}}], 422, "/what_if/0/ablate/unit"),
        ([{"ablate": {"layer": "nobody", "unit": 0}}], 422, "/what_if/0/ablate/layer"),
    ],
)
def test_what_cannot_be_otherwise_is_refused_where_it_stands(
    server: Client, overrides: list, status: int, pointer: str | None
):
    """By a forward pass, which has no deltas."""
    session = server.post("/v1/sessions", {"preset": "worked-example"}, 201)["name"]
    answer = server.post(f"/v1/sessions/{session}/forward", {"what_if": overrides}, status)
    if pointer:
        assert [fault["pointer"] for fault in answer["errors"]] == [pointer]
