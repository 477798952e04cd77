"""Files that have changed behind the server's back: it serves what was written, or says what is damaged, or refuses to
start and leaves the files as they are. It never serves a wrong number.

A store with several sessions is damaged at a place that is drawn: one bit is flipped, of the file after a stop, of the
main file or of the log beside it after a kill; a bit of one entry; a file is cut short; a page is zeroed. Then
everything is read. Where sessions are named as damaged, the others are as they were, and go on.

What nobody can tell from innocence is the end of the log: a last transaction that is not whole was torn by losing power
(one bit in it loses it), and a log that ends early was never longer. Then what is served is what once was, all of it.

DAMAGE_ROUNDS sets how many bits are flipped (a tenth as many files are cut, and pages zeroed), DAMAGE_SEED where.
"""

import json
import os
import random
import re
import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from crash import LISTING, STORE, WORKERS, Answer, Connection, NotStarted, Request, Script, Server, folder, tags_of, writing
from power_cuts import write

ROUNDS = int(os.environ.get("DAMAGE_ROUNDS", "100"))
SEED = int(os.environ.get("DAMAGE_SEED", "1"))
WAL = f"{STORE}-wal"
PAGE = 4096
NAMED = re.compile(r"the log of session (\S+) is damaged at step (\d+): ")
Files = dict[str, bytes]


class Damage(NamedTuple):
    what: str
    """bit, entry, cut, page"""
    state: str
    """stopped or killed"""
    file: str
    at: int
    bit: int = 0
    entry: tuple[str, int] | None = None

    def done_to(self, files: Files) -> Files:
        content = bytearray(files[self.file])
        match self.what:
            case "bit" | "entry":
                content[self.at] ^= 1 << self.bit
            case "cut":
                del content[self.at :]
            case "page":
                content[self.at : self.at + PAGE] = bytes(len(content[self.at : self.at + PAGE]))
        return files | {self.file: bytes(content)}


class Original:
    """The undamaged files, and all that is answered from them."""

    def __init__(self):
        # As far as four sessions are there, one of which branches off from another.
        scripts = [Script(writing(client, rounds=2)[:43]) for client in ("d", "e")]
        with folder() as place:
            for until, end in ((38, "stop"), (43, "kill")):
                server = Server(place / STORE)
                connection = server.connect()
                assert all(script.play(connection, until) for script in scripts)
                getattr(server, end)()
            killed = {name: (place / name).read_bytes() for name in (STORE, WAL)}
            Server(place / STORE).stop()
            self.files = {"killed": killed, "stopped": {STORE: (place / STORE).read_bytes()}}
            self.entries = entries_of(place / STORE)
        self.ends = ends_of_transactions(killed[WAL])
        # By how many transactions of the log beside the main file are there.
        self.answers = [everything(killed | {WAL: killed[WAL][:end]}) for end in [0, *self.ends]]
        self.names = {session_of(path) for path in self.answers[-1]} - {""}

    def draw(self, chance: random.Random, what: str) -> Damage:
        if what == "entry":
            name, step, body = chance.choice(self.entries)
            at = self.files["stopped"][STORE].index(body) + chance.randrange(len(body))
            return Damage(what, "stopped", STORE, at, chance.randrange(8), (name, step))
        state, file = chance.choice([("stopped", STORE), ("killed", STORE), ("killed", WAL)])
        size = len(self.files[state][file])
        at = chance.randrange(size // PAGE) * PAGE if what == "page" else chance.randrange(size)
        return Damage(what, state, file, at, chance.randrange(8))

    def served(self, damage: Damage) -> tuple[int, str]:
        """How many transactions of the log must be served where the server starts, and why not all of them."""
        if damage.file != WAL:
            return len(self.ends), ""
        kept = sum(end <= damage.at for end in self.ends)
        if damage.what == "cut":
            return kept, "the end is missing" if kept < len(self.ends) else ""
        # Further ahead it is refused. A page may reach over the end of the last but one.
        return kept, "the end is torn"


def entries_of(store: str) -> list[tuple[str, int, bytes]]:
    """Session, step and body of each entry whose body stands in the file once, in one piece."""
    with sqlite3.connect(store) as db:
        found = db.execute("SELECT name, step, body FROM logs JOIN entries ON log = id WHERE named = 1").fetchall()
    db.close()
    content = store.read_bytes()
    return [entry for entry in found if content.count(entry[2]) == 1]


def ends_of_transactions(wal: bytes) -> list[int]:
    frames = range(32, len(wal) - PAGE, 24 + PAGE)
    return [at + 24 + PAGE for at in frames if wal[at + 8 : at + 16] == wal[16:24] and wal[at + 4 : at + 8] != bytes(4)]


def everything(files: Files) -> dict[str, tuple[int, bytes]]:
    """All that can be read, and what a further step of each session is answered."""
    with folder() as top:
        write(top / "disk", files)
        server = Server(top / "disk" / STORE)
        connection = server.connect()
        requests = [Request("GET", LISTING)]
        tags = tags_of(connection.get(LISTING))
        for name, tag in tags.items():
            path = f"/v1/sessions/{name}"
            paths = [path, f"{path}/weights", f"{path}/steps?limit=1000"]
            paths += [f"{path}/steps/{step}" for step in range(int(tag[1:].partition("-")[0]) + 1)]
            requests += [Request("GET", path) for path in paths]
        requests += [step_of(name) for name in tags]
        found = {request.path: connection.ask(request).content for request in requests}
        server.stop()
    assert all(status == 200 for status, _ in found.values())
    return found


def step_of(name: str) -> Request:
    return Request("POST", f"/v1/sessions/{name}/step", {"inputs": [[0.5, 1], [1, 0.25]], "targets": [[1], [0]]})


def session_of(path: str) -> str:
    return path.removeprefix("/v1/sessions").split("?")[0].removeprefix("/").split("/")[0]


def outcome(damage: Damage, original: Original) -> str:
    files = damage.done_to(original.files[damage.state])
    with folder() as top:
        disk = top / "disk"
        write(disk, files)
        try:
            server = Server(disk / STORE)
        except NotStarted as refusal:
            assert refusal.status == 1 and str(disk / STORE) in refusal.words, refusal
            assert "it is left as it is" in refusal.words, refusal
            left = {path.name: path.read_bytes() for path in disk.iterdir() if path.suffix not in (".lock", ".db-shm")}
            # An empty log says nothing.
            assert {name: bytes for name, bytes in left.items() if bytes or name in files} == files, refusal
            return "refused"
        connection = server.connect()
        count, reason = original.served(damage)
        assert damage.what == "cut" or count >= len(original.ends) - (2 if damage.what == "page" else 1), damage
        right = original.answers[count]
        found = {path: ask(connection, path) for path in right}
        server.end(15)
    wrong = {path: answer for path, answer in found.items() if answer.content != right[path]}
    if not wrong:
        return reason or "all is there"
    return named(damage, wrong, right[LISTING][1])


def check_listing(found: Answer, listed: bytes) -> None:
    """Asserts that a list of sessions shows what it did, but for those whose logs it says are damaged."""
    if found.problem == "store_damaged":
        return
    lines, before = json.loads(found.body)["sessions"], json.loads(listed)["sessions"]
    assert all(line in before or "damaged" in line for line in lines), f"{found} instead of {listed}"
    # A name of which a bit has changed is not always a name.
    assert len(before) - 1 <= len(lines) <= len(before), f"{found} instead of {listed}"


def ask(connection: Connection, path: str) -> Answer:
    return connection.ask(step_of(session_of(path)) if path.endswith("/step") else Request("GET", path))


def named(damage: Damage, wrong: dict[str, Answer], listed: bytes) -> str:
    """Asserts that what is not answered as before is answered with what is damaged."""
    places = set()
    if listing := wrong.pop(LISTING, None):
        check_listing(listing, listed)
    for path, answer in wrong.items():
        assert answer.problem in ("session_damaged", "store_damaged"), f"{path} is answered {answer}"
        if answer.problem == "session_damaged":
            # The one whose entry it is: the session that is asked, or the one that it branched off from.
            place = NAMED.search(answer.body.decode())
            assert place, f"{path} is answered {answer}"
            places.add((place[1], int(place[2])))
    if damage.entry:
        assert damage.entry in places, f"{places} are named"
        own = damage.entry[0]
        assert {session_of(path) for path in wrong} <= {own, own.replace("plain", "twig")}, "others suffer"
    return "sessions are named" if places else "the store is named"


@pytest.fixture(scope="module")
def original() -> Original:
    return Original()


def test_damage_is_never_served(original: Original) -> None:
    chance = random.Random(SEED)
    drawn = [("bit", ROUNDS), ("entry", ROUNDS // 4), ("cut", ROUNDS // 10), ("page", ROUNDS // 10)]
    damages = [original.draw(chance, what) for what, rounds in drawn for _ in range(rounds)]
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda damage: outcome(damage, original), damages))
    tally = Counter((it.what, it.state, it.file, end) for it, end in zip(damages, outcomes, strict=True))
    for (what, state, file, end), count in sorted(tally.items()):
        print(f"{what:5} {state:7} {file:16} {end}: {count}")
    # Every flipped bit of an entry is found, and so is every one in the log before its last transaction.
    assert {end for what, _, _, end in tally if what == "entry"} == {"sessions are named"}
    in_the_log = {end: count for (what, _, file, end), count in tally.items() if what == "bit" and file == WAL}
    assert in_the_log.keys() <= {"refused", "the end is torn"} and in_the_log["refused"] > ROUNDS // 6
