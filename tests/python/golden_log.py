"""A log of each release, kept for ever: what it was answered with must be answered by every later release, to the byte.

A golden log is no oracle for what is right (the re-checker is): it is what a server of that release wrote into its
store, as `chainrule export` copies it, and a digest of each answer that it gave.

    CHAINRULE_BINARY=target/release/chainrule .venv/bin/python tests/python/golden_log.py

adds the one of the release at hand. One that exists is never written again.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import conftest
import networks

LOGS = Path(__file__).parent.parent / "golden" / "logs"
STEPS = 5
OPTIMIZERS = [
    {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    {"kind": "rmsprop", "learning_rate": 0.01},
    {"kind": "adam", "learning_rate": 0.01, "clip_norm": 0.5},
    {"kind": "adamw", "learning_rate": 0.01},
    {"kind": "adagrad", "learning_rate": 0.05},
]
RANDOM_CASES = 10


@contextmanager
def serving(store: str, *before: str) -> Iterator[conftest.Client]:
    """A server on a store; `before` is what stands before its name on the command line."""
    command = [*before, str(conftest.binary()), "--listen", "127.0.0.1:0", "--store", store, "--log", "warn"]
    process = conftest.launch(*command)
    try:
        client = conftest.Client(conftest.address_of(process))
        yield client
        client.close()
    finally:
        conftest.end(process)


def furnish(client: conftest.Client) -> None:
    """Every kind of layer, activation, loss and optimizer, and everything that a log can hold."""
    cases = {f"deep-{optimizer['kind']}": networks.deep_case("train", optimizer) for optimizer in OPTIMIZERS}
    cases |= {f"random-{index}": networks.random_case(20_000 + index) for index in range(RANDOM_CASES)}
    for name, case in cases.items():
        client.put(f"/v1/sessions/{name}", case.create, status=201)
        for _ in range(STEPS):
            client.post(f"/v1/sessions/{name}/step", case.batch)
    for preset in ("worked-example", "telephone"):
        client.put(f"/v1/sessions/{preset}", {"preset": preset}, status=201)
        client.post(f"/v1/sessions/{preset}/step", {})
    # Parameters replaced, back, on in another mode and at another rate, a branch, and one of a session that is gone.
    home, batch = "/v1/sessions/deep-adam", cases["deep-adam"].batch
    client.put(f"{home}/weights", {"layers": [{"name": "layer1", "parameters": {"bias": [0.1, -0.2, 5e-324]}}]})
    client.post(f"{home}/step", {**batch, "mode": "eval", "learning_rate": 0.25})
    client.post(f"{home}/rewind", {"to": 3})
    client.post(f"{home}/step?trace=summary", batch)
    client.post(f"{home}/fork", {"name": "branch", "at": 6})
    client.post("/v1/sessions/branch/step", batch)
    client.post("/v1/sessions/branch/fork", {"name": "leaf", "at": 7})
    client.post("/v1/sessions/leaf/step?trace=none", batch)
    client.delete("/v1/sessions/branch")


def answers(client: conftest.Client) -> dict[str, bytes]:
    """Every step of every session as it was answered. (Other answers may have more fields in a later release.)"""
    found = {}
    for session in client.get("/v1/sessions?limit=1000")["sessions"]:
        home = f"/v1/sessions/{session['name']}"
        history = client.get(f"{home}/steps?limit=1000")["steps"]
        for entry in history:
            path = f"{home}/steps/{entry['step']}"
            found[path] = client.bytes(path)
    return found


def digests(found: dict[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in found.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = f"sqlite:{folder}/chainrule.db"
        with serving(store) as client:
            version = client.get("/v1/info")["version"]
            log = LOGS / f"{version}.chainrule"
            if log.exists():
                sys.exit(f"{log.name} is there already, and is never written again")
            furnish(client)
            given = digests(answers(client))
        export = [conftest.binary(), "export", str(log), "--store", store]
        subprocess.run(export, env=conftest.environment(), check=True)
    log.with_suffix(".json").write_text(json.dumps(given, indent=1) + "\n", encoding="utf-8")
    print(f"{log.name}: {os.path.getsize(log):,} bytes, {len(given)} answers")


if __name__ == "__main__":
    main()
