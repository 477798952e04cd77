"""How a claim may be written, what of it cannot be compared, and whose tolerance it is judged with."""

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
        # What is small is zero at few decimals.
        ({"backward": {"layers": [{}, {"deltas": [[0.0, 0.0]]}]}, "loss": {"value": 0.1}}, 3),
    ],
)
def test_forms_of_a_right_claim(server: Client, claim: dict, compared: int):
    answer = grade(server, claim)
    assert (answer["verdict"], answer["compared"]) == ("right", compared)


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
        ({"forward": 0.5}, "/claim/forward"),
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
