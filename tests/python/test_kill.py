"""A step that was answered is never lost, whatever kills the process.

Clients step on a few sessions, each step with a mark of its own in its targets; the server is killed (SIGKILL) at a
random moment of the load and started again on the same file. Then every answered step is there with the same bytes, in
one dense order, each trace goes on from the weights of the one before, a step that was not answered stands in the log
whole or not at all, and a retry under its key steps once. `make soak` sets KILL_ROUNDS to hundreds.
"""

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import requests

from crash import Server

ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))
CLIENTS = 6
SESSIONS = 3
# In so many first rounds, and in every so many later, all steps are recalled again, and not the new ones alone.
WHOLE, WHOLE_LATER = 20, 100


class Load(threading.Thread):
    """One client. It notes what it asked, and what was answered."""

    def __init__(self, url: str, seed: int, marks: "Marks"):
        super().__init__()
        self.url, self.random, self.marks = url, random.Random(seed), marks
        self.asked: dict[float, tuple[str, dict, str]] = {}
        self.answered: dict[float, tuple[int, bytes]] = {}
        self.stopped = False

    def run(self) -> None:
        connection = requests.Session()
        connection.trust_env = False
        while not self.stopped:
            mark = next(self.marks) / 1e9
            path = f"/v1/sessions/s{self.random.randrange(SESSIONS)}/step"
            body = {"inputs": [self.random.random(), self.random.random()], "targets": [mark]}
            key = f"key-{mark}"
            self.asked[mark] = (path, body, key)
            try:
                answer = connection.post(self.url + path, json=body, headers={"Idempotency-Key": key}, timeout=30)
            except requests.RequestException:
                return
            assert answer.status_code == 200, answer.text
            self.answered[mark] = (answer.json()["step"], answer.content)


class Marks:
    """Whole numbers, each given once, whichever thread asks."""

    def __init__(self):
        self._next, self._lock = 0, threading.Lock()

    def __next__(self) -> int:
        with self._lock:
            self._next += 1
            return self._next


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    seed = int(os.environ.get("KILL_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"KILL_SEED={seed}")
    chance, marks, store = random.Random(seed), Marks(), tmp_path / "chainrule.db"
    server = Server(store)
    for session in range(SESSIONS):
        network = {"inputs": 2, "layers": [{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1}]}
        body = {"network": network, "optimizer": {"kind": "adam"}, "seed": session}
        assert requests.put(f"{server.url}/v1/sessions/s{session}", json=body, timeout=30).status_code == 201
    asked: dict[float, tuple[str, dict, str]] = {}
    answered: dict[float, tuple[int, bytes]] = {}
    traces = Traces()
    for number in range(ROUNDS):
        is_whole = number < WHOLE or number % WHOLE_LATER == 0
        clients = [Load(server.url, chance.randrange(1 << 32), marks) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.1, 0.5))
        server.kill()
        for client in clients:
            client.stopped = True
        for client in clients:
            client.join()
            asked |= client.asked
            answered |= client.answered
        server = Server(store)
        lost = [mark for mark in asked if mark not in answered]
        traces = Traces() if is_whole else traces
        check(traces, server.url, asked, answered)
        # Whoever was not answered asks again: done once, whether or not it was done before.
        for mark in lost:
            path, body, key = asked[mark]
            answer = requests.post(server.url + path, json=body, headers={"Idempotency-Key": key}, timeout=30)
            assert answer.status_code == 200, answer.text
            answered[mark] = (answer.json()["step"], answer.content)
        check(traces, server.url, asked, answered)
    check(Traces(), server.url, asked, answered)
    assert len(answered) > 20 * ROUNDS, f"only {len(answered)} steps were answered"
    server.stop()


class Traces:
    """The marks and traces of each session's steps, as the server recalls them: a later look reads the later steps alone."""

    def __init__(self) -> None:
        self.of: list[list[tuple[float, bytes]]] = [[] for _ in range(SESSIONS)]
        self._weights: list[list[dict] | None] = [None] * SESSIONS

    def read(self, url: str) -> None:
        connection = requests.Session()
        connection.trust_env = False
        for session, traces in enumerate(self.of):
            path = f"{url}/v1/sessions/s{session}"
            last = connection.get(path, timeout=30).json()["step"]
            assert last >= len(traces), f"step {len(traces)} was there and is lost"
            for step in range(len(traces) + 1, last + 1):
                answer = connection.get(f"{path}/steps/{step}", timeout=30)
                assert answer.status_code == 200, answer.text
                traces.append((self._follow(session, step, json.loads(answer.content)), answer.content))

    def _follow(self, session: int, step: int, trace: dict) -> float:
        """The trace goes on where the one before it ended; gives its mark."""
        assert trace["step"] == step
        before, weights = [layer["parameters"] for layer in trace["forward"]["layers"]], self._weights[session]
        assert weights is None or before == weights, f"step {step} does not go on from the one before"
        updates = reversed(trace["update"]["layers"])
        self._weights[session] = [{name: change["after"] for name, change in layer["parameters"].items()} for layer in updates]
        return trace["loss"]["targets"][0][0]


def check(traces: Traces, url: str, asked: dict, answered: dict) -> None:
    traces.read(url)
    for mark, (step, content) in answered.items():
        of = traces.of[int(asked[mark][0].removeprefix("/v1/sessions/s").removesuffix("/step"))]
        assert step <= len(of), f"step {step} was answered and is lost"
        assert of[step - 1] == (mark, content), f"step {step} was answered otherwise"
    found = Counter(mark for of in traces.of for mark, _ in of)
    twice = [mark for mark, times in found.items() if times > 1]
    assert not twice, f"made twice: {twice}"
    assert set(found) <= set(asked)
