"""What a listener hears of a session: everything, in order, once; and from where it left off."""

import json
import threading
from queue import Queue

import requests

SMALL = {"network": {"inputs": 2, "layers": [{"kind": "dense", "units": 1, "activation": "sigmoid"}]}}
ROW = {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}
PATIENCE = 30


class Listener(threading.Thread):
    """Puts every event of a stream into a queue: its id, its name and its data."""

    def __init__(self, url: str, after: int | None = None):
        super().__init__(daemon=True)
        headers = {} if after is None else {"last-event-id": str(after)}
        self.answer = requests.get(url, headers=headers, stream=True, timeout=PATIENCE)
        assert self.answer.status_code == 200, self.answer.text
        assert self.answer.headers["content-type"] == "text/event-stream"
        self.heard: Queue[tuple[str | None, str, dict]] = Queue()
        self.start()

    def run(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self.answer.iter_lines(chunk_size=1, decode_unicode=True):
                if line and not line.startswith(":"):
                    name, value = line.split(": ", 1)
                    fields[name] = value
                elif fields:
                    self.heard.put((fields.get("id"), fields["event"], json.loads(fields["data"])))
                    fields = {}
        except (requests.RequestException, AttributeError):
            # Closed by the test.
            return

    def next(self) -> tuple[str | None, str, dict]:
        return self.heard.get(timeout=PATIENCE)


def test_a_listener_hears_everything_in_order(server):
    server.put("/v1/sessions/heard", SMALL, status=201)
    url = f"{server.base_url}/v1/sessions/heard/events"
    listener = Listener(url)
    server.post("/v1/sessions/heard/step", ROW, status=200)
    server.post("/v1/sessions/heard/train", {"dataset": "xor", "steps": 40}, status=200)
    server.post("/v1/sessions/heard/rewind", {"to": 0}, status=200)
    weights = server.get("/v1/sessions/heard/weights", status=200)
    server.put("/v1/sessions/heard/weights", {"layers": weights["layers"]}, status=200)
    steps = server.get("/v1/sessions/heard/steps?limit=1000", status=200)["steps"]

    assert listener.next() == ("1", "step", steps[1])
    identity, event, progress = listener.next()
    assert (identity, event, progress["step"]) == ("41", "progress", 41)
    assert progress["loss"] == steps[41]["loss"]
    heard = [listener.next() for _ in range(3)]
    done = [data for _, event, data in heard if event == "done"]
    assert done == [server.get("/v1/sessions/heard/train", status=200)]
    assert [entry for entry in heard if entry[1] == "step"] == [("42", "step", steps[42]), ("43", "step", steps[43])]

    # Whoever was away hears what it missed, and goes on.
    late = Listener(url, after=41)
    assert [late.next(), late.next()] == [("42", "step", steps[42]), ("43", "step", steps[43])]
    server.post("/v1/sessions/heard/step", ROW, status=200)
    assert late.next()[0] == listener.next()[0] == "44"
    late.answer.close()
    listener.answer.close()


def test_a_listener_to_a_deleted_session_is_told(server):
    server.put("/v1/sessions/gone", SMALL, status=201)
    listener = Listener(f"{server.base_url}/v1/sessions/gone/events")
    server.post("/v1/sessions/gone/step", ROW, status=200)
    assert listener.next()[1] == "step"
    server.delete("/v1/sessions/gone", status=204)
    identity, event, data = listener.next()
    assert (identity, event, data["code"]) == (None, "problem", "session_not_found")
    listener.join(PATIENCE)
    assert not listener.is_alive()


def test_a_listener_of_a_branch_hears_of_what_was_before_it(server):
    server.put("/v1/sessions/trunk", SMALL, status=201)
    for _ in range(3):
        server.post("/v1/sessions/trunk/step", ROW, status=200)
    server.post("/v1/sessions/trunk/fork", {"name": "branch", "at": 2}, status=201)
    server.post("/v1/sessions/branch/step", ROW, status=200)
    listener = Listener(f"{server.base_url}/v1/sessions/branch/events", after=0)
    assert [listener.next()[0] for _ in range(3)] == ["1", "2", "3"]
    listener.answer.close()


def test_where_to_go_on_from_is_a_step_of_the_session(server):
    server.put("/v1/sessions/nowhere", SMALL, status=201)
    url = f"{server.base_url}/v1/sessions/nowhere/events"
    for value, status, code in (("7", 404, "step_not_found"), ("seven", 400, "invalid_header")):
        answer = requests.get(url, headers={"last-event-id": value}, timeout=PATIENCE)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
