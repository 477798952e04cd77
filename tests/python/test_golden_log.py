"""The past of a session never changes: the golden log of each release is answered with the bytes of its day, served
as it is and imported into a new store, on this machine's CPU, on an emulated one of 2008, and on one of 2013.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import conftest
import cpus
import golden_log
import recheck

LOGS = sorted(golden_log.LOGS.glob("*.chainrule"))
CPUS = {"this": None, "2008": cpus.NEHALEM, "2013": cpus.HASWELL}


def test_there_are_golden_logs():
    assert LOGS


@pytest.fixture(params=LOGS, ids=lambda log: log.stem)
def log(request) -> Path:
    return request.param


@pytest.mark.parametrize("cpu", CPUS)
def test_a_log_is_answered_as_on_its_day(log, tmp_path, cpu):
    store = shutil.copy(log, tmp_path / "chainrule.db")
    before = cpus.emulated(CPUS[cpu]) if CPUS[cpu] else []
    with golden_log.serving(f"sqlite:{store}", *before) as client:
        same_answers(log, golden_log.answers(client))


def test_an_imported_log_is_answered_as_on_its_day(log, tmp_path):
    store = f"sqlite:{tmp_path}/chainrule.db"
    subprocess.run(
        [conftest.binary(), "import", str(log), "--store", store], env=conftest.environment(), check=True
    )
    with golden_log.serving(store) as client:
        same_answers(log, golden_log.answers(client))


def test_the_numbers_of_a_log_are_right(log, tmp_path):
    store = shutil.copy(log, tmp_path / "chainrule.db")
    with golden_log.serving(f"sqlite:{store}") as client:
        traces = [json_of(content) for content in golden_log.answers(client).values()]
    full = [trace for trace in traces if "layers" in trace.get("forward", {})]
    assert len(full) > 80
    for trace in full:
        findings = recheck.examine(trace)
        assert findings.mismatches == [], f"{trace['session']} at {trace['step']}"
        assert findings.recomputed > 0


def json_of(content: bytes) -> dict:
    return recheck.parse(content.decode())


def same_answers(log: Path, found: dict[str, bytes]) -> None:
    given, got = json.loads(log.with_suffix(".json").read_text()), golden_log.digests(found)
    assert got.keys() == given.keys()
    other = [path for path in given if got[path] != given[path]]
    assert not other, f"answered otherwise than on its day: {other[:10]}"
