"""How a claim may be written, what of it cannot be compared, and whose tolerance it is judged with."""

import time

import pytest

from conftest import Client
from test_grade_tutorial import grade

H = {"outputs": [[0.565, 0.574]]}


@pytest.mark.parametrize(
    ("claim", "compared"),
    [
        ({"forward": {"layers": [{"name": "hidden", **H}]}}, 2),
        ({"forward": {"layers": [{"name": "output", "outputs": 0.638}, {"name": "hidden", **H}]}}, 3),
        ({"forward": {"layers": [{"outputs": [0.565, 0.574]}]}}, 2),
        ({"forward": {"layers": [{"outputs": [[None, 0.574]]}]}}, 1),
        ({"forward": {"layers": [{"outputs": None, "pre_activations": [[0.26, 0.3]]}]}}, 2),
        ({"format": "chainrule.trace/1", "session": "mine", "step": 3, "loss": {"kind": "mine", "value": 0.065}}, 1),
        # Three significant digits, as a pocket calculator shows them.
        ({"backward": {"layers": [{}, {"deltas": [[0.0123, 0.00816]]}]}}, 2),
        # Two decimals fewer than the number beside it: rounded by itself.
        ({"forward": {"layers": [{"outputs": [[0.5646, 0.57]]}]}}, 2),
        ({"forward": {"layers": [{"outputs": [[0.6, 0.574]]}]}}, 2),
        # What is small is zero at few decimals.
        ({"backward": {"layers": [{}, {"deltas": [[0.0, 0.0]]}]}, "loss": {"value": 0.1}}, 3),
    ],
)
def test_forms_of_a_right_claim(server: Client, claim: dict, compared: int):
    answer = grade(server, claim)
    assert (answer["verdict"], answer["compared"]) == ("right", compared)


@pytest.mark.parametrize(
    "outputs",
    [
        # One decimal fewer is a zero that JSON does not show, and a whole number shows nothing of its rounding.
        [[0.565, 0.57]],
        [[0.5646, 1.0]],
        [[0.5646, 0.58]],
    ],
)
def test_a_number_with_fewer_decimals_may_be_wrong(server: Client, outputs: list):
    answer = grade(server, {"forward": {"layers": [{"outputs": outputs}]}})
    assert (answer["verdict"], answer["first_wrong"]["pointer"]) == ("wrong", "/forward/layers/0/outputs/0/1")


@pytest.mark.parametrize("errors", [1.0, -1.0])
@pytest.mark.parametrize("deltas", [1.0, -1.0])
@pytest.mark.parametrize("gradients", [1.0, -1.0])
@pytest.mark.parametrize("change", [None, 1.0, -1.0])
def test_signs(server: Client, errors: float, deltas: float, gradients: float, change: float | None):
    """Errors and deltas in either sign, but both in one; gradients in either; the change in its own alone."""
    trace = server.post("/v1/explain", {"preset": "worked-example"})
    signs = {"errors": errors, "deltas": deltas, "gradients": gradients}

    def signed(value: object, sign: float) -> object:
        if isinstance(value, dict):
            return {key: signed(inner, sign) for key, inner in value.items()}
        return [signed(one, sign) for one in value] if isinstance(value, list) else sign * value

    downs = [{key: signed(layer[key], sign) for key, sign in signs.items()} for layer in trace["backward"]["layers"]]
    claim: dict = {"backward": {"layers": downs}}
    if change:
        updates = trace["update"]["layers"]
        changes = [{"weights": {"change": signed(one["parameters"]["weights"]["change"], change)}} for one in updates]
        claim["update"] = {"layers": [{"parameters": one} for one in changes]}
    answer = grade(server, claim)
    named = [mistake["code"] for mistake in answer["mistakes"]]
    if change == -1.0 or errors != deltas:
        assert answer["verdict"] == "wrong"
        assert named == [] if change == -1.0 and errors != deltas else len(named) == 1
        assert named in ([], ["signs_mixed"] if errors != deltas else ["sign_flipped"])
    else:
        assert (answer["verdict"], answer["sign"]) == ("right", "downhill" if errors > 0.0 else "gradient")


def test_a_large_trace_sent_back_is_judged_at_once(server: Client):
    """600 layers have thousands of quantities, each of which is looked up by its pointer."""
    layers = [{"kind": "dense", "units": 2, "activation": "tanh"}] * 600
    body = {"network": {"inputs": 2, "layers": layers}, "inputs": [[0.5, 0.3]], "targets": [[0.1, 0.2]]}
    trace = server.post("/v1/explain", body)
    started = time.monotonic()
    assert server.post("/v1/grade", {**body, "claim": trace}, 200)["verdict"] == "right"
    assert time.monotonic() - started < 3.0


@pytest.mark.parametrize(
    ("claim", "pointer"),
    [
        ({}, "/claim"),
        ({"forward": {"layers": [{"outputs": [[None, None]]}]}}, "/claim"),
        ({"forward": {"layers": [{"output": [[0.565, 0.574]]}]}}, "/claim/forward/layers/0/output"),
        ({"forward": {"layers": [{}, {}, {}]}}, "/claim/forward/layers/2"),
        ({"forward": {"layers": [{"name": "nobody", **H}]}}, "/claim/forward/layers/0"),
        ({"forward": {"layers": [{"outputs": [[0.565, 0.574, 0.5]]}]}}, "/claim/forward/layers/0/outputs"),
        ({"forward": {"layers": [{"outputs": [[0.565], [0.574, 0.5]]}]}}, "/claim/forward/layers/0/outputs"),
        ({"forward": {"layers": [{"outputs": 0.565}]}}, "/claim/forward/layers/0/outputs"),
    ],
)
def test_what_cannot_be_compared_is_refused_where_it_stands(server: Client, claim: dict, pointer: str):
    answer = grade(server, claim, 422)
    assert [fault["pointer"] for fault in answer["errors"]] == [pointer]


@pytest.mark.parametrize(
    ("tolerance", "status", "verdict"),
    [
        (0, 200, "wrong"),
        (0.009, 200, "wrong"),
        (0.011, 200, "right"),
        (1, 200, "right"),
        (-0.1, 400, None),
        (1.1, 400, None),
    ],
)
def test_the_tolerance_is_the_clients(server: Client, tolerance: float, status: int, verdict: str | None):
    """The right output is 0.638434...; this one is one hundredth of it too large."""
    right = server.post("/v1/explain", {"preset": "worked-example"})["forward"]["outputs"][0][0]
    answer = grade(server, {"forward": {"outputs": [[right * 1.01]]}}, status, tolerance=tolerance)
    if verdict:
        assert answer["verdict"] == verdict
    else:
        assert [fault["pointer"] for fault in answer["errors"]] == ["/tolerance"]


def test_a_session_is_judged_as_it_stands_and_stays_so(server: Client):
    session = server.post("/v1/sessions", {"preset": "worked-example"}, 201)["name"]
    server.post(f"/v1/sessions/{session}/step", {})
    shown = server.get(f"/v1/sessions/{session}")
    path = f"/v1/sessions/{session}/grade"
    trace = server.post(f"/v1/sessions/{session}/backward", {"learning_rate": 0.25})
    assert server.post(path, {"claim": trace}, 200)["verdict"] == "wrong"
    assert server.post(path, {"claim": trace, "learning_rate": 0.25}, 200)["verdict"] == "right"
    assert grade(server, {"forward": trace["forward"]})["verdict"] == "wrong"
    assert server.get(f"/v1/sessions/{session}") == shown
