"""What the re-checker says of a trace whose form is wrong, and what its command line answers."""

import copy
import json
import subprocess
import sys
from pathlib import Path

import pytest

from damage import with_value, without
from recheck import Mismatch, parse, recheck

HERE = Path(__file__).parent
WORKED_EXAMPLE = HERE.parent / "golden" / "worked-example.json"


@pytest.fixture
def trace() -> dict:
    return copy.deepcopy(parse(WORKED_EXAMPLE.read_text(encoding="utf-8"))["trace"])


def test_the_worked_example_holds(trace):
    assert recheck(trace) == []


def test_a_whole_number_is_a_number_and_zero_has_no_sign(trace):
    trace["loss"]["targets"] = [[1]]
    assert recheck(trace) == []


def test_each_mismatch_says_what_it_expected(trace):
    right = trace["forward"]["layers"][0]["outputs"][0][1]
    trace["forward"]["layers"][0]["outputs"][0][1] = 0.25
    first = recheck(trace)[0]
    assert first == Mismatch("/forward/layers/0/outputs/0/1", right, 0.25)


@pytest.mark.parametrize(
    "path",
    [
        [],
        ["forward"],
        ["forward", "layers", 1],
        ["forward", "layers", 0, "parameters"],
        ["loss"],
        ["backward"],
        ["backward", "layers", 0],
        ["backward", "layers", 1, "gradients"],
        ["update"],
        ["update", "optimizer"],
        ["update", "layers", 0],
        ["update", "layers", 0, "parameters"],
        ["update", "layers", 0, "parameters", "weights"],
    ],
)
def test_an_unknown_key_is_refused_everywhere(trace, path):
    place = trace
    for step in path:
        place = place[step]
    place["a~b/c"] = 1.0
    pointer = "".join(f"/{step}" for step in path) + "/a~0b~1c"
    assert [mismatch.pointer for mismatch in recheck(trace)] == [pointer]


WRONG_FORMS = {
    "another format": (with_value("chainrule.trace/2", "format"), "/format"),
    "no format": (without("format"), "/format"),
    "a session without its step": (with_value("demo", "session"), "/step"),
    "a step without its session": (with_value(1, "step"), "/session"),
    "no inputs": (without("forward", "inputs"), "/forward/inputs"),
    "inputs of another width": (with_value([[0.5]], "forward", "inputs"), "/forward/layers/0/parameters/weights"),
    "an empty batch": (with_value([], "forward", "inputs"), "/forward/inputs"),
    "ragged inputs": (with_value([[0.5, 0.3], [0.5]], "forward", "inputs"), "/forward/inputs/1"),
    "a row too few": (with_value([], "forward", "layers", 0, "outputs"), "/forward/layers/0/outputs"),
    "a number too many": (
        with_value([[0.1, 0.2, 0.3]], "forward", "layers", 0, "outputs"),
        "/forward/layers/0/outputs/0",
    ),
    "a text for a number": (with_value("0.5", "loss", "value"), "/loss/value"),
    "true for a number": (with_value([[True]], "loss", "targets"), "/loss/targets/0/0"),
    "null for a number": (with_value(None, "loss", "value"), "/loss/value"),
    "infinity": (with_value(float("inf"), "loss", "value"), "/loss/value"),
    "an integer beyond the doubles": (with_value(10**400, "loss", "value"), "/loss/value"),
    "an unknown activation": (with_value("sine", "forward", "layers", 0, "activation"), "/forward/layers/0/activation"),
    "an unknown kind": (with_value("sparse", "forward", "layers", 0, "kind"), "/forward/layers/0/kind"),
    "an unknown loss": (with_value("hinge", "loss", "kind"), "/loss/kind"),
    "an unknown optimizer": (with_value("magic", "update", "optimizer", "kind"), "/update/optimizer/kind"),
    "a name twice": (with_value("hidden", "forward", "layers", 1, "name"), "/forward/layers/1/name"),
    "a nesterov that is no flag": (
        with_value({"kind": "sgd", "momentum": 0.9, "nesterov": 1}, "update", "optimizer"),
        "/update/optimizer/nesterov",
    ),
    "a memory without momentum": (
        with_value({"before": {}}, "update", "layers", 0, "parameters", "weights", "state"),
        "/update/layers/0/parameters/weights/state",
    ),
    "a step that was made but counted as none": (lambda trace: trace.update(session="demo", step=0), "/step"),
    "backward in forward order": (lambda trace: trace["backward"]["layers"].reverse(), "/backward/layers/0/name"),
    "update in forward order": (lambda trace: trace["update"]["layers"].reverse(), "/update/layers/0/name"),
    "another kind on the way back": (with_value("sparse", "backward", "layers", 0, "kind"), "/backward/layers/0/kind"),
    "a layer missing on the way back": (lambda trace: trace["backward"]["layers"].pop(), "/backward/layers"),
    "no loss before backward": (without("loss"), "/loss"),
    "backward without update": (without("update"), "/update"),
    "update without backward": (without("backward"), "/backward"),
    "a parameter without update": (
        without("update", "layers", 1, "parameters", "weights"),
        "/update/layers/1/parameters/weights",
    ),
}


@pytest.mark.parametrize(("damage", "pointer"), WRONG_FORMS.values(), ids=WRONG_FORMS.keys())
def test_a_wrong_form_is_refused_at_its_place(trace, damage, pointer):
    damage(trace)
    assert pointer in [mismatch.pointer for mismatch in recheck(trace)]


@pytest.mark.parametrize("value", [None, [], "trace", 1.0, {}])
def test_what_is_no_trace_is_refused(value):
    assert recheck(value)


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1, "a": 1}', "{", ""])
def test_what_is_no_json_of_ours_cannot_be_read(text):
    with pytest.raises(ValueError):
        parse(text)


def command_line(*arguments: str, given: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, HERE / "recheck.py", *arguments], input=given, capture_output=True, text=True, check=False
    )


def test_the_command_line_passes_a_right_trace(trace, tmp_path):
    file = tmp_path / "trace.json"
    file.write_text(json.dumps(trace), encoding="utf-8")
    # 6 pre-activations and outputs, 3 derivatives, the outputs once more: 10. Loss: 2. Errors, deltas: 6.
    # Gradients, changes and new weights: 18. The loss after.
    for answer in (command_line(str(file)), command_line("-", given=json.dumps(trace))):
        assert (answer.returncode, answer.stdout) == (0, "37 numbers recomputed, all equal\n")


def test_the_command_line_fails_a_wrong_trace_and_prints_the_first_few(trace):
    for row in (update["parameters"]["weights"] for update in trace["update"]["layers"]):
        row["after"] = [[number + 1.0 for number in numbers] for numbers in row["after"]]
        row["change"] = [[number + 1.0 for number in numbers] for numbers in row["change"]]
    answer = command_line("-", given=json.dumps(trace))
    assert answer.returncode == 1
    assert answer.stdout.startswith("/update/layers/0/parameters/weights/change/0/0: expected ")


def test_the_command_line_says_when_it_cannot_read(tmp_path):
    for answer in (command_line(str(tmp_path / "none.json")), command_line("-", given='{"format": NaN}')):
        assert answer.returncode == 2
        assert answer.stderr.startswith("cannot read ")
