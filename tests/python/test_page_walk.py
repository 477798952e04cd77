"""One step by hand on the page: every number is read off the screen and compared with the API's own answer."""

import json
import re
import subprocess

import pytest

from browser import number, shown

EXAMPLE = {"inputs": [[0.5, 0.3]], "targets": [[1.0]]}


@pytest.fixture
def expected(server):
    """The same step, asked for without the page."""
    return server.post("/v1/explain", {"preset": "worked-example"})


def network(page) -> str:
    """What stands on the picture, its texts joined."""
    return " | ".join(element.get_attribute("textContent") for element in page.all("#walk-network text"))


def chips(page) -> dict[str, str]:
    """The number on each weight's label, by the label's key."""
    return {chip.get_attribute("data-key"): chip.find_element("css selector", "b").text for chip in page.all("button.chip")}


def weights(layers, gap: int) -> dict[str, float]:
    rows = layers[gap]["weights"]
    return {f"weights-{gap}-{i}-{j}": value for i, row in enumerate(rows) for j, value in enumerate(row)}


def results(page) -> list[str]:
    """What comes out of each formula."""
    return [element.text for element in page.all("#walk-formulas .result b")]


def session_of(page) -> str:
    return re.search(r"session=([a-z0-9.-]+)", page.driver.current_url)[1]


def look_back(page, step: int) -> None:
    page.run(f"const s = document.getElementById('walk-scrub'); s.value = {step}; s.dispatchEvent(new Event('change'))")
    page.idle()


def set_weight(page, key: str, text: str) -> None:
    page.press(f'[data-key="{key}"]')
    page.press(f'[data-key="{key}"]')
    page.type("input.editing", text)


def test_it_stands_there_ready(page, server):
    before = len(server.get("/v1/sessions?limit=1000")["sessions"])
    page.open()
    assert chips(page) == {"weights-0-0-0": "0.4", "weights-0-0-1": "0.3", "weights-0-1-0": "0.2", "weights-0-1-1": "0.5",
                           "weights-1-0-0": "0.6", "weights-1-1-0": "0.4"}
    assert [page.one(f'[data-key="{key}"]').get_attribute("value") for key in ("x0", "x1", "y0")] == ["0.5", "0.3", "1"]
    assert page.one("#walk-next").text == "1 Forward: what does it answer?"
    sessions = server.get("/v1/sessions?limit=1000")["sessions"]
    assert len(sessions) <= before, "a visitor who only looks leaves no session behind"


def test_the_four_stages_show_the_api_s_numbers(page, server, expected):
    page.open()
    hidden, output = expected["forward"]["layers"]
    page.press("#walk-next")
    forward = network(page)
    for text in ("a₁ = ", "a₂ = "):
        at = ["a₁ = ", "a₂ = "].index(text)
        assert f"{text}{shown(hidden['pre_activations'][0][at])}" in forward
    for value in [*hidden["outputs"][0], *output["outputs"][0]]:
        assert shown(value) in forward
    assert shown(expected["loss"]["value"]) not in forward, "the error comes later"
    page.press("#walk-next")
    assert f"E = {shown(expected['loss']['value'])}" in network(page)
    assert results(page) == [shown(expected["loss"]["value"])]
    page.press("#walk-next")
    above, below = expected["backward"]["layers"]
    backward = network(page)
    assert f"δ = {shown(above['deltas'][0][0])}" in backward
    for at, delta in enumerate(below["deltas"][0]):
        assert f"δₕ{'₁₂'[at]} = {shown(delta)}" in backward
    pairs = [(above["errors"][0][0], above["deltas"][0][0]), *zip(below["errors"][0], below["deltas"][0], strict=True)]
    assert results(page) == [shown(value) for pair in pairs for value in pair]
    page.press("#walk-next")
    changed = expected["update"]["layers"]
    after = {f"weights-{1 - at}-{i}-{j}": shown(value) for at, layer in enumerate(changed)
             for i, row in enumerate(layer["parameters"]["weights"]["after"]) for j, value in enumerate(row)}
    assert chips(page) == after
    assert shown(expected["update"]["loss_after"]) in page.text("#walk-told")
    recalled = server.get(f"/v1/sessions/{session_of(page)}/steps/1")
    assert recalled["update"] == expected["update"], "what the page did is what the API does"


def test_the_curl_does_the_same(page, server):
    page.open()
    page.press("#walk-next")
    page.press('[data-stage="backward"]')
    command = page.text("#curl-text")
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    answer = json.loads(done.stdout)
    assert answer["backward"] == server.post(f"/v1/sessions/{session_of(page)}/backward", EXAMPLE)["backward"]
    page.press("#curl-more")
    listed = [element.text for element in page.all("#curl-list summary code")]
    assert [line.split("/")[-1] for line in listed[:3]] == ["backward", "forward", "sessions"], listed


def test_the_worked_solution_stands_beside_it(page, server):
    page.open()
    assert not page.one("#walk-solution").is_displayed(), "nothing is worked out yet"
    page.press('[data-stage="error"]')
    page.press("#walk-solution summary")
    page.wait(lambda: page.all("#walk-solution-text math"))

    def headings():
        return [heading.text for heading in page.all("#walk-solution-text h2")]

    assert headings() == ["The network", "Forward pass", "Error"]
    page.press('[data-stage="update"]')
    page.wait(lambda: headings()[-1:] == ["The key observation"])
    step = server.get(f"/v1/sessions/{session_of(page)}/steps/1")
    numbers = {float(element.text) for element in page.all("#walk-solution-text mn")}
    for layer in step["update"]["layers"]:
        for row in layer["parameters"]["weights"]["after"]:
            assert {float(f"{value:.4g}") for value in row} <= numbers
    written = {element.text for element in page.all("#walk-solution-text mn")}
    assert set(results(page)) <= written, "both write a number with the same digits"
    href = page.one("#walk-solution-text a").get_attribute("href")
    assert server.answer("GET", href.removeprefix(page.base_url)).headers["content-type"].startswith("text/html")


def test_a_weight_shows_its_chain_and_its_blame(page, server):
    page.open()
    page.press('[data-stage="backward"]')
    page.press('[data-key="weights-1-1-0"]')
    path = f"/v1/sessions/{session_of(page)}"
    weight = {"layer": "output", "parameter": "weights", "index": [1, 0]}
    chain = server.post(f"{path}/chain", {**EXAMPLE, "weight": weight})
    [heaviest] = chain["paths"]["heaviest"]
    rows = [[cell.text for cell in row.find_elements("css selector", "th, td")] for row in page.all(".factors tbody tr")]
    called = [("∂E/∂ŷ", "ŷ − y"), ("∂ŷ/∂b", "ŷ·(1 − ŷ)"), ("∂b/∂v₂", "h₂")]
    assert rows == [[*names, shown(one["value"]), shown(one["running"])] for names, one in zip(called, heaviest["factors"], strict=True)]
    assert shown(chain["gradient"]) in page.text("p.sum")
    units = server.post(f"{path}/blame", EXAMPLE)["layers"][1]["units"]
    own = page.all(".shares .own .number")
    assert number(own[2].text.removesuffix(" %")) == pytest.approx(100 * units[1]["received"][0]["share"], rel=5e-3)
    assert own[3].text == shown(units[1]["received"][0]["term"])


def test_numbers_are_edited_in_place(page, server):
    page.open()
    page.press('[data-stage="error"]')
    page.press('[data-key="weights-0-0-0"]')
    page.press('[data-key="weights-0-0-0"]')
    page.type("input.editing", "0.9")
    path = f"/v1/sessions/{session_of(page)}"
    page.wait(lambda: chips(page).get("weights-0-0-0") == "0.9")
    assert server.get(f"{path}/weights")["layers"][0]["parameters"]["weights"] == [[0.9, 0.3], [0.2, 0.5]]
    page.type('[data-key="x1"]', "-2,5")
    page.type('[data-key="y0"]', "0.25")
    trace = server.post(f"{path}/forward", {"inputs": [[0.5, -2.5]], "targets": [[0.25]]})
    assert f"E = {shown(trace['loss']['value'])}" in network(page)
    assert shown(trace["forward"]["outputs"][0][0]) in network(page)
    page.type("#walk-rate", "2")
    page.press('[data-stage="update"]')
    step = server.get(f"{path}/steps/2")
    assert step["update"]["optimizer"]["learning_rate"] == 2
    assert chips(page)["weights-1-0-0"] == shown(step["update"]["layers"][0]["parameters"]["weights"]["after"][0][0])


def test_any_past_step_comes_back(page, server):
    page.open()
    page.press("#walk-ten")
    page.press("#walk-ten")
    path = f"/v1/sessions/{session_of(page)}"
    look_back(page, 7)
    seventh = server.get(f"{path}/steps/7")
    assert shown(seventh["loss"]["value"]) in page.text("#walk-step")
    assert chips(page)["weights-1-0-0"] == shown(seventh["update"]["layers"][0]["parameters"]["weights"]["after"][0][0])
    page.press("#walk-rewind")
    assert server.get(path)["step"] == 21
    assert chips(page)["weights-1-0-0"] == shown(seventh["update"]["layers"][0]["parameters"]["weights"]["after"][0][0])


def test_an_address_is_shared_and_goes_on_in_a_copy(page, server):
    page.open()
    page.press('[data-stage="update"]')
    address, mine = page.driver.current_url, session_of(page)
    picture = network(page)
    page.run("sessionStorage.clear()")
    page.open(address.removeprefix(f"{page.base_url}/"))
    assert network(page) == picture, "whoever opens the address sees the same"
    page.press("#walk-next")
    page.press('[data-stage="update"]')
    assert session_of(page) != mine
    assert server.get(f"/v1/sessions/{mine}")["step"] == 1, "another's session is not changed"


def test_it_is_walked_by_keyboard(page):
    page.open()
    page.one("#walk-next").send_keys("\n")
    page.idle()
    assert page.one('[data-stage="forward"]').get_attribute("aria-current") == "step"
    page.one('[data-key="weights-0-1-0"]').send_keys("\n")
    page.idle()
    assert page.run("return document.activeElement.dataset.key") == "weights-0-1-0", "the focus stays where it was"
    page.one('[data-key="weights-0-1-0"]').send_keys("\n")
    page.idle()
    assert page.run("return document.activeElement.tagName") == "INPUT"


def test_a_weight_of_the_past_is_set_in_the_past(page, server):
    page.open()
    page.press("#walk-ten")
    look_back(page, 4)
    set_weight(page, "weights-0-0-0", "0.9")
    path = f"/v1/sessions/{session_of(page)}"
    expected = [layer["parameters"]["weights"]["after"] for layer in reversed(server.get(f"{path}/steps/4")["update"]["layers"])]
    expected[0][0][0] = 0.9
    assert [layer["parameters"]["weights"] for layer in server.get(f"{path}/weights")["layers"]] == expected
    assert "those of step 4" in page.text("#walk-notice")
    assert [entry["kind"] for entry in server.get(f"{path}/steps?after=10")["steps"]] == ["rewind", "weights"]
    assert chips(page)["weights-0-0-0"] == "0.9" and chips(page)["weights-1-0-0"] == shown(expected[1][0][0])


def test_a_weight_from_before_the_update_is_set_before_it(page, server):
    page.open()
    page.press('[data-stage="update"]')
    page.press('[data-stage="backward"]')
    set_weight(page, "weights-0-0-0", "0.9")
    path = f"/v1/sessions/{session_of(page)}"
    weights = [layer["parameters"]["weights"] for layer in server.get(f"{path}/weights")["layers"]]
    assert weights == [[[0.9, 0.3], [0.2, 0.5]], [[0.6], [0.4]]], "what was seen, and nothing of the step after it"


def test_what_is_done_while_looking_back_is_done_now(page, server):
    page.open()
    page.press("#walk-ten")
    look_back(page, 0)
    assert chips(page)["weights-0-0-0"] == "0.4"
    page.press('[data-stage="forward"]')
    path = f"/v1/sessions/{session_of(page)}"
    assert chips(page)["weights-0-0-0"] == shown(server.get(f"{path}/weights")["layers"][0]["parameters"]["weights"][0][0])
    assert page.text("#walk-step").startswith("step 10")


def test_a_chosen_weight_comes_into_view(page):
    page.open()
    page.press('[data-stage="backward"]')
    page.press('[data-key="weights-0-0-0"]')
    top, bottom, bar = page.run("""const seen = (id) => document.getElementById(id).getBoundingClientRect();
      return [seen('walk-inspector').top, seen('walk-inspector').bottom, seen('curl').top]""")
    assert 0 <= top and bottom <= bar


def test_the_curl_is_that_of_the_action(page, server):
    page.open()
    assert page.text("#curl-text") == f"curl -s {page.base_url}/v1/presets/worked-example"
    page.press('[data-stage="backward"]')
    set_weight(page, "weights-0-0-0", "0.9")
    path = f"/v1/sessions/{session_of(page)}"
    assert page.text("#curl-text").startswith(f"curl -s -X PUT {page.base_url}{path}/weights/hidden --json ")
    page.press("#walk-ten")
    command = page.text("#curl-text")
    assert command.startswith(f"for i in $(seq 10); do curl -s {page.base_url}{path}/step --json ")
    subprocess.run(["sh", "-c", command], capture_output=True, check=True, timeout=60)
    assert server.get(path)["step"] == 21


def test_a_long_session_is_walked_at_its_end(page, server):
    name = server.post("/v1/sessions", {"preset": "worked-example"})["name"]
    server.post(f"/v1/sessions/{name}/train", {**EXAMPLE, "steps": 12_000})
    page.open(f"#walk?session={name}")
    assert page.one("#walk-scrub").get_attribute("max") == "12000"
    assert page.text("#walk-step").startswith("step 12000: loss ")
    layers = server.get(f"/v1/sessions/{name}/weights")["layers"]
    assert chips(page)["weights-1-0-0"] == shown(layers[1]["parameters"]["weights"][0][0])
    look_back(page, 5000)
    step = server.get(f"/v1/sessions/{name}/steps/5000?trace=full")
    assert chips(page)["weights-1-0-0"] == shown(step["update"]["layers"][0]["parameters"]["weights"]["after"][0][0])
    assert shown(step["loss"]["value"]) in page.text("#walk-step")


def test_what_is_no_number_is_told_and_not_sent(page, server):
    page.open()
    page.press('[data-stage="error"]')
    path = f"/v1/sessions/{session_of(page)}"
    for selector, message, text in [
        ("#walk-rate", "#walk-rate-field .wrong", "foo"), ("#walk-rate", "#walk-rate-field .wrong", "1e999"),
        ('[data-key="x0"]', '.pebble:has([data-key="x0"]) .wrong', "abc"),
        ('[data-key="y0"]', '.pebble:has([data-key="y0"]) .wrong', "one"),
    ]:
        page.type(selector, text)
        assert "but a number" in page.text(message)
        page.press("#walk-ten")
        assert server.get(path)["step"] == 0, "nothing is learned with a number that is none"
        page.type(selector, "0.5")
        assert page.text(message) == ""
    page.press('[data-key="weights-0-0-0"]')
    page.press('[data-key="weights-0-0-0"]')
    page.type("input.editing", "abc")
    assert "not “abc”, but a number" in page.text(".typing .wrong")
    page.press("#walk-ten")
    page.type("input.editing", "0.7")
    assert server.get(path)["step"] == 1 and chips(page)["weights-0-0-0"] == "0.7"


@pytest.mark.parametrize(("query", "told"), [
    ("at=77", "not “77”, but a step of a session"), ("stage=sideways", "one of forward, error, backward, update"),
    ("x=1,2,3", "2 numbers with commas"), ("rate=fast", "not below zero"), ("preset=nothing", "one of worked-example,"),
    ("preset=telephone", "too many units to be walked by hand"),
])
def test_an_address_that_cannot_be_says_so(page, query, told):
    page.open(f"#walk?{query}")
    assert told in page.text("#walk-notice")


def test_a_session_that_is_gone_or_cannot_be_walked_says_so(page, server):
    before = len(server.get("/v1/sessions?limit=1000")["sessions"])
    page.open("#walk?session=nonono&stage=forward")
    assert "nonono is not here any more" in page.text("#walk-notice")
    assert len(server.get("/v1/sessions?limit=1000")["sessions"]) == before, "nothing is made in its place"
    [complaint] = page.driver.get_log("browser")
    assert "404" in complaint["message"]
    layers = [{"kind": "dense", "units": 4}, {"kind": "batch_norm"}, {"kind": "dense", "units": 2}]
    spec = {"network": {"inputs": 3, "layers": layers}, "loss": "mean_squared_error"}
    name = server.post("/v1/sessions", {**spec, "optimizer": {"kind": "sgd", "learning_rate": 0.5}})["name"]
    page.open(f"#walk?session={name}")
    assert "has layers other than dense ones" in page.text("#walk-notice")
    assert page.one("#walk-notice a").get_attribute("href").endswith(f"#play?session={name}")
    page.press("#walk-next")
    assert page.one('[data-stage="forward"]').get_attribute("aria-current") == "step", "what is shown instead can be walked"


def test_labels_keep_clear_of_each_other_and_of_the_crossing(page):
    page.open()
    boxes = {chip.get_attribute("data-key"): chip.rect for chip in page.all("button.chip")}
    crossing = page.run("""const seen = (key) => document.querySelector(`[data-key="${key}"]`).getBoundingClientRect();
      const [first, second] = [seen('weights-0-0-0'), seen('weights-0-1-1')];
      return { x: scrollX + (first.left + first.right) / 2, y: scrollY + (first.top + second.bottom) / 2 }""")
    for key, box in boxes.items():
        right, bottom = box["x"] + box["width"], box["y"] + box["height"]
        assert not (box["x"] < crossing["x"] < right and box["y"] < crossing["y"] < bottom), key
        for other, there in boxes.items():
            aside = there["x"] >= right + 4 or there["y"] >= bottom + 4 or there["x"] + there["width"] + 4 <= box["x"]
            assert key == other or aside or there["y"] + there["height"] + 4 <= box["y"], (key, other)


def test_after_an_update_a_weight_is_typed_over_as_it_is_now(page, server):
    page.open("#walk?stage=update")
    page.press('[data-key="weights-0-0-0"]')
    page.press('[data-key="weights-0-0-0"]')
    path = f"/v1/sessions/{session_of(page)}"
    [first, _] = server.get(f"{path}/weights")["layers"]
    assert float(page.one("input.editing").get_attribute("value")) == first["parameters"]["weights"][0][0]
    page.type("input.editing", "0.4")
    [first, _] = server.get(f"{path}/weights")["layers"]
    assert first["parameters"]["weights"][0][0] == 0.4, "what it was before can be set again"


def test_a_softmax_is_told_as_the_trace_has_it(page, server):
    layers = [{"kind": "dense", "units": 3, "activation": "softmax"}]
    spec = {"network": {"inputs": 2, "layers": layers}, "loss": "cross_entropy", "seed": 3}
    name = server.post("/v1/sessions", spec)["name"]
    page.open(f"#walk?session={name}&x=0.5,-1&y=0,1,0&stage=backward")
    trace = server.post(f"/v1/sessions/{name}/backward", {"inputs": [[0.5, -1]], "targets": [[0, 1, 0]]})
    [last] = trace["backward"]["layers"]
    lines = [line.text.split("\n") for line in page.all("#walk-formulas .line")]
    outputs, errors, deltas = trace["forward"]["outputs"][0], last["errors"][0], last["deltas"][0]
    parts = zip(lines[1::2], outputs, errors, deltas, strict=True)
    for line, output, error, delta in parts:
        text = " ".join(line)
        found = [number(text) for text in re.findall(r"(?<![₀-₉])−?\d+(?:\.\d+)?(?:e−?\d+)?", text.split("= ", 2)[2])]
        assert found[0] == number(shown(output)) and found[-1] == number(shown(delta))
        # The formula with these numbers put in is what stands at its end.
        [own, *sums] = found[1:-1]
        assert own == number(shown(error))
        total = sum(a * b for a, b in zip(sums[::2], sums[1::2], strict=True))
        assert abs(found[0] * (own - total) - found[-1]) < 1e-3 * max(1, abs(delta))
