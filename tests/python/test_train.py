"""Training runs: each step is the one that its batch makes, the batches are those that are documented, and whatever is
told of a run is what its log says."""

import json
import time
from itertools import islice

import numpy
import pytest
import requests

from plain_datasets import batches, parted, shuffled, standardized
from recheck import examine, parse

PATIENCE = 60


def dense(units: int, activation: str) -> dict:
    return {"kind": "dense", "units": units, "activation": activation}


def network(inputs: int, *layers: dict) -> dict:
    return {"inputs": inputs, "layers": list(layers)}


DEEP = {
    "network": network(
        40,
        dense(30, "relu"),
        {"kind": "batch_norm"},
        {"kind": "residual", "layers": [dense(20, "tanh"), {"kind": "dropout", "rate": 0.2}, dense(30, "linear")]},
        dense(20, "silu"),
        {"kind": "layer_norm"},
        dense(10, "softmax"),
    ),
    "loss": "cross_entropy",
    "optimizer": {"kind": "adamw", "weight_decay": 0.01, "clip_norm": 1.0},
    "seed": 3,
}
SMALL = {
    "network": network(2, dense(5, "tanh"), dense(1, "sigmoid")),
    "loss": "binary_cross_entropy",
    "optimizer": {"kind": "sgd", "learning_rate": 0.2, "momentum": 0.9},
}
# 53 rows of 40 inputs, each of one of ten classes: seven a batch leaves four for the last one.
ROWS = 53


def wide_rows() -> dict:
    draw = numpy.random.default_rng(11)
    return {
        "inputs": draw.normal(size=(ROWS, 40)).tolist(),
        "targets": numpy.eye(10)[draw.integers(10, size=ROWS)].tolist(),
    }


def steps_of(server, name: str) -> list[dict]:
    found, after = [], ""
    while True:
        page = server.get(f"/v1/sessions/{name}/steps?limit=1000{after}", status=200)
        found += page["steps"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def parameters_before(trace: dict) -> dict:
    """Of every dense and every normalizing layer, by name."""
    found = {}

    def walk(layers: list[dict]) -> None:
        for layer in layers:
            if "parameters" in layer:
                found[layer["name"]] = layer["parameters"]
            walk(layer.get("layers", []))

    walk(trace["forward"]["layers"])
    return found


def parameters_after(trace: dict) -> dict:
    found = {}

    def walk(layers: list[dict]) -> None:
        for layer in layers:
            if "parameters" in layer:
                found[layer["name"]] = {name: change["after"] for name, change in layer["parameters"].items()}
            walk(layer.get("layers", []))

    walk(trace["update"]["layers"])
    return found


def held_to_its_own_numbers(server, name: str, expected: list[dict], first: int = 1) -> None:
    """Every step is recalled: its numbers are right, its rows are the expected ones, it goes on from the one before."""
    before = None
    for offset, rows in enumerate(expected):
        trace = parse(server.bytes(f"/v1/sessions/{name}/steps/{first + offset}").decode())
        findings = examine(trace)
        assert not findings.mismatches, findings.mismatches[:3]
        assert trace["step"] == first + offset
        assert trace["forward"]["inputs"] == rows["inputs"]
        assert trace["loss"]["targets"] == rows["targets"]
        now = parameters_before(trace)
        assert before is None or {layer: before[layer] for layer in now} == now
        before = parameters_after(trace)
    weights = server.get(f"/v1/sessions/{name}/weights", status=200)
    last = {}

    def walk(layers: list[dict]) -> None:
        for layer in layers:
            if "parameters" in layer:
                last[layer["name"]] = layer["parameters"]
            walk(layer.get("layers", []))

    walk(weights["layers"])
    assert {layer: values for layer, values in last.items() if layer in before} == before


def chosen(rows: dict, places: list[int]) -> dict:
    return {key: [rows[key][place] for place in places] for key in ("inputs", "targets")}


@pytest.mark.parametrize("seed", [None, 0, 99])
def test_every_step_of_a_run_is_recalled_with_the_rows_that_are_documented(server, seed):
    rows, name = wide_rows(), f"rows-{seed}".lower()
    server.put(f"/v1/sessions/{name}", DEEP, status=201)
    order = {"shuffle": False} if seed is None else {"seed": seed}
    done = server.post(f"/v1/sessions/{name}/train", {**rows, "epochs": 3, "batch_size": 7, **order}, status=200)
    assert (done["state"], done["reason"], done["step"], done["epoch"]) == ("done", "finished", 24, 3)
    assert done["dataset"]["split"] == {"train": ROWS, "test": 0, "seed": 0}
    expected = [chosen(rows, places) for places in islice(batches(ROWS, 7, seed), 24)]
    assert [len(batch["inputs"]) for batch in expected[:8]] == [7] * 7 + [4]
    held_to_its_own_numbers(server, name, expected)


def test_a_run_makes_the_same_steps_as_so_many_requests(server):
    rows = wide_rows()
    for name in ("one-call", "many-calls"):
        server.put(f"/v1/sessions/{name}", DEEP, status=201)
    server.post("/v1/sessions/one-call/train", {**rows, "steps": 20, "batch_size": 9, "seed": 5}, status=200)
    for step, places in enumerate(islice(batches(ROWS, 9, 5), 20), start=1):
        trace = server.post("/v1/sessions/many-calls/step", chosen(rows, places), status=200)
        recalled = server.get(f"/v1/sessions/one-call/steps/{step}", status=200)
        assert {**trace, "session": ""} == {**recalled, "session": ""}
    states = [server.get(f"/v1/sessions/{name}", status=200)["state"] for name in ("one-call", "many-calls")]
    assert states[0] == states[1]


def test_a_dataset_is_parted_and_standardized_as_documented(server):
    server.put("/v1/sessions/iris-run", {**SMALL, "network": network(4, dense(6, "tanh"), dense(3, "sigmoid"))}, status=201)
    body = {
        "dataset": "iris", "steps": 11, "batch_size": 25, "seed": 2, "standardize": True,
        "split": {"test": 0.33, "seed": 8},
    }
    done = server.post("/v1/sessions/iris-run/train", body, status=200)
    whole = server.get("/v1/datasets/iris?rows=true", status=200)
    learned, tested = parted(150, 0.33, 8)
    assert done["dataset"]["split"] == {"train": len(learned), "test": len(tested), "seed": 8}
    train = chosen(whole, learned)
    train["inputs"], mean, std = standardized(train["inputs"], train["inputs"])
    assert done["dataset"]["standardized"] == {"mean": mean, "std": std}
    held_to_its_own_numbers(server, "iris-run", [chosen(train, rows) for rows in islice(batches(len(learned), 25, 2), 11)])


def judged(server, name: str, rows: dict) -> tuple[float, float]:
    """Mean loss and share of right rows, from a forward pass."""
    trace = server.post(f"/v1/sessions/{name}/forward", {**rows, "mode": "eval"}, status=200)
    outputs = numpy.array(trace["forward"]["outputs"])
    targets = numpy.array(rows["targets"])
    if targets.shape[1] == 1:
        right = (outputs >= 0.5) == (targets == 1.0)
        return trace["loss"]["value"], float(right.mean())
    return trace["loss"]["value"], float((outputs.argmax(1) == targets.argmax(1)).mean())


def test_loss_and_accuracy_are_those_of_the_model(server):
    server.put("/v1/sessions/judged", {**DEEP, "network": {**DEEP["network"], "inputs": 64}}, status=201)
    done = server.post("/v1/sessions/judged/train", {"dataset": "digits", "steps": 100, "standardize": True}, status=200)
    pages = [server.get(f"/v1/datasets/digits?rows=true&offset={at}", status=200) for at in (0, 1000)]
    whole = {key: pages[0][key] + pages[1][key] for key in ("inputs", "targets")}
    learned, tested = parted(1797, 0.2, 0)
    learned, tested = chosen(whole, learned), chosen(whole, tested)
    tested["inputs"], *_ = standardized(tested["inputs"], learned["inputs"])
    learned["inputs"], *_ = standardized(learned["inputs"], learned["inputs"])
    for rows, kind in ((learned, "train"), (tested, "test")):
        loss, accuracy = judged(server, "judged", rows)
        assert done[f"{kind}_loss"] == pytest.approx(loss, rel=1e-12)
        assert done[f"{kind}_accuracy"] == accuracy
    last = server.get(f"/v1/sessions/judged/steps/{done['step']}", status=200)
    assert done["loss"] == last["loss"]["value"]
    outputs, targets = numpy.array(last["forward"]["outputs"]), numpy.array(last["loss"]["targets"])
    assert done["accuracy"] == float((outputs.argmax(1) == targets.argmax(1)).mean())
    summary = server.get(f"/v1/sessions/judged/steps/{done['step']}?trace=summary", status=200)
    assert done["gradient_norms"] == norms(summary["backward"]["layers"])


def norms(layers: list[dict]) -> list[dict]:
    """Of the layers that have parameters, from the inputs up; those of a block before its own."""
    found = []
    for layer in reversed(layers):
        found += norms(layer.get("layers", []))
        if layer["gradient_norm"] > 0:
            found.append({"layer": layer["name"], "value": layer["gradient_norm"]})
    return found


SCHEDULES = [
    ({"kind": "constant", "rate": 0.25}, lambda t, mp: 0.25),
    ({"kind": "constant"}, lambda t, mp: 0.2),
    ({"kind": "step", "every": 4, "factor": 0.5, "rate": 0.3}, lambda t, mp: 0.3 * 0.5 ** (t // 4)),
    ({"kind": "exponential", "factor": 0.9}, lambda t, mp: 0.2 * float(mp.power(mp.mpf(0.9), t))),
    ({"kind": "cosine"}, lambda t, mp: 0.0 + (0.2 - 0.0) * (0.5 * (1.0 + float(mp.cospi(mp.mpf(t / 12)))))),
    (
        {"kind": "cosine", "rate": 0.4, "end": 0.1, "steps": 8},
        lambda t, mp: 0.1 if t >= 8 else 0.1 + (0.4 - 0.1) * (0.5 * (1.0 + float(mp.cospi(mp.mpf(t / 8))))),
    ),
    ({"kind": "linear_warmup", "steps": 5}, lambda t, mp: 0.2 if t >= 4 else 0.2 * ((t + 1.0) / 5.0)),
    (0.125, lambda t, mp: 0.125),
]


@pytest.mark.parametrize("which", range(len(SCHEDULES)))
def test_a_schedule_gives_each_step_its_rate(server, which):
    import mpmath

    schedule, rate = SCHEDULES[which]
    name = f"schedule-{which}"
    server.put(f"/v1/sessions/{name}", SMALL, status=201)
    server.post(f"/v1/sessions/{name}/train", {"dataset": "xor", "steps": 12, "learning_rate": schedule}, status=200)
    for step in range(1, 13):
        trace = server.get(f"/v1/sessions/{name}/steps/{step}", status=200)
        assert trace["update"]["optimizer"]["learning_rate"] == rate(step - 1, mpmath.mp), step
        assert not examine(trace).mismatches
    asked = [entry["asked"] for entry in steps_of(server, name)[1:]]
    assert [entry["learning_rate"] for entry in asked] == [rate(step, mpmath.mp) for step in range(12)]


def test_the_history_lists_every_step_of_a_run(server):
    server.put("/v1/sessions/listed", SMALL, status=201)
    server.post("/v1/sessions/listed/step", {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}, status=200)
    server.post("/v1/sessions/listed/train", {"dataset": "gauss", "steps": 1500, "batch_size": 16}, status=200)
    server.post("/v1/sessions/listed/step", {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}, status=200)
    steps = steps_of(server, "listed")
    assert [entry["step"] for entry in steps] == list(range(1503))
    assert [entry["kind"] for entry in steps] == ["create", "step", *["train"] * 1500, "step"]
    for step in (2, 700, 1501):
        trace = server.get(f"/v1/sessions/listed/steps/{step}", status=200)
        assert steps[step]["loss"] == trace["loss"]["value"]
        assert steps[step]["asked"] == {"examples": 16, "mode": "train"}
        short = server.get(f"/v1/sessions/listed/steps/{step}?trace=summary", status=200)
        assert steps[step]["gradient_norm"] == pytest.approx(
            sum(layer["gradient_norm"] ** 2 for layer in short["backward"]["layers"]) ** 0.5, rel=1e-12
        )
    # A page that begins within an entry of many steps.
    page = server.get("/v1/sessions/listed/steps?after=997&limit=7", status=200)
    assert page["steps"] == steps[998:1005]
    assert page["next"] == 1004


def test_a_fork_a_rewind_and_a_difference_reach_into_a_run(server):
    server.put("/v1/sessions/reached", SMALL, status=201)
    server.post("/v1/sessions/reached/train", {"dataset": "circle", "steps": 400}, status=200)
    steps = steps_of(server, "reached")
    server.post("/v1/sessions/reached/fork", {"name": "reached-fork", "at": 123}, status=201)
    assert server.get("/v1/sessions/reached-fork", status=200)["state"] == steps[123]["state"]
    back = server.post("/v1/sessions/reached/rewind", {"to": 77}, status=200)
    assert (back["step"], back["state"]) == (401, steps[77]["state"])
    trained = server.post("/v1/sessions/reached-fork/train", {"dataset": "circle", "steps": 5}, status=200)
    assert (trained["from"], trained["step"]) == (123, 128)
    server.delete("/v1/sessions/reached", status=204)
    recalled = server.get("/v1/sessions/reached-fork/steps/99", status=200)
    assert not examine(recalled).mismatches
    assert [entry["state"] for entry in steps_of(server, "reached-fork")[:124]] == [
        entry["state"] if entry["step"] else server.get("/v1/sessions/reached-fork/steps", status=200)["steps"][0]["state"]
        for entry in steps[:124]
    ]


def events(server, name: str, body: dict | None, accept: str, **headers: str) -> list[tuple[str | None, str, dict]]:
    """(id, event, data) of a stream, as it was read to its end."""
    url = f"{server.base_url}/v1/sessions/{name}/train"
    answer = requests.post(url, json=body, headers={"accept": accept, **headers}, timeout=PATIENCE, stream=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == accept
    text = answer.content.decode()
    if accept == "application/x-ndjson":
        lines = [json.loads(line) for line in text.splitlines() if line]
        return [(None, line.pop("event"), line) for line in lines]
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
def test_a_stream_tells_what_the_log_says(server, accept):
    name = f"stream-{accept[-6:]}"
    server.put(f"/v1/sessions/{name}", SMALL, status=201)
    body = {"dataset": "xor", "epochs": 30, "batch_size": 20, "progress_every": 40, "evaluate_every": 60}
    told = events(server, name, body, accept)
    assert [event for _, event, _ in told] == ["progress"] * 6 + ["done"]
    steps = steps_of(server, name)
    for identity, _, data in told[:-1]:
        assert identity in (None, str(data["step"]))
        assert data["loss"] == steps[data["step"]]["loss"]
        assert data["epoch"] == -(-data["step"] // 8)
        whole = sum(layer["value"] ** 2 for layer in data["gradient_norms"]) ** 0.5
        assert steps[data["step"]]["gradient_norm"] == pytest.approx(whole, rel=1e-12)
        assert data["steps_per_second"] > 0
        assert data["seconds_left"] == pytest.approx((240 - data["step"]) / data["steps_per_second"])
    assert [data["step"] for _, event, data in told if event == "progress"] == [40, 80, 120, 160, 200, 240]
    # Evaluated at 60, 120, 180 and 240.
    assert "test_loss" not in told[0][2]
    assert len({data["test_loss"] for _, _, data in told[1:-1]}) == 4
    assert told[-1][2] == server.get(f"/v1/sessions/{name}/train", status=200)
    assert told[-1][2]["state"] == "done"


def test_all_ways_of_asking_make_the_same_run(server):
    body = {"dataset": "spiral", "steps": 300, "learning_rate": {"kind": "cosine"}}
    states = set()
    for name, accept in (("way-1", "application/json"), ("way-2", "text/event-stream"), ("way-3", "application/x-ndjson")):
        server.put(f"/v1/sessions/{name}", SMALL, status=201)
        url = f"{server.base_url}/v1/sessions/{name}/train"
        assert requests.post(url, json=body, headers={"accept": accept}, timeout=PATIENCE).ok
        states.add(server.get(f"/v1/sessions/{name}", status=200)["state"])
    server.put("/v1/sessions/way-4", SMALL, status=201)
    url = f"{server.base_url}/v1/sessions/way-4/train"
    answer = requests.post(url, json=body, headers={"prefer": "respond-async"}, timeout=PATIENCE)
    assert (answer.status_code, answer.headers["location"]) == (202, "/v1/sessions/way-4/train")
    assert answer.headers["preference-applied"] == "respond-async"
    assert ended(server, "way-4")["state"] == "done"
    states.add(server.get("/v1/sessions/way-4", status=200)["state"])
    assert len(states) == 1


def ended(server, name: str) -> dict:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        view = server.get(f"/v1/sessions/{name}/train", status=200)
        if view["state"] not in ("running", "interrupted"):
            return view
        time.sleep(0.02)
    raise AssertionError(view)


def begin(server, name: str, create: dict, body: dict) -> None:
    server.put(f"/v1/sessions/{name}", create, status=201)
    url = f"{server.base_url}/v1/sessions/{name}/train"
    answer = requests.post(url, json=body, headers={"prefer": "respond-async"}, timeout=PATIENCE)
    assert answer.status_code == 202, answer.text


LONG = {"dataset": "circle", "steps": 1_000_000_000}


def test_a_run_excludes_other_changes_and_nothing_else(server):
    begin(server, "busy", SMALL, LONG)
    rows = {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}
    for path, body in (("step", rows), ("rewind", {"to": 0}), ("train", LONG)):
        problem = server.post(f"/v1/sessions/busy/{path}", body, status=409)
        assert problem["code"] == "training", problem
    weights = server.get("/v1/sessions/busy/weights", status=200)
    assert server.put("/v1/sessions/busy/weights", {"layers": weights["layers"]}, status=409)["code"] == "training"
    for path in ("forward", "backward", "blame", "depth", "gradient-check"):
        server.post(f"/v1/sessions/busy/{path}", rows, status=200)
    server.post("/v1/sessions/busy/fork", {"name": "busy-fork", "at": 0}, status=201)
    before = server.get("/v1/sessions/busy/train", status=200)
    assert (before["state"], before["to"]) == ("running", 1_000_000_000)
    gone = server.delete("/v1/sessions/busy/train", status=200)
    assert (gone["state"], gone["reason"]) == ("cancelled", "cancelled")
    at = server.get("/v1/sessions/busy", status=200)
    assert at["step"] == gone["step"] >= before["step"]
    # Ended once; asked again it stands as it ended.
    assert server.delete("/v1/sessions/busy/train", status=200) == gone
    step = server.post("/v1/sessions/busy/step", rows, status=200)
    assert step["step"] == gone["step"] + 1
    assert not examine(server.get(f"/v1/sessions/busy/steps/{gone['step']}", status=200)).mismatches


def test_a_client_that_leaves_stops_nothing(server):
    server.put("/v1/sessions/left", SMALL, status=201)
    url = f"{server.base_url}/v1/sessions/left/train"
    body = {"dataset": "circle", "steps": 3000}
    answer = requests.post(url, json=body, headers={"accept": "text/event-stream"}, timeout=PATIENCE, stream=True)
    answer.close()
    assert ended(server, "left")["step"] == 3000


def test_a_deleted_session_ends_its_run(server):
    begin(server, "deleted", SMALL, LONG)
    server.delete("/v1/sessions/deleted", status=204)
    assert server.get("/v1/sessions/deleted/train", status=404)["code"] == "session_not_found"
    server.put("/v1/sessions/deleted", SMALL, status=201)
    assert server.get("/v1/sessions/deleted/train", status=404)["code"] == "training_not_found"
    server.post("/v1/sessions/deleted/step", {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}, status=200)


UNTIL = [
    ({"accuracy": 0.98}, "accuracy", lambda view: view["train_accuracy"] >= 0.98),
    ({"loss": 0.1}, "loss", lambda view: view["train_loss"] <= 0.1),
    ({"test_loss": 0.2}, "test_loss", lambda view: view["test_loss"] <= 0.2),
    ({"test_accuracy": 0.9}, "test_accuracy", lambda view: view["test_accuracy"] >= 0.9),
]


@pytest.mark.parametrize("which", range(len(UNTIL)))
def test_a_run_ends_where_it_is_good_enough(server, which):
    until, reason, holds = UNTIL[which]
    name = f"until-{which}"
    server.put(f"/v1/sessions/{name}", SMALL, status=201)
    body = {"dataset": "circle", "epochs": 10_000, "until": until, "progress_every": 5}
    told = events(server, name, body, "application/x-ndjson")
    view = told[-1][2]
    assert (view["state"], view["reason"]) == ("done", reason)
    assert holds(view)
    # An evaluation an epoch, which is five steps; none before was good enough.
    assert view["step"] % 5 == 0
    assert not any(holds(data) for _, event, data in told[:-2] if event == "progress")
    assert server.get(f"/v1/sessions/{name}", status=200)["step"] == view["step"] < 50_000


def test_patience_ends_where_the_test_loss_does_not_fall(server):
    server.put("/v1/sessions/patient", SMALL, status=201)
    body = {"dataset": {"name": "xor", "noise": 0.6, "examples": 60}, "epochs": 100_000, "patience": 4}
    body |= {"learning_rate": 0.5, "progress_every": 2, "batch_size": 24}
    told = events(server, "patient", body, "application/x-ndjson")
    assert (told[-1][2]["state"], told[-1][2]["reason"]) == ("done", "patience")
    losses = [data["test_loss"] for _, event, data in told if event == "progress" and "test_loss" in data]
    best = losses.index(min(losses))
    assert len(losses) - 1 - best == 4


def test_a_run_that_overflows_stops_at_its_last_good_step(server):
    server.put("/v1/sessions/overflow", {"network": network(1, dense(1, "linear")), "optimizer": {"kind": "sgd"}}, status=201)
    body = {"inputs": [[1.0], [3.0]], "targets": [[1.0], [2.0]], "steps": 100_000, "learning_rate": 3.0}
    told = events(server, "overflow", body, "application/x-ndjson")
    _, event, view = told[-1]
    assert (event, view["state"], view["reason"]) == ("problem", "failed", "non_finite")
    problem = view["problem"]
    assert problem["code"] == "non_finite"
    assert problem["detail"].startswith(f"step {view['step'] + 1}: ")
    assert problem["non_finite"]["pointer"].startswith("/")
    assert view == server.get("/v1/sessions/overflow/train", status=200)
    session = server.get("/v1/sessions/overflow", status=200)
    assert session["step"] == view["step"] > 10
    last = server.get(f"/v1/sessions/overflow/steps/{view['step']}", status=200)
    assert not examine(last).mismatches
    # The very step that was not made is refused by itself, too.
    refused = server.post("/v1/sessions/overflow/step", {**{k: body[k] for k in ("inputs", "targets")}, "learning_rate": 3.0}, status=422)
    assert refused["non_finite"] == problem["non_finite"]


def test_a_presets_own_rows_are_learned_from(server):
    server.put("/v1/sessions/own", {"preset": "worked-example"}, status=201)
    done = server.post("/v1/sessions/own/train", {"steps": 10}, status=200)
    assert done["dataset"]["split"] == {"train": 1, "test": 0, "seed": 0}
    server.put("/v1/sessions/own-steps", {"preset": "worked-example"}, status=201)
    for _ in range(10):
        server.post("/v1/sessions/own-steps/step", {}, status=200)
    states = [server.get(f"/v1/sessions/{name}", status=200)["state"] for name in ("own", "own-steps")]
    assert states[0] == states[1]


def test_a_dataset_that_is_deleted_stays_with_the_run(server):
    rows = {"inputs": [[0.1, 0.2], [0.3, 0.4], [0.5, 0.7]], "targets": [[1.0], [0.0], [1.0]]}
    server.put("/v1/datasets/kept", rows, status=201)
    server.put("/v1/sessions/keeper", SMALL, status=201)
    body = {"dataset": "kept", "steps": 6, "batch_size": 2, "split": {"test": 0}, "seed": 4}
    done = server.post("/v1/sessions/keeper/train", body, status=200)
    assert done["dataset"]["hash"] == server.get("/v1/datasets/kept", status=200)["hash"]
    server.delete("/v1/datasets/kept", status=204)
    server.put("/v1/datasets/kept", {**rows, "targets": [[0.0], [0.0], [0.0]]}, status=201)
    held_to_its_own_numbers(server, "keeper", [chosen(rows, places) for places in islice(batches(3, 2, 4), 6)])


def test_a_key_begins_one_run_and_finds_it_again(server):
    server.put("/v1/sessions/keyed-run", SMALL, status=201)
    url = f"{server.base_url}/v1/sessions/keyed-run/train"
    asked = {"json": {"dataset": "xor", "steps": 50}, "headers": {"idempotency-key": "run-1"}, "timeout": PATIENCE}
    first, again = requests.post(url, **asked), requests.post(url, **asked)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert server.get("/v1/sessions/keyed-run", status=200)["step"] == 50
    other = {**asked, "json": {"dataset": "xor", "steps": 51}}
    assert requests.post(url, **other).json()["code"] == "idempotency_key_reused"
    tag = requests.get(f"{server.base_url}/v1/sessions/keyed-run", timeout=PATIENCE).headers["etag"]
    server.post("/v1/sessions/keyed-run/step", {"inputs": [[1.0, 2.0]], "targets": [[1.0]]}, status=200)
    stale = requests.post(url, json={"dataset": "xor", "steps": 1}, headers={"if-match": tag}, timeout=PATIENCE)
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_state")
    requests.post(url, json={"dataset": "xor", "steps": 1}, timeout=PATIENCE)
    gone = requests.post(url, **asked)
    assert (gone.status_code, gone.json()["code"]) == (404, "training_not_found")


WRONG = [
    ({}, 400, "missing_field", ""),
    ({"steps": 1, "epochs": 1}, 422, "conflicting_fields", "/steps"),
    ({"steps": 0}, 400, "number_out_of_range", "/steps"),
    ({"steps": 1_000_000_001}, 422, "work_too_large", "/steps"),
    ({"epochs": 1_000_000_000}, 422, "work_too_large", "/epochs"),
    ({"steps": 1, "batch_size": 0}, 400, "number_out_of_range", "/batch_size"),
    ({"steps": 1, "dataset": "none"}, 422, "unknown_dataset", "/dataset"),
    ({"steps": 1, "dataset": "No"}, 400, "invalid_name", "/dataset"),
    ({"steps": 1, "dataset": 3}, 400, "wrong_type", "/dataset"),
    ({"steps": 1, "dataset": {"name": "xor", "noise": 2}}, 400, "number_out_of_range", "/dataset/noise"),
    ({"steps": 1, "dataset": {"name": "xor", "examples": 1}}, 400, "number_out_of_range", "/dataset/examples"),
    ({"steps": 1, "dataset": {"name": "xor", "colour": 1}}, 400, "unknown_field", "/dataset/colour"),
    ({"steps": 1, "dataset": "xor", "inputs": [[1, 2]]}, 422, "conflicting_fields", "/inputs"),
    ({"steps": 1, "dataset": None, "inputs": [[1, 2]]}, 400, "wrong_type", "/dataset"),
    ({"steps": 1, "dataset": None}, 400, "wrong_type", "/dataset"),
    ({"steps": 1, "dataset": "iris"}, 422, "wrong_shape", "/dataset"),
    ({"steps": 1, "split": {"test": 1}}, 400, "number_out_of_range", "/split/test"),
    ({"steps": 1, "split": {"test": -0.1}}, 400, "number_out_of_range", "/split/test"),
    ({"steps": 1, "shuffle": False, "seed": 1}, 422, "conflicting_fields", "/seed"),
    ({"steps": 1, "learning_rate": -1}, 400, "number_out_of_range", "/learning_rate"),
    ({"steps": 1, "learning_rate": {"kind": "step"}}, 400, "missing_field", "/learning_rate"),
    ({"steps": 1, "learning_rate": {"kind": "steps"}}, 400, "unknown_value", "/learning_rate/kind"),
    ({"steps": 1, "learning_rate": {"kind": "cosine", "factor": 1}}, 422, "conflicting_fields", "/learning_rate/factor"),
    ({"steps": 1, "learning_rate": {"kind": "exponential", "factor": 2}}, 400, "number_out_of_range", "/learning_rate/factor"),
    ({"steps": 1, "until": {"accuracy": 1.5}}, 400, "number_out_of_range", "/until/accuracy"),
    ({"steps": 1, "until": {"loss": -1}}, 400, "number_out_of_range", "/until/loss"),
    ({"steps": 1, "split": {"test": 0}, "until": {"test_loss": 1}}, 422, "conflicting_fields", "/until/test_loss"),
    ({"steps": 1, "split": {"test": 0}, "patience": 1}, 422, "conflicting_fields", "/patience"),
    ({"steps": 1, "resume": True}, 422, "conflicting_fields", "/steps"),
]


@pytest.mark.parametrize("which", range(len(WRONG)))
def test_a_wrong_run_is_refused_where_it_is_wrong(server, which):
    body, status, code, pointer = WRONG[which]
    name = f"wrong-{which}"
    server.put(f"/v1/sessions/{name}", SMALL, status=201)
    if "inputs" not in body and "dataset" not in body:
        body = {"dataset": "xor", **body} if not body.get("resume") else body
    problem = server.post(f"/v1/sessions/{name}/train", body, status=status)
    assert problem["code"] == code, problem
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer], problem
    assert server.get(f"/v1/sessions/{name}", status=200)["step"] == 0
    assert server.get(f"/v1/sessions/{name}/train", status=404)["code"] == "training_not_found"


def test_targets_without_right_and_wrong_have_no_accuracy(server):
    server.put("/v1/sessions/curve", {"network": network(1, dense(3, "tanh"), dense(1, "linear"))}, status=201)
    rows = {"inputs": [[0.1 * x] for x in range(30)], "targets": [[0.02 * x * x] for x in range(30)]}
    problem = server.post("/v1/sessions/curve/train", {**rows, "steps": 5, "until": {"accuracy": 0.5}}, status=422)
    assert problem["code"] == "conflicting_fields"
    done = server.post("/v1/sessions/curve/train", {**rows, "steps": 5, "split": {"test": 0.5}}, status=200)
    assert not {"accuracy", "train_accuracy", "test_accuracy"} & set(done)
    assert {"loss", "train_loss", "test_loss"} <= set(done)


def test_batch_norm_does_not_meet_a_batch_of_one(server):
    body = {"network": network(2, dense(3, "relu"), {"kind": "batch_norm"}, dense(1, "sigmoid"))}
    server.put("/v1/sessions/ones", body, status=201)
    rows = {"inputs": [[x, 1.0] for x in range(7)], "targets": [[1.0]] * 7}
    for wrong in ({"batch_size": 1, "steps": 1}, {"batch_size": 3, "epochs": 1}, {"batch_size": 6, "steps": 2}):
        problem = server.post("/v1/sessions/ones/train", {**rows, **wrong}, status=422)
        assert (problem["code"], problem["errors"][0]["pointer"]) == ("batch_too_small", "/batch_size"), problem
    # It is not met where the run ends before, or where the rows come out even.
    assert server.post("/v1/sessions/ones/train", {**rows, "batch_size": 3, "steps": 2}, status=200)["step"] == 2
    assert server.post("/v1/sessions/ones/train", {**rows, "batch_size": 4, "epochs": 1}, status=200)["step"] == 4


def test_a_batch_is_at_most_all_rows(server):
    server.put("/v1/sessions/whole", SMALL, status=201)
    done = server.post("/v1/sessions/whole/train", {"dataset": "xor", "epochs": 2, "batch_size": 60_000}, status=200)
    assert (done["dataset"]["batch_size"], done["step"]) == (160, 2)
    trace = server.get("/v1/sessions/whole/steps/2?trace=full", status=200)
    whole = server.get("/v1/datasets/xor?rows=true", status=200)
    learned, _ = parted(200, 0.2, 0)
    rows = chosen(whole, learned)
    assert trace["forward"]["inputs"] == [rows["inputs"][place] for place in shuffled(160, 0, 1)]


def test_digits_are_learned_by_one_call(server):
    layers = network(64, dense(64, "relu"), dense(32, "relu"), dense(10, "softmax"))
    server.put("/v1/sessions/digits-run", {"network": layers, "loss": "cross_entropy", "optimizer": {"kind": "adam"}}, status=201)
    done = server.post("/v1/sessions/digits-run/train", {"dataset": "digits", "standardize": True, "epochs": 20}, status=200)
    assert done["test_accuracy"] >= 0.96, done
