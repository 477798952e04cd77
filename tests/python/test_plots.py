"""Plots: every dot lies where the trace's number lies on the scales that are printed beside it."""

import hashlib
import math

import pytest

from test_pictures import NEGATIVE, SVG, ask, body_of, check, read
from formulas import VALUES, phi, sigma
from test_solution import WORKED

CURVES = {
    "linear": lambda a: a,
    "sigmoid": sigma,
    "tanh": math.tanh,
    "relu": lambda a: max(a, 0.0),
    "gelu": lambda a: a * phi(a),
    "silu": lambda a: a * sigma(a),
    "softplus": lambda a: a if a > 20 else math.log1p(math.exp(a)),
    **VALUES,
}
NEAR = 0.011


class Scales:
    """What a place on a plot means, read from two marks of each scale."""

    def __init__(self, root):
        texts = root.findall(f".//{SVG}text")
        across = [(float(text.get("x")), read(text.text)) for text in texts if text.get("class") == "soft small middle"]
        up = [(float(text.get("y")) - 4.0, read(text.text)) for text in texts if text.get("class") == "soft small end"]
        assert len(across) >= 2 and len(up) >= 2
        self.x, self.y = self.line(across), self.line(up)

    @staticmethod
    def line(marks):
        (p0, v0), (p1, v1) = ((place, float(value)) for place, value in (marks[0], marks[-1]))
        for place, value in marks:
            assert place == pytest.approx(p0 + (float(value) - v0) * (p1 - p0) / (v1 - v0), abs=0.2)
        return lambda value: p0 + (value - v0) * (p1 - p0) / (v1 - v0)


def activations(layers, below):
    """Of each layer with an activation of its own: its name, its activation, pre-activations, outputs and slopes."""
    found = []
    for layer in layers:
        if "layers" in layer:
            found += activations(layer["layers"], below)
        if layer["kind"] in ("dense", "activation") and layer["activation"] != "softmax":
            inputs = layer.get("pre_activations", below)
            found.append((layer["name"], layer["activation"], inputs, layer["outputs"], layer["derivatives"]))
        below = layer["outputs"]
    return found


@pytest.mark.parametrize("body", [WORKED, NEGATIVE, {"preset": "telephone-residual"}, *map(body_of, range(20))], ids=str)
def test_units_stand_on_their_activation(server, body):
    trace = ask(server, body, "json").json()
    layers = activations(trace["forward"]["layers"], trace["forward"]["inputs"])
    if not layers:
        refused = server.answer("POST", "/v1/explain?format=svg&picture=activation", body)
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_layer")
        return
    default = next((layer for layer in layers if layer[1] != "linear"), layers[0])
    drawn = ask(server, body, picture="activation").text
    assert drawn == ask(server, body, picture="activation", layer=default[0]).text
    for name, activation, inputs, outputs, slopes in layers[:6]:
        root = check(ask(server, body, picture="activation", layer=name, digits=5).text)
        scales = Scales(root)
        circles = [(circle.get("class"), float(circle.get("cx")), float(circle.get("cy"))) for circle in root.findall(f".//{SVG}circle")]
        numbers = [(a, h, s) for three in zip(inputs, outputs, slopes, strict=True) for a, h, s in zip(*three, strict=True)][:400]
        assert len(circles) == 2 * len(numbers)
        for at, (a, h, slope) in enumerate(numbers):
            for (kind, x, y), (wanted, value) in zip(circles[2 * at : 2 * at + 2], (("dot", h), ("ring", slope)), strict=True):
                assert kind == wanted
                assert (x, y) == (pytest.approx(scales.x(a), abs=0.3), pytest.approx(scales.y(value), abs=0.3))
        # The line is the function, between its points too.
        line, slope = root.findall(f".//{SVG}polyline")
        x0, x1 = (float(pair.split(",")[0]) for pair in (line.get("points").split()[0], line.get("points").split()[-1]))
        assert x0 == pytest.approx(70, abs=NEAR) and x1 == pytest.approx(500, abs=NEAR)
        back = (scales.x(1.0) - scales.x(0.0), scales.x(0.0))
        for pair in line.get("points").split()[::20]:
            x, y = map(float, pair.split(","))
            assert y == pytest.approx(scales.y(CURVES[activation]((x - back[1]) / back[0])), abs=1.5)
        texts = [text.text for text in root.findall(f".//{SVG}text")]
        assert any(text.startswith("unit 1: a = ") for text in texts)


def test_a_layer_without_a_curve_is_refused_before_anything_changes(server):
    path = "/v1/sessions/drawn-curves"
    layers = [{"kind": "dense", "units": 3, "activation": "tanh", "name": "bent"}, {"kind": "layer_norm", "name": "norm"},
              {"kind": "dense", "units": 2, "activation": "softmax", "name": "soft"}]
    server.put(path, {"network": {"inputs": 2, "layers": layers}, "loss": "cross_entropy"})
    batch = {"inputs": [[0.5, 0.25]], "targets": [[0, 1]]}
    for layer, words in (("soft", "whole row"), ("norm", "no activation"), ("nobody", "no layer nobody")):
        refused = server.answer("POST", f"{path}/step?format=svg&picture=activation&layer={layer}", batch)
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_layer")
        assert words in refused.json()["detail"] and "bent" in refused.json()["detail"]
    for query, status, code in (
        ("format=svg&layer=bent", 422, "conflicting_fields"),
        ("format=svg&picture=weights&layer=bent", 422, "conflicting_fields"),
        ("format=mermaid&picture=activation", 422, "conflicting_fields"),
        ("format=mermaid&picture=distance", 422, "conflicting_fields"),
        ("format=svg&picture=activation&layer=%20", 400, "invalid_name"),
    ):
        refused = server.answer("POST", f"{path}/step?{query}", batch)
        assert (refused.status_code, refused.json()["code"]) == (status, code), query
    assert server.get(path)["step"] == 0
    stepped = server.answer("POST", f"{path}/step?format=svg&picture=activation&layer=bent", batch)
    assert stepped.status_code == 200 and server.get(path)["step"] == 1
    assert server.bytes(f"{path}/steps/1?format=svg&picture=activation&layer=bent") == stepped.content


def test_many_units_are_cut_and_it_is_said(server):
    body = {"network": {"inputs": 3, "layers": [{"kind": "dense", "units": 90, "activation": "tanh"}, {"kind": "dense", "units": 1}]},
            "inputs": [[0.1, 0.2, 0.3]] * 7, "targets": [[1]] * 7}
    root = check(ask(server, body, picture="activation", example=7).text)
    texts = [text.text for text in root.findall(f".//{SVG}text")]
    assert "dots: 400 of 630, the first ones" in texts and "and 83 more units" in texts
    assert any("example 7 of 7" in text for text in texts)


@pytest.mark.parametrize("body", [WORKED, {"preset": "telephone"}, body_of(19), body_of(29)], ids=str)
def test_the_distance_of_a_trace(server, body):
    trace = ask(server, body, "json").json()
    answer = server.answer("POST", "/v1/explain?format=svg&picture=distance", body)
    root = check(answer.text)
    bound, blame, change = root.findall(f".//{SVG}polyline")
    session = f"drawn-distance-{hashlib.sha256(str(body).encode()).hexdigest()[:12]}"
    kept = {key: value for key, value in body.items() if key not in ("inputs", "targets", "mode")}
    server.put(f"/v1/sessions/{session}", kept)
    batch = {key: value for key, value in body.items() if key in ("inputs", "targets", "mode")}
    layers = server.post(f"/v1/sessions/{session}/depth", batch)["layers"]
    assert trace["update"] is not None

    def points(line):
        return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]

    (x0, y0), (x1, y1) = points(bound)[0], points(bound)[-1]
    across, up = (x1 - x0) / layers[-1]["distance"], (y1 - y0) / layers[-1]["log10_bound"]
    changed = [layer for layer in layers if layer["change_norm"] > 0]
    for line, wanted in (
        (blame, [(layer["distance"], layer["log10_ratio"]) for layer in layers if layer["log10_ratio"] is not None]),
        (change, [(layer["distance"], math.log10(layer["change_norm"] / changed[0]["change_norm"])) for layer in changed]),
    ):
        for (x, y), (distance, logarithm) in zip(points(line), wanted, strict=True):
            assert x == pytest.approx(x0 + across * distance, abs=0.1)
            assert y == pytest.approx(y0 + up * logarithm, abs=0.5)
    forward = server.answer("POST", f"/v1/sessions/{session}/forward?format=svg&picture=distance", batch)
    assert (forward.status_code, forward.json()["code"]) == (422, "conflicting_fields")


def test_a_layer_without_blame_is_told_in_words(server):
    hidden = {"kind": "dense", "units": 2, "activation": "sigmoid", "name": "hidden", "weights": [[1e3, -1e3]]}
    body = {"network": {"inputs": 1, "layers": [hidden, {"kind": "dense", "units": 1}]}, "inputs": [[1]], "targets": [[3]]}
    saturated = check(ask(server, body, picture="distance").text)
    texts = [text.text for text in saturated.findall(f".//{SVG}text")]
    for what in ("mean |δ|", "size of change"):
        words = f"{what}: 0 in hidden, which a logarithmic scale cannot show"
        assert words in texts and words in saturated.find(f"{SVG}desc").text
    body = {"network": {"inputs": 1, "layers": [{"kind": "dense", "units": 1, "weights": [[1]]}]}, "inputs": [[1]], "targets": [[1]]}
    learned = check(ask(server, body, picture="distance").text)
    texts = [text.text for text in learned.findall(f".//{SVG}text")]
    assert texts[1:] == ["mean |δ|: 0 in every layer", "size of change: 0 in every layer"]
    assert not learned.findall(f".//{SVG}line") and not learned.findall(f".//{SVG}polyline")


@pytest.mark.parametrize(("weight", "inputs"), [(1e152, [1, 5, 10.2]), (1e3, [1, 1.5, 0.2]), (1e-2, [1, 1.5, 0.5])])
def test_the_marks_of_a_scale_are_of_one_form(server, weight, inputs):
    path = f"/v1/sessions/drawn-marks-{weight:g}".replace("+", "")
    layer = {"kind": "dense", "units": 1, "weights": [[weight]], "bias": False}
    server.put(path, {"network": {"inputs": 1, "layers": [layer]}, "optimizer": {"kind": "sgd", "learning_rate": 1e-300}})
    for value in inputs:
        server.post(f"{path}/step", {"inputs": [[value]], "targets": [[0]]})
    root = check(server.answer("GET", f"{path}/steps?format=svg").text)
    marks = [text.text for text in root.findall(f".//{SVG}text") if text.get("class") == "soft small end"]
    assert len({"·" in mark for mark in marks if mark != "0"}) == 1 and len(marks) >= 3
    assert not any("00·" in mark for mark in marks), marks
    assert Scales(root)


def test_the_loss_of_a_session(server):
    path = "/v1/sessions/drawn-loss"
    server.put(path, {"preset": "worked-example"})
    empty = check(server.answer("GET", f"{path}/steps?format=svg").text)
    assert "There is no step with a loss here." in [text.text for text in empty.findall(f".//{SVG}text")]
    for number in range(5):
        server.post(f"{path}/step", {})
        few = check(server.answer("GET", f"{path}/steps?format=svg").text)
        marks = [text.text for text in few.findall(f".//{SVG}text") if text.get("class") == "soft small middle"]
        assert marks == [str(step) for step in range(1, number + 2)], "nothing happens between two steps"
    server.post(f"{path}/rewind", {"to": 2})
    for _ in range(3):
        server.post(f"{path}/step", {})
    steps = server.get(f"{path}/steps")["steps"]
    root = check(server.answer("GET", f"{path}/steps", None, {"accept": "image/svg+xml"}).text)
    scales = Scales(root)
    lines = [line.get("points").split() for line in root.findall(f".//{SVG}polyline")]
    assert [len(line) for line in lines] == [5, 3]
    dots = [(float(circle.get("cx")), float(circle.get("cy"))) for circle in root.findall(f".//{SVG}circle")]
    wanted = [(step["step"], step["loss"]) for step in steps if step["loss"] is not None]
    for (x, y), (step, loss) in zip(dots, wanted, strict=True):
        assert (x, y) == (pytest.approx(scales.x(step), abs=0.2), pytest.approx(scales.y(loss), abs=0.3))
    for query, code in (("format=html", "not_acceptable"), ("form=svg", "unknown_field"), ("format=gif", "unknown_value")):
        assert server.answer("GET", f"{path}/steps?{query}").json()["code"] == code


def test_the_loss_of_a_long_run_is_a_page_of_it(server):
    path = "/v1/sessions/drawn-run"
    server.put(path, {"network": {"inputs": 2, "layers": [{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1}]}})
    server.post(f"{path}/train", {"dataset": "xor", "steps": 1500})
    root = check(server.answer("GET", f"{path}/steps?format=svg").text)
    most = len(server.get(f"{path}/steps?limit=1000")["steps"])
    (line,) = root.findall(f".//{SVG}polyline")
    assert len(line.get("points").split()) == most - 1
    assert any(f"after={most - 1}" in text.text for text in root.findall(f".//{SVG}text"))
    rest = check(server.answer("GET", f"{path}/steps?format=svg&after={most - 1}").text)
    assert not any("after=" in text.text for text in rest.findall(f".//{SVG}text"))


