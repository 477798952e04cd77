"""What a training run tells of itself: where it ended and why, what it was evaluated with, and which run made a step."""

import subprocess

import pytest
import requests

from conftest import binary, environment
from golden_log import serving
from plain_datasets import parted, standardized
from test_train import LONG, PATIENCE, SMALL, begin, chosen, dense, ended, events, network, norms

LINEAR = {"network": network(2, dense(8, "relu"), dense(1, "linear")), "optimizer": {"kind": "sgd", "learning_rate": 50}}


def ask(server, method: str, path: str, body=None, **headers: str) -> requests.Response:
    return requests.request(method, f"{server.base_url}/v1/sessions/{path}", json=body, headers=headers, timeout=PATIENCE)


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "application/x-ndjson"])
def test_a_run_that_makes_no_step_tells_where_the_session_stands_and_no_loss(server, accept):
    name = f"stuck-{accept.split('/')[1]}"
    server.put(f"/v1/sessions/{name}", LINEAR, status=201)
    first = server.post(f"/v1/sessions/{name}/train", {"dataset": "xor", "steps": 1000}, status=200)
    assert (first["state"], first["reason"]) == ("failed", "non_finite")
    at = first["step"]
    assert server.get(f"/v1/sessions/{name}", status=200)["step"] == at > 0
    if accept == "application/json":
        second = server.post(f"/v1/sessions/{name}/train", {"dataset": "xor", "steps": 1000}, status=200)
    else:
        (_, event, second), *more = events(server, name, {"dataset": "xor", "steps": 1000}, accept)
        assert (event, more) == ("problem", [])
    assert (second["state"], second["from"], second["step"], second["epoch"]) == ("failed", at, at, 0)
    assert not {"loss", "accuracy", "train_loss", "test_loss", "gradient_norms", "evaluated_at"} & set(second)
    assert second == server.get(f"/v1/sessions/{name}/train", status=200)
    # Of a new session likewise.
    server.put(f"/v1/sessions/{name}-new", {**LINEAR, "network": network(1, dense(1, "linear"))}, status=201)
    rows = {"inputs": [[1e200], [2e200]], "targets": [[1.0], [0.0]]}
    done = server.post(f"/v1/sessions/{name}-new/train", {**rows, "steps": 3}, status=200)
    assert (done["state"], done["step"], "loss" in done) == ("failed", 0, False)


@pytest.mark.parametrize("more", [{}, {"progress_every": 1}, {"progress_every": 3}, {"progress_every": 1000}, {"evaluate_every": 1}])
def test_a_run_that_fails_tells_all_of_its_last_step(server, more):
    name = "failing-" + "-".join(f"{key[0]}{value}" for key, value in more.items()) + "0"
    server.put(f"/v1/sessions/{name}", LINEAR, status=201)
    told = events(server, name, {"dataset": "xor", "steps": 1000, **more}, "application/x-ndjson")
    at, every = told[-1][2]["step"], more.get("progress_every", 1000)
    steps = sorted({*range(every, at, every), at})
    assert [(event, data["step"]) for _, event, data in told] == [*(("progress", step) for step in steps), ("problem", at)]
    progress, view = told[-2][2], told[-1][2]
    last = server.get(f"/v1/sessions/{name}/steps/{at}", status=200)
    short = server.get(f"/v1/sessions/{name}/steps/{at}?trace=summary", status=200)
    for data in (progress, view):
        assert data["loss"] == last["loss"]["value"]
        assert data["gradient_norms"] == norms(short["backward"]["layers"])
        assert 0 <= data["accuracy"] <= 1
    title = server.get("/problems/non_finite", status=200)["title"]
    assert (view["problem"]["title"], "changed" in title) == (title, False)


@pytest.mark.parametrize("value", [0.1, -0.7, 1e308, 5e-324, 0.0])
def test_an_input_that_never_changes_is_only_moved(server, value):
    name = f"still-{value}".replace("+", "")
    server.put(f"/v1/sessions/{name}", SMALL, status=201)
    # The first input is the same in all rows, the second in all but one.
    rows = {"inputs": [[value, 0.1 if row else 0.3] for row in range(7)], "targets": [[1.0]] * 7}
    body = {**rows, "steps": 1, "standardize": True, "split": {"test": 0}, "shuffle": False}
    found = server.post(f"/v1/sessions/{name}/train", body, status=200)["dataset"]["standardized"]
    assert (found["mean"][0], found["std"][0]) == (value, 1.0)
    inputs, mean, std = standardized(rows["inputs"], rows["inputs"])
    assert found == {"mean": mean, "std": std}
    assert std[1] != 1.0
    assert server.get(f"/v1/sessions/{name}/steps/1", status=200)["forward"]["inputs"] == inputs


def test_what_a_step_was_learned_from_stays_to_be_asked(server):
    create = {**SMALL, "network": network(4, dense(6, "tanh"), dense(3, "sigmoid"))}
    server.put("/v1/sessions/asked", create, status=201)
    body = {"dataset": "iris", "steps": 5, "batch_size": 25, "standardize": True, "split": {"test": 0.33, "seed": 8}}
    first = server.post("/v1/sessions/asked/train", body, status=200)["dataset"]
    rows = {"inputs": [[1.0] * 4], "targets": [[1.0, 0.0, 0.0]]}
    server.post("/v1/sessions/asked/step", rows, status=200)
    second = server.post("/v1/sessions/asked/train", {"dataset": "iris", "steps": 4}, status=200)["dataset"]
    learned, _ = parted(150, 0.33, 8)
    whole = chosen(server.get("/v1/datasets/iris?rows=true", status=200), learned)
    _, mean, std = standardized(whole["inputs"], whole["inputs"])
    assert first["standardized"] == {"mean": mean, "std": std}
    assert "standardized" not in second

    def run_of(session: str, step: int) -> dict:
        return server.get(f"/v1/sessions/{session}/train?step={step}", status=200)

    runs = [run_of("asked", step) for step in (*range(1, 6), *range(7, 11))]
    assert [run["dataset"] for run in runs] == [first] * 5 + [second] * 4
    assert [run["from"] for run in runs] == [0] * 5 + [6] * 4
    assert [run["step"] for run in runs] == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert (len({run["run"] for run in runs}), runs[0]["run"] == runs[4]["run"]) == (2, True)
    for step, status, code in ((0, 404, "training_not_found"), (6, 404, "training_not_found"), (11, 404, "step_not_found")):
        assert server.get(f"/v1/sessions/asked/train?step={step}", status=status)["code"] == code
    assert server.get("/v1/sessions/asked/train?step=x", status=400)["code"] == "wrong_type"
    # A branch has it too, whatever becomes of the session that it came from.
    server.post("/v1/sessions/asked/fork", {"name": "asked-branch", "at": 4}, status=201)
    server.delete("/v1/sessions/asked", status=204)
    problem = server.get("/v1/sessions/asked-branch/train", status=404)
    assert (problem["code"], "?step=" in problem["detail"]) == ("training_not_found", True)
    assert run_of("asked-branch", 3) == {**runs[2]}


def test_an_imported_session_tells_what_it_was_learned_from(tmp_path):
    store, copy = (f"sqlite:{tmp_path}/{name}" for name in ("chainrule.db", "copy.chainrule"))
    path = "/v1/sessions/moved/train"
    with serving(store) as client:
        client.put("/v1/sessions/moved", SMALL, status=201)
        done = client.post(path, {"dataset": "gauss", "steps": 3, "standardize": True}, status=200)
        first = client.get(f"{path}?step=2", status=200)
        assert first["dataset"] == done["dataset"] and "standardized" in first["dataset"]
    export = [binary(), "export", tmp_path / "copy.chainrule", "--store", store]
    subprocess.run(export, env=environment(), check=True)
    with serving(copy) as client:
        assert client.get(path, status=404)["code"] == "training_not_found"
        assert client.get(f"{path}?step=2", status=200) == first


def test_only_a_run_that_nobody_is_at_work_on_is_resumed(server):
    server.put("/v1/sessions/resumed", SMALL, status=201)
    resume = {"resume": True}
    assert server.post("/v1/sessions/resumed/train", resume, status=404)["code"] == "training_not_found"
    server.post("/v1/sessions/resumed/train", {"dataset": "xor", "steps": 3}, status=200)
    assert server.post("/v1/sessions/resumed/train", resume, status=409)["code"] == "training_over"
    server.put("/v1/sessions/resumed-failed", LINEAR, status=201)
    server.post("/v1/sessions/resumed-failed/train", {"dataset": "xor", "steps": 1000}, status=200)
    assert server.post("/v1/sessions/resumed-failed/train", resume, status=409)["code"] == "training_over"
    begin(server, "resumed-long", SMALL, LONG)
    for accept in ("application/json", "text/event-stream"):
        answer = ask(server, "POST", "resumed-long/train", resume, accept=accept)
        assert (answer.status_code, answer.json()["code"]) == (409, "training")
    server.delete("/v1/sessions/resumed-long/train", status=200)
    problem = server.post("/v1/sessions/resumed-long/train", resume, status=409)
    assert (problem["code"], "ended at step" in problem["detail"]) == ("training_over", True), problem


def test_an_evaluation_that_overflows_is_told_and_does_not_try_patience(server):
    server.put("/v1/sessions/beyond", {"network": network(2, dense(2, "linear"), dense(1, "linear"))}, status=201)
    rows = [[i, i] for i in range(9)] + [[1e200, 1e200]]
    body = {"inputs": rows, "targets": [[row[0]] for row in rows], "split": {"test": 0.1, "seed": 0}, "learning_rate": 1e-6}
    # The row that overflows is the one that is tested.
    _, tested = parted(10, 0.1, 0)
    rows[tested[0]], rows[9] = rows[9], rows[tested[0]]
    body["targets"] = [[row[0]] for row in rows]
    done = server.post("/v1/sessions/beyond/train", {**body, "steps": 6, "patience": 2}, status=200)
    assert (done["state"], done["reason"], done["step"], done["evaluated_at"]) == ("done", "finished", 6, 6)
    assert ("test_loss" in done, "train_loss" in done) == (False, True)


def test_progress_tells_which_step_was_evaluated(server):
    server.put("/v1/sessions/marked", SMALL, status=201)
    body = {"dataset": "xor", "steps": 7, "progress_every": 1, "evaluate_every": 2}
    told = events(server, "marked", body, "application/x-ndjson")
    assert [data.get("evaluated_at") for _, _, data in told] == [None, 2, 2, 4, 4, 6, 7, 7]
    by_step = {data["evaluated_at"]: data["test_loss"] for _, _, data in told[1:]}
    assert all(data["test_loss"] == by_step[data["evaluated_at"]] for _, _, data in told[1:])


def test_the_training_rows_are_evaluated_however_a_run_ends_by_itself(server):
    server.put("/v1/sessions/tired", SMALL, status=201)
    body = {"dataset": {"name": "xor", "noise": 0.6, "examples": 60}, "epochs": 100_000, "patience": 4, "learning_rate": 0.5}
    done = server.post("/v1/sessions/tired/train", body, status=200)
    assert (done["reason"], done["evaluated_at"]) == ("patience", done["step"])
    assert {"train_loss", "train_accuracy", "test_loss", "test_accuracy"} <= set(done)


def test_a_change_can_insist_on_what_a_run_has_told(server):
    begin(server, "tagged", SMALL, {"dataset": "circle", "steps": 300})
    ended(server, "tagged")
    rows = {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}
    found = ask(server, "GET", "tagged/train")
    assert found.headers["etag"] == ask(server, "GET", "tagged").headers["etag"]
    assert ask(server, "POST", "tagged/step", rows, **{"if-match": found.headers["etag"]}).status_code == 200
    # The session has gone on: what the run tells of is where it was.
    later = ask(server, "GET", "tagged/train")
    assert later.headers["etag"] == found.headers["etag"]
    assert ask(server, "POST", "tagged/step", rows, **{"if-match": later.headers["etag"]}).status_code == 412
    run = {"dataset": "xor", "steps": 5}
    waited = ask(server, "POST", "tagged/train", run)
    assert waited.headers["etag"] == ask(server, "GET", "tagged").headers["etag"]
    again = ask(server, "POST", "tagged/train", run, **{"if-match": waited.headers["etag"]})
    assert (again.status_code, again.json()["step"]) == (200, waited.json()["step"] + 5)
    begun = ask(server, "POST", "tagged/train", LONG, prefer="respond-async")
    assert begun.status_code == 202
    cancelled = ask(server, "DELETE", "tagged/train")
    assert cancelled.headers["etag"] == ask(server, "GET", "tagged").headers["etag"]
    assert cancelled.headers["etag"].startswith(f'"{cancelled.json()["step"]}-')


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("application/json;q=0.9, text/event-stream;q=0.1", "application/json"),
        ("application/json;q=0.1, text/event-stream;q=0.9", "text/event-stream"),
        ("application/x-ndjson, text/event-stream;q=0.5", "application/x-ndjson"),
        ("text/event-stream;q=0, */*", "application/json"),
        ("text/event-stream;q=0", None),
        ("*/*", "application/json"),
        ("image/png", None),
    ],
)
def test_the_form_is_the_one_that_accept_weighs_most(server, accept, found):
    server.put("/v1/sessions/weighed", SMALL)
    before = server.get("/v1/sessions/weighed", status=200)["step"]
    answer = ask(server, "POST", "weighed/train", {"dataset": "xor", "steps": 2}, accept=accept)
    assert answer.status_code == (406 if found is None else 200), answer.text
    assert answer.headers["content-type"] == (found or "application/problem+json")
    assert server.get("/v1/sessions/weighed", status=200)["step"] == before + (0 if found is None else 2)


def test_what_does_not_fit_is_named_by_the_field_that_brought_it(server):
    server.put("/v1/sessions/fitting", SMALL, status=201)
    server.put("/v1/datasets/two-targets", {"inputs": [[1.0, 2.0]] * 3, "targets": [[1.0, 0.0]] * 3}, status=201)
    for body, pointer in (
        ({"dataset": "iris"}, "/dataset"),
        ({"dataset": "two-targets"}, "/dataset"),
        ({"inputs": [[1.0]], "targets": [[1.0]]}, "/inputs"),
        ({"inputs": [[1.0, 2.0]], "targets": [[1.0, 0.0]]}, "/targets"),
    ):
        problem = server.post("/v1/sessions/fitting/train", {**body, "steps": 1}, status=422)
        assert (problem["code"], problem["errors"][0]["pointer"]) == ("wrong_shape", pointer), problem


def test_one_training_row_is_not_blamed_on_the_batch_size(server):
    layers = network(2, dense(3, "relu"), {"kind": "batch_norm"}, dense(1, "sigmoid"))
    server.put("/v1/sessions/lone", {"network": layers}, status=201)
    problem = server.post("/v1/sessions/lone/train", {"inputs": [[1.0, 2.0]], "targets": [[1.0]], "steps": 1}, status=422)
    assert problem["code"] == "batch_too_small"
    assert "one training row" in problem["detail"] and "batch_size" not in problem["detail"], problem
    assert "a training run cannot" in server.get("/problems/batch_too_small", status=200)["remedy"]
