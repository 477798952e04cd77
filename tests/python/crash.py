"""What the tests of crashes share: a server on an SQLite file that can be killed and watched, and a client that knows
what it was promised.

The client sends a script of requests that write, one after the other, to sessions that nobody else touches. All that a
request makes follows from the requests before it, so that the answers of one whole run are the right ones of every
other run, to the byte. What stands in the store after a crash must be what stood after the last answered request, or
after the one that was not answered any more: nothing lost, nothing in between.

How much is tried is set by environment variables, which each test names in its head: `…_ROUNDS` (how many) and `…_SEED`
(which ones).
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from conftest import STOP_SECONDS, address_of, binary, environment

ANSWER_SECONDS = 60
STRACE = ["strace", "-f", "-qq"]
MEMORY = Path("/dev/shm")
STORE = "chainrule.db"
WORKERS = 2


class NotStarted(Exception):
    """The server ended instead of listening: with this status, and these last words."""

    def __init__(self, status: int, words: str):
        super().__init__(f"the server ended with {status}: {words}")
        self.status, self.words = status, words


class Server:
    """The built server on an SQLite file, under strace where arguments for it are given."""

    def __init__(self, store: Path, *flags: str, strace: list[str] | None = None):
        command = [binary(), "--listen", "127.0.0.1:0", "--store", f"sqlite:{store}", "--log", "error", *flags]
        if strace is not None:
            command = [*STRACE, *strace, *command]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", env=environment(),
            stdin=subprocess.DEVNULL,
        )
        try:
            self.url = address_of(self.process)
        except RuntimeError as reason:
            try:
                # Its output may end a moment before it does.
                _, words = self.process.communicate(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                _, words = self.process.communicate()
            raise NotStarted(self.process.returncode, words or str(reason)) from None
        self._traced = strace is not None

    def connect(self) -> "Connection":
        return Connection(self.url)

    def kill(self) -> str:
        return self._ended(signal.SIGKILL, -signal.SIGKILL)

    def stop(self) -> str:
        """Asks it to end, and gives what it said on standard error."""
        return self._ended(signal.SIGTERM, 0)

    def _ended(self, how: signal.Signals, expected: int) -> str:
        words = self.end(how)
        assert self.process.returncode == expected, f"the server ended with {self.process.returncode}: {words}"
        return words

    def end(self, how: signal.Signals) -> str:
        """Sends a signal, where the server has not ended already, however that went."""
        self._send(how)
        try:
            _, words = self.process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._send(signal.SIGKILL)
            raise
        return words

    def _send(self, how: signal.Signals) -> None:
        pid = str(self.process.pid)
        # It may be about to end by itself.
        with suppress(OSError):
            # Whoever ends strace leaves the server running.
            target = Path(f"/proc/{pid}/task/{pid}/children").read_text() if self._traced else pid
            if target and self.process.poll() is None:
                os.kill(int(target), how)


class Request(NamedTuple):
    method: str
    path: str
    body: Any = None
    key: str | None = None


class Answer(NamedTuple):
    status: int
    body: bytes
    tag: str | None
    retry_after: str | None

    @property
    def content(self) -> tuple[int, bytes]:
        return self.status, self.body

    @property
    def problem(self) -> str | None:
        return json.loads(self.body)["code"] if self.status >= 400 else None


class Unanswered(Exception):
    """The connection broke before the answer was there."""


class Connection:
    """One connection that stays open, so that the order of its answers is known."""

    def __init__(self, url: str):
        address = urllib.parse.urlsplit(url)
        self._http = http.client.HTTPConnection(address.hostname, address.port, timeout=ANSWER_SECONDS)
        try:
            self._http.connect()
        except OSError as error:
            raise Unanswered from error
        self.port = self._http.sock.getsockname()[1]

    def get(self, path: str) -> Answer:
        return self.ask(Request("GET", path))

    def ask(self, request: Request) -> Answer:
        headers = {"Idempotency-Key": request.key} if request.key else {}
        body = None if request.body is None else json.dumps(request.body)
        # It must not be opened again behind our back.
        self._http.auto_open = 0
        try:
            self._http.request(request.method, request.path, body, headers)
            answer = self._http.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered from error
        return Answer(answer.status, content, answer.headers["ETag"], answer.headers["Retry-After"])

    def close(self) -> None:
        self._http.close()


TAG = re.compile(r'"(\d+)-([0-9a-f]{64})"')
SESSION = re.compile(r"/v1/sessions/([^/?]+)/?([^/?]*)")


class Script:
    """Requests that write, and the answers to the first of them: what one client was promised."""

    def __init__(self, requests: list[Request]):
        self.requests: list[Request] = requests
        self.answers: list[Answer] = []

    def play(self, connection: Connection, until: int | None = None) -> bool:
        """Sends what is not answered yet; false where an answer is missing."""
        for request in self.requests[len(self.answers) : until]:
            try:
                answer = connection.ask(request)
            except Unanswered:
                return False
            assert answer.status < 300, f"{request}: {answer}"
            self.answers.append(answer)
        return True

    def right(self, number: int, answer: Answer) -> None:
        """Asserts that the answer to a request is that of this run."""
        expected, request = self.answers[number], self.requests[number]
        assert answer.content == expected.content, f"{request} was answered {answer}, not {expected}"

    def go_on(self, connection: Connection, made: int) -> None:
        """Asserts that the requests that are not made yet are answered as in this run."""
        for number in range(made, len(self.requests)):
            self.right(number, connection.ask(self.requests[number]))

    def _made(self) -> Iterator[tuple[str, str, int, str]]:
        """What each answered request was, of which session, the entry that it made, and the state there."""
        for request, answer in zip(self.requests, self.answers, strict=False):
            name, what = SESSION.match(request.path).groups()
            if request.method == "DELETE":
                yield "delete", name, 0, ""
                continue
            step, state = TAG.fullmatch(answer.tag).groups()
            if what == "fork":
                yield "begin", request.body["name"], 0, state
            elif not what:
                yield "begin", name, 0, state
            else:
                yield "go on", name, int(step), state

    def entries(self, count: int) -> dict[str, dict[int, str]]:
        """By session, the state that each entry of its log leads to, after so many requests."""
        stands: dict[str, dict[int, str]] = {}
        for _, (what, name, step, state) in zip(range(count), self._made(), strict=False):
            if what == "delete":
                del stands[name]
            elif what == "begin":
                stands[name] = {0: state}
            else:
                stands[name][step] = state
        return stands

    def all_entries(self) -> list[dict[str, dict[int, str]]]:
        """The same after each number of requests, from none to all that were answered."""
        return [self.entries(count) for count in range(len(self.answers) + 1)]

    def listing(self, count: int) -> dict[str, str]:
        """By session, the tag of where it stands after so many requests."""
        tags: dict[str, str] = {}
        for (what, name, *_), answer in zip(self._made(), self.answers[:count], strict=False):
            if what == "delete":
                del tags[name]
            else:
                tags[name] = answer.tag
        return tags

    def standing(self, count: int) -> dict[tuple[str, int], int]:
        """Which of so many requests made the entries that there still are."""
        standing: dict[tuple[str, int], int] = {}
        for number, (what, name, step, _) in zip(range(count), self._made(), strict=False):
            if what == "go on":
                standing[name, step] = number
                continue
            standing = {place: which for place, which in standing.items() if place[0] != name}
            if what == "begin":
                standing[name, 0] = number
        return standing


def whole_run(rounds: int = 1) -> Script:
    """A script that was played to its end: the right answers."""
    script = Script(writing("w", rounds))
    with folder() as place:
        server = Server(place / STORE)
        assert script.play(server.connect())
        server.stop()
    return script


def injecting(call: str, what: str, number: int) -> list[str]:
    """Arguments of strace that let the n-th call of each thread fail, or kill."""
    return ["-e", f"inject={call}:{what}:when={number}"]


def calls_of(right: Script, calls: list[str]) -> dict[str, int]:
    """How often each system call is made by one thread at the most, while the server starts, answers and stops: so
    strace counts them."""
    with folder() as place:
        server = Server(place / STORE, strace=["-o", str(place / "trace"), "-e", f"trace={','.join(calls)}"])
        script = Script(right.requests)
        assert script.play(server.connect())
        server.stop()
        made = re.findall(r"^(\d+) +(\w+)\(", (place / "trace").read_text(), re.MULTILINE)
    counts = Counter(made)
    return {call: max(count for (_, made), count in counts.items() if made == call) for call in calls}


LISTING = "/v1/sessions?limit=1000"


def tags_of(listing: Answer) -> dict[str, str]:
    """By session, the tag of where it stands, as the server lists them."""
    assert listing.status == 200, listing
    return {line["name"]: f'"{line["step"]}-{line["state"]}"' for line in json.loads(listing.body)["sessions"]}


def check(connection: Connection, script: Script, answered: int) -> int:
    """Asserts that all that was answered is there, the same bytes, and what was not is there whole or not at all.
    Gives how many requests were made."""
    names = {name for _, name, *_ in script._made()}
    found = {name: tag for name, tag in tags_of(connection.get(LISTING)).items() if name in names}
    possible = range(answered, min(answered + 1, len(script.answers)) + 1)
    made = next((count for count in possible if script.listing(count) == found), None)
    assert made is not None, f"after {answered} answers: {script.listing(answered)} is right, and there is {found}"
    for (name, step), number in script.standing(made).items():
        recalled = connection.get(f"/v1/sessions/{name}/steps/{step}")
        right = script.answers[number].body
        assert (recalled.status, recalled.body) == (200, right), f"{name} {step}: {recalled} is not {right}"
        if script.requests[number].key and number < answered:
            script.right(number, connection.ask(script.requests[number]))
    for name, entries in script.entries(made).items():
        answer = connection.get(f"/v1/sessions/{name}/steps?limit=1000")
        assert answer.status == 200, answer
        states = {line["step"]: line["state"] for line in json.loads(answer.body)["steps"]}
        # A branch shows the steps before it as well.
        assert states.items() >= entries.items(), f"{name} has {states}, not {entries}"
        assert sorted(states) == list(range(len(states))), f"{name} has gaps: {sorted(states)}"
    return made


def writing(client: str, rounds: int = 1) -> list[Request]:
    """Requests of every kind that writes, on networks with and without statistics of the batch, with and without a
    key."""
    plain, norm, twig, spare = (f"/v1/sessions/{client}-{name}" for name in ("plain", "norm", "twig", "spare"))
    dense, head = {"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1}
    network = {"network": {"inputs": 2, "layers": [dense, head]}, "optimizer": {"kind": "sgd", "momentum": 0.9}}
    layers = [dense, {"kind": "batch_norm"}, {"kind": "dropout", "rate": 0.2}, head]
    normed = {"network": {"inputs": 2, "layers": layers}, "optimizer": {"kind": "adam"}, "seed": 3}
    beta = {"layers": [{"name": "layer2", "parameters": {"beta": [0.5, -0.5, 0.25]}}]}
    requests: list[Request] = []

    def ask(method: str, path: str, body: Any = None, key: bool = False) -> None:
        requests.append(Request(method, path, body, f"{client}-{len(requests)}" if key else None))

    def step(session: str, key: bool = False, query: str = "") -> None:
        # Another batch each time, so that no two steps are alike.
        mark = len(requests) / 8
        ask("POST", f"{session}/step{query}", {"inputs": [[mark, 1], [1, -mark]], "targets": [[mark], [0]]}, key)

    ask("PUT", plain, network)
    ask("PUT", norm, normed, key=True)
    for number in range(rounds):
        step(plain)
        step(norm, key=True)
        step(plain, key=True)
        step(norm, query="?trace=summary")
        ask("PUT", f"{plain}/weights/layer2", {"layers": [{"name": "layer2", "parameters": {"bias": [number + 0.5]}}]})
        ask("POST", f"{plain}/fork", {"name": f"{client}-twig", "at": 2}, key=True)
        step(twig)
        ask("POST", f"{plain}/rewind", {"to": 1})
        step(plain)
        ask("PUT", f"{norm}/weights", beta, key=True)
        step(norm)
        ask("PUT", spare, network)
        step(spare, key=True)
        ask("DELETE", spare, key=True)
        ask("PUT", spare, normed)
        step(spare)
        ask("POST", f"{norm}/rewind", {"to": 2}, key=True)
        step(twig)
        step(norm, key=True)
        ask("DELETE", spare)
        ask("DELETE", twig, key=True)
        step(plain)
    return requests


@contextmanager
def folder() -> Iterator[Path]:
    """A folder in memory where there is such a place: disks are imagined here, and the real one is only slow."""
    path = Path(tempfile.mkdtemp(prefix="chainrule-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    try:
        yield path
    finally:
        shutil.rmtree(path)
