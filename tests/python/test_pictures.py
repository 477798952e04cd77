"""Pictures: every number on them is one of the trace's at the printed precision, nothing overlaps or leaves the picture,
and what is drawn by size has the size."""

import re
import xml.etree.ElementTree as Tree
from decimal import Decimal

import pytest

from networks import random_case
from formulas import floats, rounded
from test_solution import WORKED

SVG = "{http://www.w3.org/2000/svg}"
RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
NUMBER = re.compile(r"−?\d+(?:\.\d+)?(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
NEGATIVE = {"preset": "mazur"}


def ask(server, body, form="svg", **query):
    text = "".join(f"&{name}={value}" for name, value in query.items())
    answer = server.answer("POST", f"/v1/explain?format={form}{text}", body)
    assert answer.status_code == 200, answer.text[:500]
    return answer


def body_of(index):
    case = random_case(index)
    return {**case.create, **case.batch}


def read(text):
    plain, _, power = text.replace("−", "-").partition("·10")
    return Decimal(plain + ("e" + power.translate(RAISED) if power else ""))


def size(text):
    classes = text.get("class", "").split()
    return 11 if "small" in classes else 15 if "head" in classes else 13


def box(text):
    """About where a text lies: left, top, right, bottom."""
    width = 0.55 * size(text) * len(text.text)
    x, y = float(text.get("x")), float(text.get("y"))
    classes = text.get("class", "").split()
    left = x - (width / 2 if "middle" in classes else width if "end" in classes else 0)
    return left, y - 0.75 * size(text), left + width, y + 0.2 * size(text)


def check(svg):
    """Nothing meets, nothing leaves, nothing comes from elsewhere; there are words for who cannot see it."""
    root = Tree.fromstring(svg)
    assert root.get("role") == "img" and root.find(f"{SVG}title").text and len(root.find(f"{SVG}desc").text) > 40
    assert not root.findall(f".//{SVG}script") and "href" not in svg and "url(" not in svg and "@import" not in svg
    _, _, width, height = map(float, root.get("viewBox").split())
    texts = root.findall(f".//{SVG}text")
    boxes = [(text, box(text)) for text in texts]
    for text, (left, top, right, bottom) in boxes:
        assert left >= 0 and top >= 0 and right <= width and bottom <= height, text.text
    for at, (one, (left, top, right, bottom)) in enumerate(boxes):
        for other, (l2, t2, r2, b2) in boxes[at + 1 :]:
            assert right <= l2 or r2 <= left or bottom <= t2 or b2 <= top, (one.text, other.text)
    for line in root.findall(f".//{SVG}line"):
        for name, most in (("x1", width), ("x2", width), ("y1", height), ("y2", height)):
            assert 0 <= float(line.get(name)) <= most
    return root


def printed(root):
    """Numbers on the picture: those that stand alone, or behind a name."""
    found = []
    for text in root.findall(f".//{SVG}text"):
        words = text.text
        alone = NUMBER.fullmatch(words)
        named = re.fullmatch(r"(?:[ae] = |target |(?:mean )?loss )(.*)", words)
        if alone and "small" not in text.get("class", ""):
            found.append(read(words))
        elif named:
            found.append(read(named[1]))
    return found


@pytest.mark.parametrize("body", [WORKED, NEGATIVE])
@pytest.mark.parametrize("digits", [3, 5])
def test_the_network_has_every_number_on_it(server, body, digits):
    trace = ask(server, body, "json").json()
    root = check(ask(server, body, digits=digits).text)
    shown = [abs(number) for number in printed(root)]
    for layer in trace["forward"]["layers"]:
        for part in (layer["parameters"]["weights"], layer["outputs"], layer["pre_activations"]):
            assert all(rounded(number, digits) in shown for number in floats(part)), layer["name"]
    known = {rounded(number, digits) for number in floats(trace)}
    assert all(number in known for number in shown)
    lines = root.findall(f".//{SVG}line")
    weights = [weight for layer in trace["forward"]["layers"] for row in layer["parameters"]["weights"] for weight in row]
    assert len(lines) == len(weights)
    # As wide as it is large, within its layer, and coloured by its sign.
    at = 0
    for layer in trace["forward"]["layers"]:
        rows = layer["parameters"]["weights"]
        largest = max(abs(weight) for row in rows for weight in row)
        for weight in (weight for row in rows for weight in row):
            line, at = lines[at], at + 1
            assert float(line.get("stroke-width")) == pytest.approx(1 + 5 * abs(weight) / largest, abs=0.006)
            assert line.get("class") == ("plus" if weight >= 0 else "minus")


@pytest.mark.parametrize("body", [WORKED, NEGATIVE])
def test_the_blame_is_that_of_the_insight(server, body):
    name = f"/v1/sessions/pictured-{body['preset']}"
    server.put(name, body)
    blame = server.post(f"{name}/blame", {})
    root = check(ask(server, body, picture="backward", digits=5).text)
    shown = printed(root)
    terms = [received["term"] for layer in blame["layers"] for unit in layer["units"] for received in unit["received"]]
    assert terms and all(rounded(term, 5).copy_sign(Decimal(term)) in shown for term in terms)
    for layer in blame["layers"]:
        for unit in layer["units"]:
            assert {rounded(unit[part], 5).copy_sign(Decimal(unit[part])) for part in ("error", "delta")} <= set(shown)
    lines = root.findall(f".//{SVG}line")
    assert sorted(line.get("class") for line in lines) == sorted("plus" if term >= 0 else "minus" for term in terms)


@pytest.mark.parametrize("picture", ["network", "backward"])
@pytest.mark.parametrize("index", range(24))
def test_random_networks_are_drawn_whole(server, index, picture):
    body = body_of(index)
    trace = ask(server, body, "json").json()
    text = ask(server, body, picture=picture, digits=4, example=len(body["inputs"])).text
    root = check(text)
    assert len(text) < 200_000
    known = {rounded(number, 4) for number in floats(trace)}
    numbers = printed(root)
    known |= {rounded(term, 4) for term in terms_of(server, body)} if picture == "backward" else set()
    assert numbers and all(abs(number) in known for number in numbers)


def terms_of(server, body):
    """What each unit receives, of the last example."""
    name = "/v1/sessions/pictured-random"
    server.answer("DELETE", name)
    server.put(name, {key: value for key, value in body.items() if key not in ("inputs", "targets", "mode")})
    batch = {key: value for key, value in body.items() if key in ("inputs", "targets", "mode")}
    answer = server.answer("POST", f"{name}/blame", {**batch, "example": len(body["inputs"]) - 1})
    if answer.status_code != 200:
        return []
    return [part["term"] for layer in answer.json()["layers"] for unit in layer["units"] for part in unit["received"]]


def test_a_deep_network_is_layers_and_not_spaghetti(server):
    for picture in ("network", "backward"):
        text = ask(server, {"preset": "telephone"}, picture=picture).text
        check(text)
        assert "89 layers between" in text and len(text) < 100_000


@pytest.mark.parametrize("picture", ["network", "backward", "weights"])
@pytest.mark.parametrize("name", ["layer-with-a-name-of-as-many-as-47-signs-in-all", "w" * 47, "7" * 47])
def test_a_long_name_is_cut_to_its_room(server, name, picture):
    layers = [{"kind": "dense", "units": 2, "name": name[1:]}, {"kind": "dense", "units": 1, "name": name}]
    body = {"network": {"inputs": 2, "layers": layers}, "inputs": [[0.1, 0.9]], "targets": [[1]]}
    root = check(ask(server, body, picture=picture).text)
    cut = [text for text in root.findall(f".//{SVG}text") if text.text.endswith("…")]
    assert len(cut) == 2 and all(name.startswith(text.text[:-1]) or name[1:].startswith(text.text[:-1]) for text in cut)
    # A w is nearly as wide as a text is high.
    width = (0.85 if set(name) == {"w"} else 0.55) * 13 * len(cut[-1].text)
    right = float(cut[-1].get("x")) + (width if picture == "weights" else width / 2)
    assert right <= float(root.get("viewBox").split()[2])


def test_one_is_told_as_one(server):
    body = {"network": {"inputs": 1, "layers": [{"kind": "dense", "units": 1}]}, "inputs": [[1]], "targets": [[0]]}
    for picture, words in (("network", "A network of 1 input, 1 layer and 1 output."), ("weights", "each of 1 dense layer:")):
        assert words in check(ask(server, body, picture=picture).text).find(f"{SVG}desc").text
    deep = {**body, "network": {"inputs": 1, "layers": [{"kind": "dense", "units": 1}] * 12}}
    assert all("1 layer between" in ask(server, deep, form).text for form in ("svg", "mermaid"))
    for voice, words in (("textbook", "1 number goes in at the bottom."), ("factory", "1 kind of raw material comes in.")):
        assert words in ask(server, body, "markdown", voice=voice).text


def test_the_policy_lets_nothing_in(server):
    answer = ask(server, WORKED)
    assert answer.headers["content-type"].startswith("image/svg+xml")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "sha256-" in policy and "unsafe" not in policy
    accepted = server.answer("POST", "/v1/explain", WORKED, {"accept": "image/svg+xml"})
    assert accepted.content == answer.content


LINES = (
    r"flowchart LR",
    r'  subgraph c\d+\["[a-z0-9._-]+"\]',
    r'    u\d+_\d+\["[^"\[\]]+"\]',
    r"  end",
    r'  c\d+\["[^"\[\]]+"\]',
    r'  gap\["\d+ layers? between"\]',
    r'  u\d+_\d+ -- "[^"]+" --> u\d+_\d+',
    r'  u\d+_\d+ -\. "[^"]+" \.-> u\d+_\d+',
    r"  c\d+ (-->|-\.->) c\d+",
    r"  c\d+ (-->|-\.->) gap (-->|-\.->) c\d+",
    r'  c\d+ -- "around" --> c\d+',
)


@pytest.mark.parametrize("picture", ["network", "backward"])
@pytest.mark.parametrize("body", [WORKED, NEGATIVE, {"preset": "telephone-residual"}, *map(body_of, range(12))], ids=str)
def test_mermaid_is_a_flowchart_of_the_network(server, body, picture):
    text = ask(server, body, "mermaid", picture=picture).text
    nodes = set(re.findall(r"^ +([uc]\d+(?:_\d+)?|gap)\[", text, re.M))
    for line in text.splitlines():
        assert any(re.fullmatch(form, line) for form in LINES), line
        assert set(re.findall(r"\b(u\d+_\d+|c\d+)\b(?= (?:--|-\.))", line)) <= nodes
    if body is WORKED and picture == "network":
        assert '  u0_0 -- "0.4" --> u1_0' in text and 'ŷ1 = 0.6384' in text
    if body is WORKED and picture == "backward":
        assert '  u2_0 -. "0.05008" .-> u1_0' in text


def test_what_does_not_belong_is_refused(server):
    name = "/v1/sessions/refused-pictures"
    server.put(name, WORKED)
    for path, query, status, code in (
        ("forward", "format=svg&picture=backward", 422, "conflicting_fields"),
        ("step", "format=svg&unit=1", 422, "conflicting_fields"),
        ("step", "format=html&picture=network", 422, "conflicting_fields"),
        ("step", "picture=network", 422, "conflicting_fields"),
        ("step", "format=mermaid&voice=factory", 422, "conflicting_fields"),
        ("step", "format=svg&picture=loss", 400, "unknown_value"),
    ):
        answer = server.answer("POST", f"{name}/{path}?{query}", {})
        assert (answer.status_code, answer.json()["code"]) == (status, code), query
    assert server.get(name)["step"] == 0


@pytest.mark.parametrize("depth", [2, 8, 100])
def test_the_telephone_game_is_drawn_to_scale(server, depth):
    game = {"depth": depth, "width": 6}
    told = server.post("/v1/depth", game)["variants"]
    answer = server.answer("POST", "/v1/depth?format=svg", game)
    root = check(answer.text)
    lines = [
        [tuple(map(float, point.split(","))) for point in line.get("points").split()]
        for line in root.findall(f".//{SVG}polyline")
    ]
    bound, series = lines[0], lines[1:]
    assert len(series) == len(told) == 4
    names = [text.text for text in root.findall(f".//{SVG}text")]
    assert {variant["name"] for variant in told} <= set(names) and "0.25^distance" in names
    assert "10⁰" in names
    # Two points of the bound fix the scale; every other point lies on it.
    first, last = told[0]["layers"][0], told[0]["layers"][-1]
    (x0, y0), (x1, y1) = bound[0], bound[-1]
    across = (x1 - x0) / (last["distance"] - first["distance"])
    up = (y1 - y0) / (last["log10_bound"] - first["log10_bound"])
    for variant, line in zip(told, series, strict=True):
        layers = [layer for layer in variant["layers"] if layer["log10_ratio"] is not None]
        for layer, (x, y) in zip(layers, line, strict=True):
            assert x == pytest.approx(x0 + across * layer["distance"], abs=0.02 + depth / 1000)
            assert y == pytest.approx(y0 + up * (layer["log10_ratio"] - first["log10_bound"]), abs=0.05 + depth / 200)


def test_a_sessions_depth_is_drawn(server):
    name = "/v1/sessions/drawn-depth"
    server.put(name, WORKED)
    drawn = server.answer("POST", f"{name}/depth", {}, {"accept": "image/svg+xml"})
    root = check(drawn.text)
    assert "drawn-depth" in [text.text for text in root.findall(f".//{SVG}text")]
    assert server.answer("POST", f"{name}/depth?format=mermaid", {}).status_code == 406
    assert server.answer("POST", f"{name}/depth?form=svg", {}).json()["code"] == "unknown_field"


def test_weights_are_heat_maps(server):
    for body, digits in ((WORKED, 4), (NEGATIVE, 5), (body_of(3), 4), (body_of(20), 4)):
        trace = ask(server, body, "json").json()
        root = check(ask(server, body, picture="weights", digits=digits).text)
        cells = [cell for cell in root.findall(f".//{SVG}rect") if cell.get("class") in ("fplus", "fminus")]
        at = 0
        for weights in dense_weights(trace["forward"]["layers"])[:12]:
            largest = max(abs(weight) for row in weights for weight in row)
            for row in weights[:48]:
                for weight in row[:48]:
                    cell, at = cells[at], at + 1
                    assert cell.get("class") == ("fplus" if weight >= 0 else "fminus")
                    strength = abs(weight) / largest if largest else 0.0
                    assert float(cell.get("fill-opacity")) == pytest.approx(strength, abs=0.0006)
        assert at == len(cells)
    shown = printed(check(ask(server, WORKED, picture="weights").text))
    assert shown == [Decimal(text) for text in ("0.4", "0.3", "0.2", "0.5", "0.6", "0.4")]
    refused = server.answer("POST", "/v1/explain?format=mermaid&picture=weights", WORKED)
    assert (refused.status_code, refused.json()["code"]) == (422, "conflicting_fields")


def dense_weights(layers):
    """The weights of each dense layer, those inside of blocks in their place."""
    found = []
    for layer in layers:
        found += dense_weights(layer.get("layers", []))
        if layer["kind"] == "dense":
            found.append(layer["parameters"]["weights"])
    return found
