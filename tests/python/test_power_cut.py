"""An answered change survives the loss of power, wherever it strikes.

A server is recorded while clients write to it: from its making, over a kill, checkpoints and a stop, to its end. From
the recording come the files as thousands of power cuts would have left them. Most are looked at by SQLite alone: each
client's sessions are, entry by entry, those after its last answered request or after the one that was on its way. Some
are given to the server, which must start, and answer every answered step with the same bytes.

That the test can fail is shown by two controls: a disk that ignores syncs, and a server that makes none for each commit.

POWER_CUT_ROUNDS sets how many cuts there are (a fiftieth of them goes through the server), POWER_CUT_SEED which.
"""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import pytest

from crash import STORE, WORKERS, Script, Server, check, folder, writing
from power_cuts import QUICK, Disk, Event, events, recording, verdict, write

ROUNDS = int(os.environ.get("POWER_CUT_ROUNDS", "2000"))
SEED = int(os.environ.get("POWER_CUT_SEED", "1"))
CLIENTS = 4
# How far each client's script comes before the server is ended, and how. The second part is long enough for a
# checkpoint in its midst.
PARTS = [(24, "kill"), (112, "stop"), (134, "stop")]


class Recording:
    """What happened to the files, and what each client was promised when."""

    def __init__(self, *flags: str):
        self.scripts = [Script(writing(f"c{client}", rounds=6)) for client in range(CLIENTS)]
        self.events: list[Event] = []
        self.starts: list[int] = []
        disk = Disk()
        with folder() as place, folder() as beside:
            for until, end in PARTS:
                self.starts.append(len(self.events))
                server = Server(place / STORE, *flags, strace=[*QUICK, *recording(beside / "trace")])
                ports = self._play(server, until)
                getattr(server, end)()
                part = list(events(beside / "trace", place))
                part = [event._replace(client=ports.get(event.client)) for event in part]
                self.events += part
                for event in part:
                    disk.take(event)
                # The model of the disk is true: without a power cut it has what is there.
                found = {path.name: path.read_bytes() for path in place.iterdir()}
                found = {name: content for name, content in found.items() if not name.endswith(("-shm", ".lock"))}
                assert everything(disk) == found
        # Every answer that a client got is in the recording.
        told = Counter(event.client for event in self.events if event.kind == "answer")
        assert told == {client: PARTS[-1][0] for client in range(CLIENTS)}, told
        self.after = [script.all_entries() for script in self.scripts]

    def _play(self, server: Server, until: int) -> dict[int, int]:
        """Gives the client at each port."""
        connections = [server.connect() for _ in self.scripts]
        players = [
            threading.Thread(target=script.play, args=(connection, until))
            for script, connection in zip(self.scripts, connections, strict=True)
        ]
        for player in players:
            player.start()
        for player in players:
            player.join()
        assert all(len(script.answers) == until for script in self.scripts), "a client was not answered"
        return {connection.port: client for client, connection in enumerate(connections)}

    def cuts(self, seeds: Iterable[int], ignores_syncs: bool = False) -> Iterator[tuple[dict[str, bytes], list[int]]]:
        """For each seed, the files after a power cut, and how many answers each client had by then."""
        moments = []
        for seed in seeds:
            chance = random.Random(f"{SEED} {seed}")
            # The long part has the large files.
            part = chance.choice([0, 0, 0, 1, 2])
            end = [*self.starts, len(self.events)][part + 1]
            moments.append((chance.randint(self.starts[part], end), seed, chance))
        disk, answered, taken = Disk(ignores_syncs), [0] * CLIENTS, 0
        for moment, _, chance in sorted(moments, key=lambda moment: moment[:2]):
            for event in self.events[taken:moment]:
                disk.take(event)
                if event.kind == "answer":
                    answered[event.client] += 1
            taken = moment
            yield disk.after_a_power_cut(chance), list(answered)


def everything(disk: Disk) -> dict[str, bytes]:
    class All:
        def choice(self, _: list) -> str:
            return "all"

    return disk.after_a_power_cut(All())


# Handed to the processes that judge by forking: it is large.
current: Recording


def share_of(worker: int, rounds: int, ignores_syncs: bool) -> Counter[str]:
    tally: Counter[str] = Counter()
    with folder() as top:
        for number, (files, answered) in enumerate(current.cuts(range(worker, rounds, WORKERS), ignores_syncs)):
            write(top / str(number), files)
            tally[verdict(top / str(number) / STORE, current.after, answered)] += 1
            for path in (top / str(number)).iterdir():
                path.unlink()
    return tally


def tally_of(recording: Recording, rounds: int, ignores_syncs: bool = False) -> Counter[str]:
    global current
    current = recording
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("fork")) as pool:
        shares = [pool.submit(share_of, worker, rounds, ignores_syncs) for worker in range(WORKERS)]
        return sum((share.result() for share in shares), Counter())


def served(recording: Recording, files: dict[str, bytes], answered: list[int]) -> None:
    """Asserts that the server starts on these files and answers as before."""
    with folder() as top:
        write(top / "disk", files)
        server = Server(top / "disk" / STORE)
        connection = server.connect()
        for script, count in zip(recording.scripts, answered, strict=True):
            check(connection, script, count)
        server.stop()


@pytest.fixture(scope="module")
def recorded() -> Recording:
    return Recording()


def test_nothing_answered_is_lost(recorded: Recording) -> None:
    tally = tally_of(recorded, ROUNDS)
    print(f"{len(recorded.events)} events, {ROUNDS} power cuts: {dict(tally)}")
    assert tally == {"whole": ROUNDS}


def test_the_server_starts_and_answers_as_before(recorded: Recording) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        cuts = recorded.cuts(range(-ROUNDS // 50, 0))
        for done in [pool.submit(served, recorded, *cut) for cut in cuts]:
            done.result()


def test_a_disk_that_ignores_syncs_loses_something(recorded: Recording) -> None:
    tally = tally_of(recorded, ROUNDS // 10, ignores_syncs=True)
    print(f"without syncs: {dict(tally)}")
    assert tally["whole"] < ROUNDS // 20


def test_a_server_that_does_not_sync_loses_the_last_moments_alone() -> None:
    tally = tally_of(Recording("--durability", "process"), ROUNDS // 10)
    print(f"--durability process: {dict(tally)}")
    # What is there was there once, whole.
    assert set(tally) == {"whole", "lost"}
    assert tally["lost"] > ROUNDS // 100
