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
    assert rows == [[one["name"], one["formula"], shown(one["value"]), shown(one["running"])] for one in heaviest["factors"]]
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
    page.run("const s = document.getElementById('walk-scrub'); s.value = 7; s.dispatchEvent(new Event('change'))")
    page.idle()
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
