"""Every renderer's text of the worked example, as it was looked at and found good: a change of it is seen and wanted.

UPDATE=1 renews the texts; what they say is checked against the trace elsewhere, in the tests of each renderer.
"""

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "golden" / "rendered"
WORKED = {"preset": "worked-example"}
WEIGHT = {"weight": {"layer": "hidden", "parameter": "weights", "index": [0, 0]}}
CLAIM = {**WORKED, "claim": {"backward": {"layers": [{"name": "output", "deltas": [[0.36]]}]}}}
WHAT_IF = {**WORKED, "what_if": [{"ablate": {"layer": "hidden", "unit": 1}}]}
STATED = "/v1/sessions/rendered"

SNAPSHOTS = {
    "solution.md": ("/v1/explain?format=markdown", WORKED),
    "solution.tex": ("/v1/explain?format=latex", WORKED),
    "solution.html": ("/v1/explain?format=html", WORKED),
    "factory.md": ("/v1/explain?format=markdown&voice=factory", WORKED),
    "network.svg": ("/v1/explain?format=svg", WORKED),
    "backward.svg": ("/v1/explain?format=svg&picture=backward", WORKED),
    "weights.svg": ("/v1/explain?format=svg&picture=weights", WORKED),
    "activation.svg": ("/v1/explain?format=svg&picture=activation", WORKED),
    "distance.svg": ("/v1/explain?format=svg&picture=distance", WORKED),
    "network.mmd": ("/v1/explain?format=mermaid", WORKED),
    "backward.mmd": ("/v1/explain?format=mermaid&picture=backward", WORKED),
    "telephone.svg": ("/v1/depth?format=svg", {"depth": 8, "width": 6}),
    "telephone.md": ("/v1/depth?format=markdown", {"depth": 8, "width": 6}),
    "chain.md": (f"{STATED}/chain?format=markdown", WEIGHT),
    "blame.md": (f"{STATED}/blame?format=markdown", {}),
    "depth.md": (f"{STATED}/depth?format=markdown", {}),
    "gradient-check.md": (f"{STATED}/gradient-check?format=markdown", {}),
    "grade.md": ("/v1/grade?format=markdown", CLAIM),
    "what-if.md": ("/v1/explain?format=markdown", WHAT_IF),
    "diff.md": (f"{STATED}/diff?format=markdown&at=0&with_at=0", None),
    "loss.svg": (f"{STATED}/steps?format=svg", None),
}


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_it_is_written_as_before(server, name):
    path, body = SNAPSHOTS[name]
    server.answer("PUT", STATED, WORKED)
    answer = server.answer("POST" if body is not None else "GET", path, body)
    assert answer.status_code == 200, answer.text[:500]
    file = FOLDER / name
    if os.environ.get("UPDATE"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(answer.text)
    assert answer.text == file.read_text(), f"{name} is written otherwise; look at it, and renew it with `make golden`"


def test_nothing_else_lies_there():
    assert {file.name for file in FOLDER.iterdir()} == set(SNAPSHOTS)
