"""A training run goes on after whatever kills its server: from what was written of it, to the same end, never twice.

`make soak` sets TRAIN_KILL_ROUNDS high.
"""

import os
import random
import time
from pathlib import Path

import requests

from conftest import Client
from crash import Server

ROUNDS = int(os.environ.get("TRAIN_KILL_ROUNDS", "4"))
PATIENCE = 60
# More rounds want a longer run, so that the last kill falls into it too.
STEPS = 3_000 * ROUNDS

CREATE = {
    "network": {
        "inputs": 64,
        "layers": [
            {"kind": "dense", "units": 24, "activation": "relu"},
            {"kind": "batch_norm"},
            {"kind": "dropout", "rate": 0.1},
            {"kind": "dense", "units": 10, "activation": "softmax"},
        ],
    },
    "loss": "cross_entropy",
    "optimizer": {"kind": "adam"},
    "seed": 5,
}
RUN = {
    "dataset": "digits", "standardize": True, "steps": STEPS, "batch_size": 16, "seed": 3,
    "learning_rate": {"kind": "cosine"}, "evaluate_every": 500, "patience": 1000,
}


def begin(client: Client, name: str) -> None:
    client.put(f"/v1/sessions/{name}", CREATE, status=201)
    url = f"{client.base_url}/v1/sessions/{name}/train"
    answer = requests.post(url, json=RUN, headers={"prefer": "respond-async"}, timeout=PATIENCE)
    assert answer.status_code == 202, answer.text


def finished(client: Client, name: str, seconds: float = PATIENCE) -> dict:
    until = time.monotonic() + seconds
    while True:
        view = client.get(f"/v1/sessions/{name}/train", status=200)
        if view["state"] not in ("running", "interrupted"):
            return view
        assert time.monotonic() < until, view
        time.sleep(0.05)


def history(client: Client, name: str) -> list[dict]:
    found, after = [], ""
    while True:
        page = client.get(f"/v1/sessions/{name}/steps?limit=1000{after}", status=200)
        found += [{key: value for key, value in step.items() if key != "at"} for step in page["steps"]]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def test_a_killed_run_comes_to_the_end_that_it_would_have_come_to(tmp_path: Path) -> None:
    seed = int(os.environ.get("TRAIN_KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"TRAIN_KILL_SEED={seed}")
    chance = random.Random(seed)
    undisturbed = Server(tmp_path / "undisturbed.db")
    client = Client(undisturbed.url)
    begin(client, "run")
    expected = finished(client, "run")
    assert (expected["state"], expected["step"]) == ("done", STEPS)
    expected_history = history(client, "run")
    client.close()
    undisturbed.stop()

    store, killed = tmp_path / "chainrule.db", 0
    server = Server(store)
    client = Client(server.url)
    begin(client, "run")
    seen = 0
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.02, 0.5))
        view = client.get("/v1/sessions/run/train", status=200)
        killed += view["state"] == "running"
        at = client.get("/v1/sessions/run", status=200)
        # Whatever was shown stays.
        assert at["step"] >= seen
        seen = at["step"]
        assert at["state"] == expected_history[seen]["state"]
        client.close()
        server.kill()
        server = Server(store)
        client = Client(server.url)
        assert client.get("/v1/sessions/run", status=200)["step"] >= seen
    assert killed, "it was never killed in the middle of its run"
    assert finished(client, "run") == expected
    assert history(client, "run") == expected_history
    client.close()
    server.stop()


def test_a_server_that_is_stopped_leaves_a_run_to_the_next(tmp_path: Path) -> None:
    store = tmp_path / "chainrule.db"
    server = Server(store)
    client = Client(server.url)
    begin(client, "run")
    url = f"{server.url}/v1/sessions/run/train"
    waiting = requests.get(f"{server.url}/v1/sessions/run/events", timeout=PATIENCE, stream=True)
    began = time.monotonic()
    words = server.stop()
    # The stream has ended, for nothing more is to be told here.
    told = waiting.content.decode()
    assert time.monotonic() - began < 20, words
    assert "event: done" not in told
    client.close()
    server = Server(store)
    client = Client(server.url)
    view = finished(client, "run")
    assert (view["state"], view["step"]) == ("done", STEPS)
    assert url
    client.close()
    server.stop()
