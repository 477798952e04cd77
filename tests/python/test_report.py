"""Insights as documents: every cell of every table is the insight's own number at the printed precision, every equation
is true, and Markdown, LaTeX and HTML say the same."""

import re
from html.parser import HTMLParser

import pytest

from networks import random_case
from test_pictures import NUMBER, read
from test_solution import COMPILED, WORKED, check_equations, decimal, displays, displays_of_latex, floats, rounded

ROWS = 50
WEIGHT = {"weight": {"layer": "hidden", "parameter": "weights", "index": [0, 0]}}


def told(server, method, path, body=None, digits=4, form="markdown"):
    joined = "&" if "?" in path else "?"
    answer = server.answer(method, f"{path}{joined}format={form}&digits={digits}", body)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def both(server, method, path, body=None, digits=4):
    """An insight as JSON, and its document."""
    answer = server.answer(method, path, body)
    assert answer.status_code == 200, answer.text[:500]
    text = told(server, method, path, body, digits)
    check_the_same(text, told(server, method, path, body, digits, "latex"), told(server, method, path, body, digits, "html"))
    return answer.json(), text


def tables(text):
    """Each table of a document: its rows, each a list of cells."""
    found = []
    for block in re.findall(r"(?:^\|.*\n?)+", text, re.M):
        rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in block.strip().split("\n")]
        assert len({len(row) for row in rows}) == 1, rows[:3]
        found.append([[plain(cell) for cell in row] for row in rows[2:]])
    return found


def plain(cell):
    """A cell as a number, as words, or as nothing."""
    if cell.startswith("$"):
        return decimal(cell.strip("$"))
    return None if cell == "–" else re.sub(r"\\(.)", r"\1", cell.strip("`"))


def shown(number, digits):
    if number is None:
        return None
    return rounded(number, digits) * (-1 if number < 0 else 1)


class Page(HTMLParser):
    """The cells of a page's tables as texts, and whether all that is opened is closed."""

    def __init__(self):
        super().__init__()
        self.open, self.cells, self.heads = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag != "meta":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
        if tag in ("h1", "h2", "h3"):
            self.heads.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data
        if {"h1", "h2", "h3"} & set(self.open):
            self.heads[-1] += data


def check_the_same(markdown, latex, html):
    page = Page()
    page.feed(html)
    assert not page.open and "script" not in html
    assert len(page.cells) == sum((len(table) + 1) * len(table[0]) for table in tables(markdown))
    assert displays_of_latex(latex) == displays(markdown)
    headings = [re.sub(r"\\(.)", r"\1", heading) for heading in re.findall(r"^#+ (.*)$", markdown, re.M)]
    assert page.heads == headings
    assert {sign for sign in latex if ord(sign) > 127} <= COMPILED
    for name in ("document", "center", "tabular"):
        assert latex.count(f"\\begin{{{name}}}") == latex.count(f"\\end{{{name}}}")
    without = re.sub(r"\\[{}\\]", "", latex)
    assert without.count("{") == without.count("}")


def prose(text):
    """Every number in the sentences."""
    lines = [line for line in text.split("\n") if line and not line.startswith(("|", "#", "$"))]
    words = re.sub(r"`[^`]*`|\$[^$]*\$", " ", re.sub(r"\$\$.*?\$\$", "", "\n".join(lines), flags=re.S))
    return [read(number) for number in NUMBER.findall(words)]


def check_prose(text, insight, digits, others=()):
    known = {rounded(number, digits) for number in floats(insight)} | {read(str(number)) for number in (1, 2, *others)}
    strange = [number for number in prose(text) if abs(number) not in known]
    assert not strange, strange


def session(server, name, create):
    server.put(f"/v1/sessions/{name}", create)
    return f"/v1/sessions/{name}"


@pytest.mark.parametrize("digits", [4, 17])
def test_the_chain_of_the_worked_example(server, digits):
    path = session(server, f"told-chain-{digits}", WORKED)
    chain, text = both(server, "POST", f"{path}/chain", WEIGHT, digits)
    table = tables(text)[0]
    factors = chain["paths"]["heaviest"][0]["factors"]
    assert [row[0] for row in table] == [factor["name"] for factor in factors]
    for row, factor in zip(table, factors, strict=True):
        assert row[2] == factor["formula"]
        assert row[3:] == [shown(factor["value"], digits), shown(factor["running"], digits)]
    assert "`hidden weights [0, 0]`" in text and "1 path leads from the loss" in text
    check_prose(text, chain, digits, [1])
    if digits == 17:
        assert check_equations(text) == 1


@pytest.mark.parametrize("seed", [2, 7, 13, 21])
def test_the_chain_of_random_networks(server, seed):
    case = random_case(seed)
    path = session(server, f"told-chain-of-{seed}", case.create)
    layers = server.get(path)["network"]["layers"]
    layer = next(layer for layer in layers if layer["kind"] == "dense")
    weight = {"layer": layer["name"], "parameter": "weights", "index": [0, 0]}
    chain, text = both(server, "POST", f"{path}/chain", {**case.batch, "weight": weight, "top": 5}, 17)
    found = tables(text)
    assert len(found) == len(chain["paths"]["heaviest"])
    for table, way in zip(found, chain["paths"]["heaviest"], strict=True):
        assert [row[4] for row in table] == [shown(factor["running"], 17) for factor in way["factors"]]
    assert check_equations(text) >= sum(len(way["factors"]) <= 12 for way in chain["paths"]["heaviest"])


@pytest.mark.parametrize("seed", [None, 3, 9, 20])
def test_the_blame(server, seed):
    case = None if seed is None else random_case(seed)
    path = session(server, f"told-blame-{seed or 0}", WORKED if case is None else case.create)
    blame, text = both(server, "POST", f"{path}/blame", case.batch if case else {}, 17)
    found = iter(tables(text))
    for layer in blame["layers"]:
        units = layer["units"]
        assert next(found) == [
            [f"unit {unit['unit'] + 1}"]
            + [shown(unit.get(name), 17) for name in ("error", "error_share", "slope", "delta", "delta_share")]
            for unit in units[:ROWS]
        ]
        for unit in [unit for unit in units if unit["received"]][:4]:
            assert next(found) == [
                [f"{part['layer']}, unit {part['from'] + 1}"]
                + [shown(part[name], 17) for name in ("delta", "weight", "term", "share")]
                for part in unit["received"][:ROWS]
            ]
    assert next(found, None) is None
    check_equations(text)


def test_the_depth_and_the_telephone(server):
    columns = ("mean_abs_delta", "ratio_to_output", "log10_ratio", "bound", "mean_slope", "saturated", "gradient_norm",
               "change_norm")

    def check(layers, table):
        assert len(table) == min(len(layers), ROWS)
        for row, layer in zip(table, layers, strict=False):
            assert row[:2] == [layer["name"], str(layer["distance"])]
            assert row[2:] == [shown(layer[name], 5) for name in columns]

    path = session(server, "told-depth", WORKED)
    depth, text = both(server, "POST", f"{path}/depth", {}, 5)
    check(depth["layers"], tables(text)[0])
    assert depth["because"] in re.sub(r"\\(.)", r"\1", text)
    telephone, text = both(server, "POST", "/v1/depth", {"depth": 60, "seed": 3}, 5)
    found = tables(text)
    assert len(found) == len(telephone["variants"]) == 4
    for table, variant in zip(found, telephone["variants"], strict=True):
        check(variant["layers"], table)
        assert variant["because"] in re.sub(r"\\(.)", r"\1", text) and variant["story"] in re.sub(r"\\(.)", r"\1", text)
    assert text.count("50 of 60 are shown") == 4
    lowest = telephone["variants"][0]["layers"][-1]
    assert f"The lowest, `{lowest['name']}`, 59 layers away" in text


@pytest.mark.parametrize("seed", [None, 4, 17])
def test_the_gradient_check(server, seed):
    case = None if seed is None else random_case(seed)
    path = session(server, f"told-check-{seed or 0}", WORKED if case is None else case.create)
    check, text = both(server, "POST", f"{path}/gradient-check", case.batch if case else {}, 9)
    named = {f"{one['layer']} {one['parameter']} {one['index']}": one for one in check["parameters"]}
    table = tables(text)[0]
    assert len(table) == min(ROWS, len(named)) == len({row[0] for row in table})
    for row in table:
        one = named[row[0]]
        assert row[1:5] == [shown(one[name], 9) for name in ("analytic", "numeric", "relative_error", "step")]
        assert row[5] == ("a kink is near" if one["kink"] else "" if one["resolved"] else "too small to tell")
    counted = [one for one in check["parameters"] if one["resolved"] and not one["kink"]]
    if counted:
        worst = max(counted, key=lambda one: one["relative_error"])
        assert table[0][3] == shown(worst["relative_error"], 9) == shown(check["max_relative_error"], 9)
    check_prose(text, check, 9, [ROWS, len(named), 6])


def test_the_grade(server):
    right, text = both(server, "POST", "/v1/grade", {**WORKED, "claim": {"forward": {"outputs": [[0.638]]}}})
    assert "\n## Right\n" in text and "1 number was compared." in text
    trace = server.post("/v1/explain", WORKED)
    # The slope is forgotten: the errors are taken for the deltas.
    claim = {"backward": {"layers": [{"name": "output", "deltas": trace["backward"]["layers"][0]["errors"]}]}}
    wrong, text = both(server, "POST", "/v1/grade", {**WORKED, "claim": claim}, 6)
    assert wrong["mistakes"] and "\n## Wrong\n" in text and f"`{wrong['first_wrong']['pointer']}`" in text
    for mistake in wrong["mistakes"]:
        said = re.sub(r"\\(.)", r"\1", text)
        assert f"\n## {mistake['title']}\n" in said and mistake["explanation"] in said and f"`{mistake['code']}`" in said
    first = wrong["first_wrong"]
    assert shown(first["expected"], 6) in prose(text) and shown(first["got"], 6) in prose(text)
    strange, text = both(server, "POST", "/v1/grade", {**WORKED, "claim": {"forward": {"outputs": [[0.123456]]}}})
    assert not strange["mistakes"] and "None of the known mistakes" in text
    path = session(server, "told-grade", WORKED)
    assert "## Wrong" in told(server, "POST", f"{path}/grade", {"claim": claim})


def test_the_difference(server):
    path = session(server, "told-diff", WORKED)
    server.post(f"{path}/step", {})
    diff, text = both(server, "GET", f"{path}/diff?at=0", None, 7)
    sides, *layers = tables(text)
    assert sides == [[side, "told-diff", str(diff[side]["step"]), diff[side]["state"]] for side in ("this", "with")]
    for layer, table in zip(diff["layers"], layers, strict=True):
        weights = layer["parameters"]["weights"]
        places = [(i, j) for i in range(len(weights)) for j in range(len(weights[0]))]
        assert table == [[f"weights [{i}, {j}]", shown(weights[i][j], 7)] for i, j in places]
        assert shown(layer["norm"], 7) in prose(text)
    same, text = both(server, "GET", f"{path}/diff")
    assert same["same"] and "the same to the bit" in text


def test_what_if(server):
    body = {**WORKED, "what_if": [{"at": "/forward/layers/0/outputs/0/1", "set": 0.25}]}
    found, text = both(server, "POST", "/v1/explain", body, 8)
    assert tables(text)[0] == [
        [one["pointer"], shown(one["was"], 8), shown(one["is"], 8)] for one in found["differences"]
    ]
    assert "`/forward/layers/0/outputs/0/1` is 0.25." in text
    ablated = {**WORKED, "what_if": [{"ablate": {"layer": "hidden", "unit": 1}}]}
    assert "Unit 2 of `hidden` puts out 0." in told(server, "POST", "/v1/explain", ablated)
    for query, code, status in (("format=svg", "not_acceptable", 406), ("format=html&unit=2", "conflicting_fields", 422)):
        refused = server.answer("POST", f"/v1/explain?{query}", body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_what_an_insight_cannot_be(server):
    path = session(server, "told-refused", WORKED)
    for query, code, status in (
        ("format=mermaid", "not_acceptable", 406),
        ("format=svg", "not_acceptable", 406),
        ("digits=5", "conflicting_fields", 422),
        ("format=html&digits=18", "number_out_of_range", 400),
        ("format=html&digits=0", "number_out_of_range", 400),
        ("from=html", "unknown_field", 400),
    ):
        for kind, body in (("blame", {}), ("chain", WEIGHT), ("gradient-check", {}), ("grade", {"claim": {"loss": 1}})):
            refused = server.answer("POST", f"{path}/{kind}?{query}", body)
            assert (refused.status_code, refused.json()["code"]) == (status, code), (kind, query)
    page = server.answer("POST", f"{path}/blame", {}, {"accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html") and page.headers["vary"] == "accept"
    assert "sha256-" in page.headers["content-security-policy"]
