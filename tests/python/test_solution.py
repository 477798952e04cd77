"""Worked solutions: every printed number is one of the trace's at the printed precision, every equation is true, and
the forms say the same.
"""

import random
import re
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from formulas import NUMBER, bare, decimal, displays, displays_of_latex, floats, is_of_numbers, numbers, rounded, sides, value
from networks import random_case

WORKED = {"preset": "worked-example"}
# What pdflatex takes as it is, beside ASCII; everything else must be written as a command.
COMPILED = set("·ŷ")


def ask(server, body, **query):
    """What explain is answered, as text where a form is asked for."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = server.answer("POST", f"/v1/explain?{text}" if text else "/v1/explain", body)
    assert answer.status_code == 200, answer.text[:1000]
    return answer


def random_body(index):
    case = random_case(index)
    return {**case.create, **case.batch}


def settings(trace):
    """Numbers that are printed and are no trace's: the learning rate is one, but for how many there are of something."""
    rows, outputs = len(trace["forward"]["inputs"]), len(trace["forward"]["outputs"][0])
    return {Decimal(count) for count in (0, 1, 2, rows, outputs, *range(64))}


def layers_of(layers):
    """Every layer, those inside of blocks too."""
    for layer in layers:
        yield layer
        yield from layers_of(layer.get("layers", []))


def check_numbers(server, body, digits, **query):
    trace = ask(server, body).json()
    answer = ask(server, body, format="markdown", digits=digits, **query)
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    text = answer.text
    known = {rounded(number, digits) for number in floats(trace)} | settings(trace)
    printed = [number for display in displays(text) for number in numbers(display)]
    assert len(printed) > 20
    strange = [number for number in printed if abs(number) not in known]
    assert not strange, strange[:5]
    return trace, text, printed


def check_equations(text):
    """Each form of numbers comes to the value that is printed last, and none stands twice."""
    checked = 0
    for display in displays(text):
        assert all(one != other for one, other in pairwise(sides(display))), display
        forms = [form for form in sides(display) if is_of_numbers(form)]
        if len(forms) < 2 or len(sides(display)) < 2:
            continue
        end = value(forms[-1])
        for form in forms[:-1]:
            assert value(form) == pytest.approx(end, rel=1e-9, abs=1e-12), display
            checked += 1
    return checked


def test_the_worked_example_is_the_tutorials(server):
    text = ask(server, WORKED, format="markdown").text
    for line in ("a_{1} &= x_{1} \\cdot w_{11} + x_{2} \\cdot w_{21} \\\\\n&= 0.5 \\cdot 0.4 + 0.3 \\cdot 0.2 \\\\\n&= 0.26",
                 "\\approx 0.5646", "\\approx 0.5744", "\\approx 0.6384", "\\approx 0.06537",
                 "\\delta_{\\text{out}} &= 0.3616 \\cdot 0.6384 \\cdot \\left(1 - 0.6384\\right)", "\\approx 0.08346",
                 "\\delta_{1} &= 0.05008 \\cdot 0.5646", "\\approx 0.01231", "v'_{1} &= 0.6 + 0.02356", "\\approx 0.6236",
                 "E' \\approx 0.06310", "| `hidden` | $1$ | $0.01024$ | $0.1226$ | $0.004306$ |"):
        assert line in text, line
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings == ["The network", "Forward pass", "Error", "Backward pass", "Update", "Afterwards", "The key observation"]


@pytest.mark.parametrize("digits", [1, 4, 9, 17])
def test_its_numbers_are_the_traces_and_its_equations_true(server, digits):
    trace, text, printed = check_numbers(server, WORKED, digits)
    shown = {abs(number) for number in printed}
    # Nothing of so small a network is left out.
    for part in ("forward", "backward", "loss"):
        for number in floats(trace[part]):
            assert rounded(number, digits) in shown, (part, number)
    for layer in trace["update"]["layers"]:
        for number in floats(layer):
            assert rounded(number, digits) in shown
    if digits == 17:
        assert check_equations(text) > 30


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(server, seed):
    draw = random.Random(seed)
    body = random_body(seed)
    rows = len(body["inputs"])
    widest = max(len(layer["outputs"][0]) for layer in layers_of(ask(server, body).json()["forward"]["layers"]))
    example, unit = draw.randint(1, rows), draw.randint(1, widest)
    trace, text, printed = check_numbers(server, body, 17, example=example, unit=unit)
    assert check_equations(text) > 1
    shown = {abs(number) for number in printed}
    # Of every layer something of the example that is shown: one output at least.
    for layer in trace["forward"]["layers"]:
        outputs = layer["outputs"][example - 1]
        wanted = outputs if len(outputs) <= 3 else [outputs[min(unit, len(outputs)) - 1]]
        if layer["kind"] != "dropout" or "mask" in layer:
            assert all(rounded(number, 17) in shown for number in wanted), layer["name"]


STEPPED = {
    "sgd": {"learning_rate": 0.1, "momentum": 0.9, "clip_norm": 0.01},
    "sgd-nesterov": {"kind": "sgd", "learning_rate": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    "rmsprop": {"learning_rate": 0.02},
    "adagrad": {"weight_decay": 0.1},
    "adam": {"weight_decay": 0.01},
    "adamw": {"weight_decay": 0.1, "beta2": 0.99},
}


@pytest.mark.parametrize("kind", STEPPED)
def test_each_optimizers_changes_are_computed_in_numbers(server, kind):
    """Every Δ is an equation of numbers, and so is what the optimizer remembers: after the third step as well."""
    path = f"/v1/sessions/solved-{kind}"
    layers = [{"kind": "dense", "units": 2, "activation": "tanh"}, {"kind": "dense", "units": 2}]
    server.put(path, {"network": {"inputs": 2, "layers": layers}, "optimizer": {"kind": kind.partition("-")[0], **STEPPED[kind]}})
    batch = {"inputs": [[0.3, -0.7]], "targets": [[1, 0]]}
    for _ in range(2):
        server.answer("POST", f"{path}/step", batch)
    text = server.answer("POST", f"{path}/step?format=markdown&digits=17", batch).text
    check_equations(text)
    # Words below a letter are set as words, with the space between them.
    assert all(re.fullmatch(r"[a-z]{1,2}|\d+", index) for index in re.findall(r"_\{([^{}]*)\}", text))
    page = server.answer("GET", f"{path}/steps/3?format=html").text
    for words, setting in (("with decay", "weight_decay"), ("clipped", "clip_norm")):
        is_pulled = setting in STEPPED[kind] and kind != "adamw"
        assert (f"g_{{\\text{{{words}}}}}" in text, f"<mtext>{words}</mtext>" in page) == (is_pulled, is_pulled)
    changes = [display for display in displays(text) if display.removeprefix("\\begin{aligned}\n").startswith("\\Delta")]
    of_numbers = [display for display in changes if len([form for form in sides(display) if is_of_numbers(form)]) >= 2]
    assert len(of_numbers) == 12, changes


def test_a_normalizations_numbers_are_computed(server):
    layers = [{"kind": "dense", "units": 3}, {"kind": "batch_norm"}, {"kind": "dense", "units": 2}, {"kind": "layer_norm"}]
    body = {"network": {"inputs": 2, "layers": layers}, "inputs": [[0.1, 0.9], [0.8, 0.3], [0.5, 0.2]],
            "targets": [[1, 0], [0, 1], [1, 1]]}
    text = ask(server, body, format="markdown", digits=17).text
    check_equations(text)
    # Of three units of the batch norm and two of the layer norm; what all units of an example share is told once.
    shared = ("\\mu", "v", "p", "q")
    for name in (*shared, "n", "u", "\\delta", "\\frac{\\partial E}{\\partial \\gamma"):
        found = [display for display in displays(text)
                 if display.removeprefix("\\begin{aligned}\n").startswith(name)
                 and len([form for form in sides(display) if is_of_numbers(form)]) >= 2]
        assert len(found) >= (4 if name in shared else 5), name


def test_of_a_deep_network_the_ends_are_shown_and_what_is_asked_for(server):
    layers = [{"name": f"l{at}", "kind": "dense", "units": 2, "activation": "tanh"} for at in range(1, 21)]
    body = {"network": {"inputs": 2, "layers": layers}, "inputs": [[0.1, 0.9]], "targets": [[1, 0]]}
    shown = lambda text: sorted(int(at) for at in set(re.findall(r"^### Layer (\d+)$", text, re.M)))
    text = ask(server, body, format="markdown").text
    assert shown(text) == [1, 2, 19, 20]
    assert text.count("Layers 3 to 18 are left out; layer=`l") == 4
    more = ask(server, body, format="markdown", layer="l9").text
    assert shown(more) == [1, 2, 9, 19, 20] and "Layers 3 to 18 are left out but for layer 9;" in more
    whole = {**body, "network": {"inputs": 2, "layers": layers[:10]}}
    assert shown(ask(server, whole, format="markdown").text) == list(range(1, 11))


class Formulas(HTMLParser):
    """The numbers of each block formula, and that every element is closed in its turn."""

    VOID = {"meta", "br", "link"}

    def __init__(self):
        super().__init__()
        self.open, self.numbers, self.texts, self.tags = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        # A number in the index or the name of a layer is an mi or stands in parentheses behind it.
        if self.open[-1:] == ["mn"]:
            self.numbers.append(data)


@pytest.mark.parametrize("seed", [None, 1, 5, 11])
def test_all_forms_say_the_same(server, seed):
    body = WORKED if seed is None else random_body(seed)
    widest = max(len(layer["outputs"][0]) for layer in layers_of(ask(server, body).json()["forward"]["layers"]))
    query = {"digits": 6, "unit": min(2, widest)}
    markdown, latex, html = (ask(server, body, format=form, **query).text for form in ("markdown", "latex", "html"))
    assert displays_of_latex(latex) == displays(markdown)
    assert {sign for sign in latex if ord(sign) > 127} <= COMPILED
    for name in ("document", "aligned", "center", "tabular"):
        assert latex.count(f"\\begin{{{name}}}") == latex.count(f"\\end{{{name}}}")
    without = re.sub(r"\\[{}\\]", "", latex)
    assert without.count("{") == without.count("}")
    page = Formulas()
    page.feed(html)
    assert not page.open and "script" not in page.tags
    assert "http:" not in html and "https:" not in html and "src=" not in html
    shown = {text for text in page.numbers}
    for display in displays(markdown):
        for number in NUMBER.findall(bare(display)):
            assert decimal(number.lstrip("-")).as_tuple().digits
            plain = number.lstrip("-").partition(" ")[0]
            assert plain in shown, (plain, display)
    assert html.count('class="equation"') + html.count('class="rule"') == len(displays(markdown))


def test_the_page_lets_nothing_in(server):
    policy = ask(server, WORKED, format="html").headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "sha256-" in policy


def test_the_factory_tells_the_same_numbers(server):
    plain, told = (ask(server, WORKED, format="markdown", voice=voice).text for voice in ("textbook", "factory"))
    assert displays(plain) == displays(told)
    for words in ("Worker A", "Worker B", "inspector", "raw material", "defect"):
        assert words in told and words not in plain


def test_what_is_asked_for_decides_before_anything_changes(server):
    path = "/v1/sessions/solutions"
    server.put(path, WORKED)
    for query, code, status in (
        ("format=markdown&digits=0", "number_out_of_range", 400),
        ("format=markdown&digits=18", "number_out_of_range", 400),
        ("format=html&unit=0", "number_out_of_range", 400),
        ("format=html&unit=3", "number_out_of_range", 400),
        ("format=html&example=2", "number_out_of_range", 400),
        ("format=svg&example=2", "number_out_of_range", 400),
        ("format=latex&layer=hiden", "unknown_layer", 422),
        ("format=latex&layer=Hidden!", "invalid_name", 400),
        ("layer=hidden", "conflicting_fields", 422),
        ("digits=5", "conflicting_fields", 422),
        ("format=latex&trace=none", "conflicting_fields", 422),
        ("format=pdf", "unknown_value", 400),
    ):
        answer = server.answer("POST", f"{path}/step?{query}", {})
        assert (answer.status_code, answer.json()["code"]) == (status, code), query
    refused = server.answer("POST", f"{path}/step", {}, {"accept": "image/png, text/plain;q=0.5"})
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")
    assert all(form in refused.json()["detail"] for form in ("markdown", "latex", "html", "json"))
    assert server.get(path)["step"] == 0
    for accept, media in (
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("text/markdown", "text/markdown"),
        ("application/x-tex", "text/x-tex"),
        ("*/*", "application/json"),
        ("text/*", "text/markdown"),
        ("text/html;q=0.2, application/json;q=0.9", "application/json"),
        ("application/*;q=0.1, text/html;q=0", "application/json"),
    ):
        answer = server.answer("POST", f"{path}/backward", {}, {"accept": accept})
        assert answer.headers["content-type"].partition(";")[0] == media, accept


def test_a_step_is_told_again(server):
    path = "/v1/sessions/told"
    server.put(path, WORKED)
    key = {"idempotency-key": "solution"}
    first, again = (server.answer("POST", f"{path}/step?format=markdown&digits=7", {}, key) for _ in range(2))
    assert first.status_code == 200 and first.content == again.content
    assert server.get(path)["step"] == 1
    assert server.bytes(f"{path}/steps/1?format=markdown&digits=7") == first.content
    assert server.answer("GET", f"{path}/steps/0?format=markdown").status_code == 406
    # A browser that opens what is no pass sees it as it is.
    opened = server.answer("GET", f"{path}/steps/0", None, BROWSER)
    assert (opened.status_code, opened.json()["step"]) == (200, 0)
    assert server.answer("GET", f"{path}/steps/1", None, BROWSER).headers["content-type"].startswith("text/html")
    assert server.answer("GET", f"{path}/steps/0", None, {"accept": "text/html"}).status_code == 406


BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def test_a_browser_is_refused_with_a_page(server):
    for method, path, body, status, words in (
        ("GET", "/v1/sessions/nobody", None, 404, ("there is no session nobody", "/problems/session_not_found")),
        ("POST", "/v1/explain", {"preset": "worked-example", "<b>&": 1}, 400, ("&lt;b&gt;&amp;", "/problems/unknown_field")),
        ("POST", "/v1/explain", {"preset": "worked-example", "inputs": [[0.5, 0.3]], "targets": [[1, 2]]}, 422, ("/targets", "wrong_shape")),
        ("DELETE", "/v1/presets", None, 405, ("method_not_allowed",)),
    ):
        answer = server.answer(method, path, body, BROWSER)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
        assert all(word in answer.text for word in words), answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"] and "accept" in answer.headers["vary"]
        page = Formulas()
        page.feed(answer.text)
        assert not page.open and "b" not in page.tags
        plain = server.answer(method, path, body, {"accept": "*/*"})
        assert (plain.status_code, plain.headers["content-type"]) == (status, "application/problem+json")
    assert "GET" in server.answer("DELETE", "/v1/presets", None, BROWSER).headers["allow"]


def test_every_code_is_explained_on_a_page(server):
    for code in re.findall(r"^ +- ([a-z_]+)$", server.bytes("/openapi.yaml").decode(), re.M):
        plain = server.answer("GET", f"/problems/{code}")
        if plain.status_code == 404:
            continue
        answer = server.answer("GET", f"/problems/{code}", None, BROWSER)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        page = Formulas()
        page.feed(answer.text)
        assert not page.open
        text = "".join(page.texts)
        assert all(plain.json()[part] in text for part in ("title", "explanation", "remedy")), code
