"""What is asked of the cluster through its door, the load balancer. Each command is one check: it prints what it found,
and fails where the cluster breaks a promise. The script `cluster` calls them in their order; each leaves everything
running, but for what the next one starts again.

    python3 door.py ready | spread | same | smuggling | killed | returned | once | stopped | resumed | deserted
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

DOOR = "127.0.0.1", int(os.environ["CHAINRULE_CLUSTER_PORT"])
PROJECT = os.environ["COMPOSE_PROJECT_NAME"]
REPLICAS = ["replica-1", "replica-2", "replica-3"]
SESSIONS = [f"spread-{number}" for number in range(30)]
STEPS = 300
PROBLEM = "application/problem+json"


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def replica(self) -> str | None:
        return self.headers["X-Replica"]

    def json(self):
        return json.loads(self.body)


class Connection(http.client.HTTPConnection):
    """Sends a request in one piece, as most clients do: what the door has as a whole it could send twice."""

    held = b""

    def send(self, data: bytes):
        self.held += data

    def getresponse(self) -> http.client.HTTPResponse:
        super().send(self.held)
        return super().getresponse()


def ask(method: str, path: str, body=None, key: str | None = None, at=DOOR) -> Answer:
    connection = Connection(*at, timeout=30)
    headers = {"Content-Type": "application/json"}
    if key is not None:
        headers["Idempotency-Key"] = key
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def done(method: str, path: str, body=None, **more) -> Answer:
    """An answer that must be a good one."""
    answer = ask(method, path, body, **more)
    assert answer.status in (200, 201, 204), (method, path, answer.status, answer.body)
    return answer


def create(session: str) -> Answer:
    return done("PUT", f"/v1/sessions/{session}", {"preset": "worked-example"})


def step(session: str, mark: float = 0, **more) -> Answer:
    """A step on an input of its own, which tells it from all others."""
    return ask("POST", f"/v1/sessions/{session}/step", {"inputs": [[0.5, mark]], "targets": [[1.0]]}, **more)


def home(session: str) -> str:
    """Who answers for a session."""
    return done("GET", f"/v1/sessions/{session}").replica


def docker(*arguments: str) -> str:
    said = subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout
    return said.strip()


def containers(service: str | None = None, status: str | None = None) -> list[str]:
    """Names and identities."""
    filters = [f"label=com.docker.compose.project={PROJECT}"]
    filters += [f"label=com.docker.compose.service={service}"] if service else []
    filters += [f"status={status}"] if status else []
    arguments = [argument for text in filters for argument in ("--filter", text)]
    return docker("ps", "--all", *arguments, "--format", '{{.Label "com.docker.compose.service"}} {{.ID}}').splitlines()


def container(service: str) -> str:
    (line,) = containers(service)
    return line.split()[1]


def address(service: str) -> tuple[str, int]:
    networks = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return docker("inspect", "--format", networks, container(service)), 8080


def wait(what: str, seconds: float, condition: Callable[[], bool]) -> float:
    """How long it took until something was so."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.1)
    return time.monotonic() - began


def start(identity: str, condition: Callable[[], bool]) -> float:
    """How long it took from the start of a container until something was so."""
    began = time.monotonic()
    docker("start", identity)
    wait("what a start brings", 30, condition)
    return time.monotonic() - began


def all_ready() -> bool:
    answers = [ask("GET", "/readyz") for _ in range(12)]
    return all(answer.status == 200 for answer in answers) and {answer.replica for answer in answers} == set(REPLICAS)


def refused(answer: Answer, status: int, code: str):
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["Content-Type"] == PROBLEM, answer.headers["Content-Type"]
    assert int(answer.headers["Retry-After"]) >= 1
    problem = answer.json()
    assert problem["status"] == status and problem["code"] == code, problem


# ---- the commands


def ready():
    print(f"after {wait('all replicas ready', 90, all_ready):.1f} s")


def spread():
    homes = {}
    for session in SESSIONS:
        path = f"/v1/sessions/{session}"
        answers = [create(session), step(session), step(session)]
        answers += [done("GET", path + more) for more in ("", "/weights", "/steps?limit=1", "/steps/1")]
        found = {answer.replica for answer in answers}
        assert len(found) == 1, f"{session} is at {found}"
        homes[session] = found.pop()
    counts = Counter(homes.values())
    print(", ".join(f"{replica}: {counts[replica]} sessions" for replica in REPLICAS))
    assert all(counts[replica] >= 5 for replica in REPLICAS), "far from a third each"
    others = Counter(done("POST", "/v1/explain", {"preset": "worked-example"}).replica for _ in range(60))
    print(", ".join(f"{replica}: {others[replica]} other requests" for replica in REPLICAS))
    assert all(others[replica] >= 8 for replica in REPLICAS), "far from a third each"


def same():
    create("same")
    answers = [step("same", number / 10) for number in range(10)]
    places = {replica: address(replica) for replica in REPLICAS}
    for number, answer in enumerate(answers, 1):
        for replica, at in places.items():
            told = done("GET", f"/v1/sessions/same/steps/{number}", at=at)
            assert told.body == answer.body, f"step {number} at {replica}"
    for replica, at in places.items():
        answers.append(step("same", at=at))
        assert answers[-1].json()["step"] == len(answers), f"{replica} does not go on from the last step"
    print(f"{len(places)} replicas, {sum(len(answer.body) for answer in answers)} bytes of {len(answers)} steps")


def killed():
    create("killed")
    victim = home("killed")
    before = {session: home(session) for session in SESSIONS}
    kill = threading.Thread(target=docker, args=("kill", container(victim)))
    answers, again, longest = [], Counter(), 0.0
    for number in range(1, STEPS + 1):
        if number == STEPS // 3:
            kill.start()
        began = time.monotonic()
        while True:
            try:
                answer = step("killed", number / STEPS, key=f"killed-{number}")
                if answer.status == 200:
                    break
                assert answer.status in (409, 502, 503, 504), (answer.status, answer.body)
                again[answer.status] += 1
            except (OSError, http.client.HTTPException) as error:
                again[type(error).__name__] += 1
            time.sleep(0.02)
        longest = max(longest, time.monotonic() - began)
        answers.append(answer)
    kill.join()
    by = Counter(answer.replica for answer in answers)
    print(f"{dict(by)}, sent again after {dict(again)}, the longest took {longest:.1f} s")
    assert answers[0].replica == victim != answers[-1].replica, "it was not killed in the middle"
    assert [answer.json()["step"] for answer in answers] == list(range(1, STEPS + 1)), "a step twice, or none"
    living = [replica for replica in REPLICAS if replica != victim]
    for at in (DOOR, *map(address, living)):
        assert done("GET", "/v1/sessions/killed", at=at).json()["step"] == STEPS, "a step that nobody asked for"
        for number, answer in enumerate(answers, 1):
            assert done("GET", f"/v1/sessions/killed/steps/{number}", at=at).body == answer.body, number
    for session, replica in before.items():
        now = home(session)
        assert now == replica if replica != victim else now in living, f"{session} went from {replica} to {now}"


def returned():
    (line,) = containers(status="exited")
    victim, identity = line.split()
    took = start(identity, lambda: home("killed") == victim)
    print(f"{victim} after {took:.1f} s")
    answer = step("killed", 1)
    assert answer.replica == victim and answer.json()["step"] == STEPS + 1, (answer.replica, answer.body[:80])
    wait("all replicas ready", 30, all_ready)


def once():
    """The replica is halted, so that it has the request and cannot answer; then it is killed."""
    create("once")
    victim = home("once")
    docker("kill", "--signal", "STOP", container(victim))
    answers = []
    asking = threading.Thread(target=lambda: answers.append(step("once")))
    asking.start()
    # The request has arrived by then.
    time.sleep(1)
    docker("kill", container(victim))
    asking.join()
    docker("start", container(victim))
    wait("all replicas ready", 30, all_ready)
    refused(answers[0], 502, "bad_gateway")
    assert done("GET", "/v1/sessions/once").json()["step"] == 0, "the door has sent it again"


def stopped():
    create("outage")
    assert step("outage").json()["step"] == 1
    docker("stop", "--time", "60", container("postgres"))
    began = time.monotonic()
    # At once, and when the door has seen that no replica is ready.
    while time.monotonic() - began < 5:
        answer = step("outage", key="outage")
        refused(answer, 503, "store_unavailable")
        assert answer.replica in REPLICAS
        time.sleep(0.2)
    refused(ask("GET", "/readyz"), 503, "store_unavailable")
    for path in ("/v1/sessions", "/v1/sessions/outage", "/v1/sessions/outage/steps/1"):
        refused(ask("GET", path), 503, "store_unavailable")
    for path in ("/livez", "/v1/info", "/v1/presets", "/openapi.yaml"):
        done("GET", path)
    done("POST", "/v1/explain", {"preset": "worked-example"})


def resumed():
    took = start(container("postgres"), lambda: step("outage", key="outage").status == 200)
    print(f"after {took:.1f} s")
    assert done("GET", "/v1/sessions/outage").json()["step"] == 2
    wait("all replicas ready", 30, all_ready)


def deserted():
    docker("kill", *map(container, REPLICAS))
    refused(step("outage", 1), 503, "service_unavailable")
    docker("start", *map(container, REPLICAS))
    wait("all replicas ready", 60, all_ready)
    assert step("outage", 1).json()["step"] == 3


# ---- requests that one reader takes for one and another for two

BODY = b'{"preset": "worked-example"}'
HIDDEN = b"PUT /v1/sessions/smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


def chunk(data: bytes, more: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n0\r\n\r\n" % (len(data), more, data)


def request(fields: bytes, body: bytes) -> bytes:
    return b"POST /v1/explain HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n" + body


# A whole body, and one that has all of another request in it.
WHOLE, INSIDE = chunk(BODY) + HIDDEN, chunk(HIDDEN)
ALL_OF_WHOLE, ALL_OF_HIDDEN = b"Content-Length: %d" % len(WHOLE), b"Content-Length: %d" % len(HIDDEN)
CHUNKED = b"Transfer-Encoding: chunked"
# What must be refused by the door itself.
REFUSED = {
    "two lengths, the short one first": request(b"Content-Length: 0\r\n" + ALL_OF_HIDDEN, HIDDEN),
    "two lengths, the long one first": request(ALL_OF_HIDDEN + b"\r\nContent-Length: 0", HIDDEN),
    "two lengths in one field": request(b"Content-Length: 0, %d" % len(HIDDEN), HIDDEN),
    "a length with a sign": request(b"Content-Length: +%d" % len(HIDDEN), HIDDEN),
    "a space before the colon of the length": request(b"Content-Length : %d" % len(HIDDEN), HIDDEN),
    "a space before the colon of the coding": request(ALL_OF_WHOLE + b"\r\nTransfer-Encoding : chunked", WHOLE),
    "a coding that nobody knows": request(ALL_OF_WHOLE + b"\r\nTransfer-Encoding: xchunked", WHOLE),
    "a bare line feed in a chunk extension": request(CHUNKED, chunk(BODY, b";a\nb") + HIDDEN),
}
# What the door reads in one way; it writes the request anew for the replica, so that there is no other.
READ = {
    "length and chunks, the chunks end first": request(ALL_OF_WHOLE + b"\r\n" + CHUNKED, WHOLE),
    "length and chunks, the length ends first": request(CHUNKED + b"\r\nContent-Length: 4", INSIDE),
    "a folded coding": request(ALL_OF_WHOLE + b"\r\nTransfer-Encoding:\r\n chunked", WHOLE),
    "a coding folded into another field": request(ALL_OF_HIDDEN + b"\r\nX: y\r\n " + CHUNKED, HIDDEN),
    "a coding behind a bare line feed": request(ALL_OF_WHOLE + b"\r\nX: y\n" + CHUNKED, WHOLE),
    "a length behind a bare line feed": request(CHUNKED + b"\r\nX: y\nContent-Length: 4", INSIDE),
    "a chunk extension": request(CHUNKED, chunk(HIDDEN, b";a=b")),
}


def sent(text: bytes) -> tuple[list[int], str, bool]:
    """The status of each answer, whose they are, and whether the connection was closed then."""
    came, closed = b"", True
    with socket.create_connection(DOOR, timeout=2) as connection:
        connection.sendall(text)
        try:
            while more := connection.recv(1 << 16):
                came += more
        except TimeoutError:
            closed = False
        except ConnectionResetError:
            pass
    statuses = [int(part[:3]) for part in came.split(b"HTTP/1.1 ")[1:]]
    return statuses, "replica" if b"x-replica:" in came.lower() else "door", closed


def smuggling():
    # That this can be told at all: two requests which are two by any reading.
    assert sent(request(b"Content-Length: %d" % len(BODY), BODY + HIDDEN)) == ([200, 201], "replica", False)
    done("DELETE", "/v1/sessions/smuggled")
    for name, text in {**REFUSED, **READ}.items():
        statuses, who, closed = sent(text)
        print(f"{name}: {statuses} by the {who}{', closed' if closed else ''}")
        assert len(statuses) == 1 and ask("GET", "/v1/sessions/smuggled").status == 404, "two requests out of one"
        if name in REFUSED:
            assert (statuses, who, closed) == ([400], "door", True)
        for _ in REPLICAS:
            assert done("GET", "/livez").json() == {"status": "ok"}, "an answer that was another's"


if __name__ == "__main__":
    {
        "ready": ready,
        "spread": spread,
        "same": same,
        "smuggling": smuggling,
        "killed": killed,
        "returned": returned,
        "once": once,
        "stopped": stopped,
        "resumed": resumed,
        "deserted": deserted,
    }[sys.argv[1]]()
