"""openapi.yaml against a validator, and the server against openapi.yaml.

Schemathesis makes thousands of requests from the document, right and wrong ones, and holds every answer to it: no
5xx, no status or body that the document does not have, no wrong request that is taken.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).parent.parent.parent
DOCUMENT = ROOT / "openapi.yaml"
# Of each operation; `make soak` sets it high.
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "12"))
RUN_SECONDS = 10 * EXAMPLES + 300

# A right request may still be refused: that the shapes of weights, inputs and targets fit each other is more than a
# schema can say.
NOT_HELD = "positive_data_acceptance"

# What a session of the worked example has, so that requests reach past the 404.
EXISTING = """
[parameters]
name = "{name}"
layer = "hidden"
"""


def test_the_document_is_valid():
    OpenAPIV31SpecValidator(yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))).validate()


# A run may be a thousand million steps long, whoever listens does so for ever, and a session that is just made has no
# run yet: these are asked on a session of their own below.
OF_RUNS = ["train", "listen", "show_training", "cancel_training"]


def test_the_server_is_as_the_document_says(server, tmp_path):
    without = [argument for operation in OF_RUNS for argument in ("--exclude-operation-id", operation)]
    run = schemathesis(server, tmp_path, ["--phases", "examples,coverage,fuzzing,stateful", *without])
    assert cases(run) >= 800, run


@pytest.mark.parametrize("tag", ["passes", "weights", "sessions"])
def test_a_session_that_exists_answers_as_the_document_says(server, tmp_path, tag):
    name = f"contract-{tag}"
    server.put(f"/v1/sessions/{name}", {"preset": "worked-example"}, status=201)
    config = tmp_path / "schemathesis.toml"
    config.write_text(EXISTING.format(name=name), encoding="utf-8")
    # A session that is deleted would bring the 404 back.
    chosen = ["--include-tag", tag, "--exclude-operation-id", "delete_session", "--phases", "coverage,fuzzing"]
    run = schemathesis(server, tmp_path, chosen, ["--config-file", str(config)])
    assert cases(run) >= 300, run
    server.get(f"/v1/sessions/{name}", status=200)


def test_training_is_as_the_document_says(server, tmp_path):
    """On a session that no built-in dataset fits: nothing that is asked of it can be long."""
    layers = [{"kind": "dense", "units": 9}]
    server.put("/v1/sessions/contract-training", {"network": {"inputs": 7, "layers": layers}}, status=201)
    config = tmp_path / "schemathesis.toml"
    config.write_text(EXISTING.format(name="contract-training"), encoding="utf-8")
    chosen = ["--include-tag", "training", "--exclude-operation-id", "listen", "--phases", "coverage,fuzzing"]
    run = schemathesis(server, tmp_path, chosen, ["--config-file", str(config)])
    assert cases(run) >= 200, run


def schemathesis(server, folder: Path, arguments: list[str], general: list[str] = ()) -> str:
    command = [sys.executable, "-m", "schemathesis.cli", *general, "run", str(DOCUMENT), "--url", server.base_url]
    command += ["--exclude-checks", NOT_HELD, "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]
    return done.stdout


def cases(run: str) -> int:
    """How many requests were made: a run that made none would find nothing either."""
    return int(re.search(r"(\d+) generated", run)[1])
