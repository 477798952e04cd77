"""A disk that is full or fails, at any write and any sync: what was answered stays, and the rest is told.

The n-th call of a kind fails. The client is answered with a problem that has a stable code and Retry-After; what the
server then shows is what its log says; the request was made whole or not at all; asked again, it is answered as in a
run that nobody disturbed, and so is all that follows. A server that cannot start says why, and starts when it can.

After a sync that failed, the disk has lost what was to be synced, and a second sync does not bring it back. So losing
power at any later moment shows whether the server took one for success.

FAILING_DISK_ROUNDS sets how many writes are made to fail each way, spread evenly over the run; 0 takes all of them.
Syncs are all taken.
"""

import os
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from crash import (
    LISTING, STORE, WORKERS, Answer, NotStarted, Script, Server, calls_of, check, folder, injecting, tags_of, whole_run,
)
from power_cuts import Disk, Event, events, recording, verdict, write

ROUNDS = int(os.environ.get("FAILING_DISK_ROUNDS", "10"))
PATIENCE_SECONDS = 30
CUTS = 20
CODES = {"store_full": 507, "store_unavailable": 503}
SYNC = ("fsync", "EIO")
FAILURES = [SYNC, ("pwrite64", "EIO"), ("pwrite64", "ENOSPC")]


class Point(NamedTuple):
    call: str
    error: str
    number: int


class Outcome(NamedTuple):
    problems: list[str]
    """The codes that the client was answered with"""
    stopped: bool
    """Whether the server did not start"""
    cuts: Counter[str]


@pytest.fixture(scope="module")
def right() -> Script:
    return whole_run()


class Client:
    """Plays the script, and asks again until each request is made."""

    def __init__(self, server: Server, right: Script):
        self.right, self.connection = right, server.connect()
        self.problems: list[str] = []
        # After each answer, to a write or a read: how many requests it says are made.
        self.promised: list[int] = []

    def play(self) -> None:
        for number in range(len(self.right.requests)):
            self._make(number)

    def _make(self, number: int) -> None:
        request = self.right.requests[number]
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = self.connection.ask(request)
            if answer.problem is None:
                self.right.right(number, answer)
                self.promised.append(number + 1)
                return
            self._note(answer)
            # One that was made and not answered must not be made twice.
            if self._is_made(number) and not request.key:
                return
        raise AssertionError(f"{request} was refused for {PATIENCE_SECONDS} seconds: {self.problems[-3:]}")

    def _is_made(self, number: int) -> bool:
        """What the server shows, as soon as it shows anything: the log without the request, or with all of it."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            answer = self.connection.get(LISTING)
            if answer.problem is None:
                tags = tags_of(answer)
                assert tags in (self.right.listing(number), self.right.listing(number + 1)), f"{number}: {tags}"
                made = tags == self.right.listing(number + 1)
                self.promised.append(number + made)
                return made
            self._note(answer)
            time.sleep(0.002)
        raise AssertionError(f"nothing was shown for {PATIENCE_SECONDS} seconds")

    def _note(self, answer: Answer) -> None:
        assert answer.status == CODES.get(answer.problem), answer
        assert int(answer.retry_after) > 0, answer
        self.problems.append(answer.problem)
        self.promised.append(self.promised[-1] if self.promised else 0)


def at(point: Point, right: Script) -> Outcome:
    call, error, number = point
    with folder() as place, folder() as beside:
        store, trace = place / "disk" / STORE, beside / "trace"
        store.parent.mkdir()
        strace = [*recording(trace), *injecting(call, f"error={error}", number)]
        try:
            server = Server(store, strace=strace)
        except NotStarted as ended:
            assert ended.status == 1 and str(store) in ended.words, ended
            client, problems, promised, port = None, [], [], None
        else:
            client = Client(server, right)
            client.play()
            check(server.connect(), right, len(right.requests))
            server.stop()
            problems, promised, port = client.problems, client.promised, client.connection.port
        cuts = power_cuts(list(events(trace, store.parent)), port, promised, right, random.Random(str(point)))
        server = Server(store)
        connection = server.connect()
        made = check(connection, right, promised[-1] if promised else 0)
        right.go_on(connection, made)
        server.stop()
    return Outcome(problems, client is None, cuts)


def power_cuts(
    happened: list[Event], port: int | None, promised: list[int], right: Script, chance: random.Random
) -> Counter[str]:
    """What SQLite finds if the power is lost at some moments of what happened, mostly soon after a sync that failed."""
    told = sum(event.kind == "answer" and event.client == port for event in happened)
    assert told == len(promised), f"{told} answers were recorded, and {len(promised)} received"
    failed = [number for number, event in enumerate(happened) if event.kind == "failed sync"]
    moments = [chance.randint(0, len(happened)) for _ in range(CUTS // 4 if failed else CUTS)]
    while len(moments) < CUTS:
        moments.append(min(chance.choice(failed) + chance.randint(1, 40), len(happened)))
    disk, taken, answers, tally = Disk(), 0, 0, Counter()
    after = [right.all_entries()]
    for moment in sorted(moments):
        for event in happened[taken:moment]:
            disk.take(event)
            answers += event.kind == "answer" and event.client == port
        taken = moment
        with folder() as top:
            write(top / "disk", disk.after_a_power_cut(chance))
            tally[verdict(top / "disk" / STORE, after, [promised[answers - 1] if answers else 0])] += 1
    return tally


def test_nothing_answered_is_lost_on_a_failing_disk(right: Script) -> None:
    calls = calls_of(right, [call for call, _ in FAILURES])
    points = {failure: [Point(*failure, number) for number in range(1, calls[failure[0]] + 1)] for failure in FAILURES}
    # Syncs are few, and hardest to get right: all of them.
    tried = points[SYNC] + [point for failure in FAILURES[1:] for point in spread(points[failure], ROUNDS)]
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda point: at(point, right), tried))
    cuts = sum((outcome.cuts for outcome in outcomes), Counter())
    print(f"{len(tried)} of {sum(map(len, points.values()))} points; power cuts afterwards: {dict(cuts)}")
    for failure in FAILURES:
        own = [outcome for point, outcome in zip(tried, outcomes, strict=True) if point[:2] == failure]
        told = Counter(code for outcome in own for code in set(outcome.problems))
        starts = sum(outcome.stopped for outcome in own)
        print(*failure, f"{len(own)} points: {starts} at the start; answered at some time: {dict(told)}")
        assert starts and told
        assert set(told) <= set(CODES)
    assert set(cuts) == {"whole"}


def spread(points: list[Point], rounds: int) -> list[Point]:
    """So many of the points, evenly; all of them for 0."""
    return points[:: max(1, len(points) // rounds)] if rounds else points
