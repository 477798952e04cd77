"""From a server's system calls to what its files may look like after a loss of power.

strace writes down every call that changes the folder of the store, and every answer. From that this file knows, at each
moment, what a disk must have (what was synced) and what it may have (each write since then: none of them, all of them,
some of them, or some sectors of each). So it is with names: what was made or removed in a folder is certain when the
folder was synced. A sync that failed has lost what it should have written, and no later one brings it back.
"""

import random
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

SECTOR = 512
WRITES = "pwrite64,ftruncate,fsync,fdatasync,openat,unlink,unlinkat"
ANSWERS = "accept4,accept,write,writev,sendto,sendmsg"
# Calls that could change a file as well, and that nobody makes so far. One of them would make the model untrue.
UNKNOWN = "pwritev,pwritev2,fallocate,rename,renameat,renameat2,link,linkat,truncate,copy_file_range,sendfile,msync"


class Event(NamedTuple):
    kind: str
    """write, truncate, sync, failed sync, create, remove, answer"""
    name: str = ""
    """The file; empty for the folder itself"""
    at: int = 0
    data: bytes = b""
    client: int | None = None
    """The port of the one who is answered"""


def recording(trace: Path) -> list[str]:
    """Arguments of strace that record into a file."""
    return ["-y", "-xx", "-s", str(1 << 26), "-o", str(trace), "-e", f"trace={WRITES},{ANSWERS},{UNKNOWN}"]


# With this strace is quicker; but then it does not count calls that are to fail.
QUICK = ["--seccomp-bpf"]


UNFINISHED = " <unfinished ...>"
LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>)?(.*)")
BYTES = r"((?:\\x..)*)"
HEX = rf'"{BYTES}"'
FILE = rf"(?:\d+|AT_FDCWD)<{BYTES}>"
ACCEPTED = re.compile(rf"accept4?\(.*sin_port=htons\((\d+)\).*\) += {FILE}")
ANSWERED = re.compile(rf"\w+\({FILE}, (?:\[{{iov_base=)?{HEX}")
OPENED = re.compile(rf"\w+\({FILE}")
CALLS = {
    "write": re.compile(rf"pwrite64\({FILE}, {HEX}, (\d+), (\d+)\) += (\d+)"),
    "truncate": re.compile(rf"ftruncate\({FILE}, (\d+)\) += 0"),
    "sync": re.compile(rf"f(?:data)?sync\({FILE}\) += 0"),
    "failed sync": re.compile(rf"f(?:data)?sync\({FILE}\) += -1"),
    "open": re.compile(rf"openat\(.*O_CREAT.*\) += {FILE}"),
    "remove": re.compile(rf"unlink\({HEX}\) += 0"),
}


def raw(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def events(trace: Path, folder: Path) -> Iterator[Event]:
    """What happened to the files of a folder, and when clients were answered. A call counts when it returns; an answer
    when it begins, for then it may already be on its way."""
    begun: dict[str, str] = {}
    ports: dict[str, int] = {}
    for line in trace.read_text().splitlines():
        process, resumed, call = LINE.fullmatch(line).groups()
        if resumed:
            call = begun.pop(process) + call
        elif (answer := ANSWERED.match(call)) and answer[1] in ports and raw(answer[2]).startswith(b"HTTP/1.1 "):
            yield Event("answer", client=ports[answer[1]])
        if accepted := ACCEPTED.match(call):
            ports[accepted[2]] = int(accepted[1])
        if call.endswith(UNFINISHED):
            begun[process] = call.removesuffix(UNFINISHED)
        else:
            yield from _of_call(call, str(folder))


def _of_call(call: str, folder: str) -> Iterator[Event]:
    kind, found = next(((kind, found) for kind, it in CALLS.items() if (found := it.match(call))), (None, None))
    if found is None:
        # A call that failed has changed nothing; -1 is what it returns.
        name = call.partition("(")[0]
        wrote = name in UNKNOWN.split(",") or (name in WRITES.split(",") and name != "openat")
        if name in ANSWERS.split(",") and (file := OPENED.match(call)):
            wrote = raw(file[1]).decode(errors="replace").startswith(folder)
        assert not wrote or " = -1 " in call or " = ?" in call, f"nobody knows what this does: {call[:200]}"
        return
    path = raw(found[1]).decode(errors="replace")
    if not path.startswith(folder) or path.endswith(("-shm", ".lock")):
        return
    name = path[len(folder) + 1 :]
    match kind:
        case "write":
            data = raw(found[2])
            assert len(data) == int(found[3]), "strace has cut a write short"
            yield Event("write", name, int(found[4]), data[: int(found[5])])
        case "truncate":
            yield Event("truncate", name, int(found[2]))
        case _:
            yield Event(kind, name)


@dataclass
class Inode:
    """A file, whatever its name: what the disk must have of it, and what it may have."""

    certain: bytearray = field(default_factory=bytearray)
    loose: list[Event] = field(default_factory=list)


def put(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        content[:] = content[: event.at].ljust(event.at, b"\0")
        return
    end = event.at + len(event.data)
    content.extend(bytes(max(0, end - len(content))))
    content[event.at : end] = event.data


def sectors(event: Event) -> Iterator[Event]:
    """A write, cut where the disk's sectors end."""
    if event.kind == "truncate":
        yield event
        return
    start, end = event.at, event.at + len(event.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        yield Event("write", event.name, start, event.data[start - event.at : stop - event.at])
        start = stop


class Disk:
    """A folder on a disk that keeps nothing for certain but what was synced; not even that, where syncs are ignored."""

    def __init__(self, ignores_syncs: bool = False):
        self.ignores_syncs = ignores_syncs
        self.names: dict[str, Inode] = {}
        # For each name, what it certainly stands for, and what it was made to stand for since then.
        self.kept: dict[str, Inode | None] = {}
        self.changes: dict[str, list[Inode | None]] = {}

    def take(self, event: Event) -> None:
        name = event.name
        match event.kind:
            case "open" if name not in self.names:
                self.names[name] = Inode()
                self.changes.setdefault(name, []).append(self.names[name])
            case "remove":
                del self.names[name]
                self.changes.setdefault(name, []).append(None)
            case "write" | "truncate" if name in self.names:
                self.names[name].loose.append(event)
            case "sync" if self.ignores_syncs:
                pass
            case "sync" if not name:
                self.kept |= {name: versions[-1] for name, versions in self.changes.items()}
                self.changes.clear()
            case "sync" if name in self.names:
                inode = self.names[name]
                for write in inode.loose:
                    put(inode.certain, write)
                inode.loose.clear()
            case "failed sync" if name in self.names:
                self.names[name].loose.clear()

    def after_a_power_cut(self, chance: random.Random) -> dict[str, bytes]:
        """The files as they may be found."""
        found: dict[str, bytes] = {}
        how = chance.choice(["none", "all", "some", "some", "torn", "torn"])
        for name in sorted(self.kept.keys() | self.changes.keys()):
            versions = [self.kept.get(name), *self.changes.get(name, [])]
            inode = versions[-1] if how == "all" else versions[0] if how == "none" else chance.choice(versions)
            if inode is None:
                continue
            content = bytearray(inode.certain)
            for event in inode.loose:
                for part in sectors(event) if how == "torn" else [event]:
                    if how == "all" or (how != "none" and chance.random() < 0.5):
                        put(content, part)
            found[name] = bytes(content)
        return found


def write(place: Path, files: dict[str, bytes]) -> None:
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)


def entries_of(store: Path) -> dict[str, dict[int, str]]:
    """By session, the state that each entry leads to; every entry must stand on the one before it."""
    db = sqlite3.connect(store)
    try:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'keys_by_time'").fetchone():
            return {}
        rows = db.execute(
            "SELECT name, step, last, state, before, hash FROM logs JOIN entries ON log = id WHERE named = 1"
            " ORDER BY name, step"
        ).fetchall()
    finally:
        db.close()
    found: dict[str, dict[int, str]] = {}
    last, end = b"", 0
    for name, step, until, state, before, own in rows:
        if step and (before != last or step != end + 1):
            raise sqlite3.DatabaseError(f"the log of {name} has a gap before {step}")
        last, end = own, until
        found.setdefault(name, {})[step] = state.hex()
    return found


def verdict(store: Path, after: list[list[dict]], answered: list[int]) -> str:
    """What SQLite finds, beside what each client's sessions were after so many requests: all that was answered (and
    perhaps what was on its way), less, or something that never was."""
    try:
        found = entries_of(store)
    except sqlite3.DatabaseError as error:
        return f"unreadable: {error}"
    verdict = "whole"
    for client, (own, count) in enumerate(zip(after, answered, strict=True)):
        names = {name for entries in own for name in entries}
        stands = {name: entries for name, entries in found.items() if name in names}
        if stands in own[count : count + 2]:
            continue
        if stands not in own[:count]:
            return f"never was: client {client} after {count}"
        verdict = "lost"
    return verdict
