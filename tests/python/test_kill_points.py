"""A server that is killed at any of its system calls that write, sync or answer loses nothing that it answered.

A client sends a script of requests, and the n-th call of a kind kills the server before it is made, for every n until
the script runs through. The server is started again: all that was answered is there, the same bytes; the request that
was not answered was made whole or not at all; sent again, and gone on from there, everything is answered as in a run
that nobody disturbed.

KILL_POINT_ROUNDS sets how often the script goes through its requests: once makes some 350 points. KILL_POINT_EVERY takes
one point of so many, which ones is drawn; `make soak` takes all.
"""

import os
import random
import signal
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crash import STORE, WORKERS, NotStarted, Script, Server, Unanswered, calls_of, check, folder, injecting, whole_run

ROUNDS = int(os.environ.get("KILL_POINT_ROUNDS", "1"))
EVERY = int(os.environ.get("KILL_POINT_EVERY", "3"))
CALLS = ["pwrite64", "fsync", "ftruncate", "unlink", "writev"]


@pytest.fixture(scope="module")
def right() -> Script:
    return whole_run(ROUNDS)


def until_killed(store: Path, call: str, number: int, script: Script) -> bool:
    """Plays the script on a server that is killed at a call; false where it was not, for there are fewer."""
    killing = injecting(call, "signal=KILL", number)
    try:
        server = Server(store, strace=["-o", "/dev/null", "-e", f"trace={call}", *killing])
    except NotStarted as ended:
        assert ended.status == -signal.SIGKILL, ended
        return True
    try:
        script.play(server.connect())
    except Unanswered:
        pass
    server.end(signal.SIGTERM)
    assert server.process.returncode in (0, -signal.SIGKILL), server.process.returncode
    return server.process.returncode != 0


def at(call: str, number: int, right: Script) -> tuple[int, int] | None:
    """How many requests were answered and made; nothing where the server was not killed."""
    script = Script(right.requests)
    with folder() as place:
        if not until_killed(place / STORE, call, number, script):
            return None
        for which, answer in enumerate(script.answers):
            right.right(which, answer)
        answered = len(script.answers)
        server = Server(place / STORE)
        connection = server.connect()
        made = check(connection, right, answered)
        if made > answered and right.requests[answered].key:
            right.right(answered, connection.ask(right.requests[answered]))
        right.go_on(connection, made)
        check(connection, right, len(right.requests))
        server.stop()
    return answered, made


def test_nothing_answered_is_lost_at_any_point(right: Script) -> None:
    points = [(call, number) for call, count in calls_of(right, CALLS).items() for number in range(1, count + 1)]
    first = random.randrange(EVERY)
    print(f"one point of {EVERY}, from {first} on")
    points = points[first::EVERY]
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda point: at(*point, right), points))
    kills = [outcome for outcome in outcomes if outcome]
    unanswered = sum(made > answered for answered, made in kills)
    print(f"{len(points)} points, {len(kills)} kills, {unanswered} changes made and not answered")
    print(dict(Counter(call for (call, _), outcome in zip(points, outcomes, strict=True) if outcome)))
    # How many calls a thread makes differs a little from run to run.
    assert len(kills) > 0.9 * len(points)
    # Of the requests, each has several points.
    assert len({answered for answered, _ in kills}) > 0.7 * len(right.requests)
    assert EVERY > 1 or {answered for answered, _ in kills} == set(range(len(right.requests) + 1))
    assert unanswered


def test_a_lost_entry_would_be_noticed(right: Script) -> None:
    with folder() as place:
        script = Script(right.requests)
        server = Server(place / STORE)
        script.play(server.connect())
        server.kill()
        with sqlite3.connect(place / STORE) as db:
            newest = db.execute("SELECT log, step FROM entries ORDER BY at DESC, rowid DESC").fetchone()
            db.execute("DELETE FROM entries WHERE log = ? AND step = ?", newest)
        db.close()
        server = Server(place / STORE)
        # The last request alone could still have been on its way.
        assert check(server.connect(), right, len(right.requests) - 1) == len(right.requests) - 1
        with pytest.raises(AssertionError, match="is right, and there is"):
            check(server.connect(), right, len(right.requests))
        server.stop()
