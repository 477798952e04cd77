"""The past on the page: the curve of a long session, a look at an earlier step and back, and what goes on from there."""

import pytest

from browser import number, shown
from test_page_walk import chips, look_back, network, session_of

XOR = {"inputs": [[0, 0], [0, 1], [1, 0], [1, 1]], "targets": [[0], [1], [1], [0]]}


def trained(server, *runs: int) -> str:
    """The name of a session that learned the four corners in so many runs of so many steps."""
    layers = [{"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1, "activation": "sigmoid"}]
    spec = {"network": {"inputs": 2, "layers": layers}, "loss": "binary_cross_entropy", "seed": 7}
    name = server.post("/v1/sessions", {**spec, "optimizer": {"kind": "sgd", "learning_rate": 0.5}})["name"]
    for steps in runs:
        server.post(f"/v1/sessions/{name}/train", {**XOR, "steps": steps, "batch_size": 4})
    return name


def curve(page, box: str) -> list[tuple[float, float]]:
    points = page.one(f"{box} polyline").get_attribute("points").split()
    return [(float(x), float(y)) for x, y in (point.split(",") for point in points)]


def fields(page) -> list[str]:
    """The numbers that go in, as whoever types there finds them."""
    script = "const field = document.querySelector(arguments[0]); field.focus(); const { value } = field; field.blur(); return value"
    return [page.run(script, selector) for selector in ('[data-key="x0"]', '[data-key="x1"]', '[data-key="y0"]', "#walk-rate")]


def set_fields(page, *texts: str) -> None:
    for selector, text in zip(('[data-key="x0"]', '[data-key="x1"]', '[data-key="y0"]', "#walk-rate"), texts, strict=True):
        page.type(selector, text)


def current(page) -> str:
    return page.one('#walk-stages [aria-current="step"]').get_attribute("data-stage")


def test_the_curve_of_a_long_session_has_the_part_where_it_learned(page, server):
    name = trained(server, 1500, 3000)
    page.open(f"#walk?session={name}&x=0,0&y=0&rate=0.5")
    points = curve(page, "#walk-curve")
    (start, _), (end, _) = points[0], points[-1]
    axis = float(page.all("#walk-curve .axis")[1].get_attribute("x1"))
    assert start == axis, "it begins at the first step"
    assert f"from {shown(server.get(f'/v1/sessions/{name}/steps/1')['loss']['value'])} at step 1 to" in label(page, "#walk-curve")
    early = [x for x, _ in points if x <= start + (end - start) * 1000 / 4500]
    assert max(later - x for x, later in zip(early, early[1:], strict=False)) < 5, "no stretch of it is a straight line between two steps"


def label(page, box: str) -> str:
    return page.one(f"{box} svg").get_attribute("aria-label")


def test_a_run_that_is_not_made_in_portions_is_drawn_from_its_first_step(page, server):
    page.open("#play?data=digits&layers=32.relu")
    page.press("#play-train")
    page.wait(lambda: number(page.run("return /after ([0-9]+) steps/.exec(document.getElementById('play-loss').textContent)?.[1]") or "0") > 100)
    page.press("#play-train")
    page.wait(lambda: page.one("#play-train").text == "Go on")
    page.idle()
    path = f"/v1/sessions/{session_of(page)}"
    assert server.get(f"{path}/train")["state"] in ("cancelled", "done")
    first = server.get(f"{path}/steps?after=0&limit=1")["steps"][0]["loss"]
    assert f"from {shown(first)} at step 1 to" in label(page, "#play-curve")
    points = curve(page, "#play-curve")
    assert len([x for x, _ in points if x < points[0][0] + (points[-1][0] - points[0][0]) / 2]) >= 4, "so is the fall from there"


def test_a_branch_goes_on_with_what_is_shown(page, server):
    page.open()
    page.press("#walk-ten")
    page.press("#walk-next")
    set_fields(page, "0.123456789", "-2", "0.25", "0.75")
    page.press('[data-stage="backward"]')
    left, picture, numbers = session_of(page), network(page), fields(page)
    page.press("#walk-branch")
    assert session_of(page) != left and left in page.text("#walk-notice")
    assert network(page) == picture and fields(page) == numbers and current(page) == "backward"
    assert server.get(f"/v1/sessions/{session_of(page)}")["step"] == 10
    assert page.text("#curl-text").endswith("""/fork --json '{"at":10}'""")


def test_a_branch_of_the_past_goes_on_with_what_is_shown(page, server):
    page.open()
    page.press("#walk-ten")
    look_back(page, 4)
    page.press('[data-stage="error"]')
    picture, labels = network(page), chips(page)
    page.press("#walk-branch")
    assert network(page) == picture and chips(page) == labels and current(page) == "error"
    assert server.get(f"/v1/sessions/{session_of(page)}")["step"] == 4


def test_now_is_found_again_as_it_was_left(page):
    page.open()
    page.press("#walk-ten")
    page.press("#walk-next")
    set_fields(page, "0.123456789", "-2", "0.25", "0.75")
    page.press('[data-stage="backward"]')
    address, picture, numbers = page.run("return location.hash"), network(page), fields(page)
    look_back(page, 3)
    look_back(page, 0)
    assert fields(page) == numbers, "what has no numbers of its own is shown with those"
    look_back(page, 7)
    assert fields(page) == ["0.5", "0.3", "1", "0.5"]
    page.press("#walk-now")
    assert network(page) == picture and fields(page) == numbers and current(page) == "backward"
    assert page.run("return location.hash") == address


@pytest.mark.parametrize(("step", "button", "learned"), [(4, "#walk-ten", 10), (0, "#walk-ten", 10), (0, '[data-stage="update"]', 1)])
def test_what_is_learned_from_the_past_goes_on_from_there(page, server, step, button, learned):
    page.open()
    page.press("#walk-ten")
    look_back(page, step)
    page.press(button)
    assert f"looking at step {step}" in page.text("#walk-notice")
    path = f"/v1/sessions/{session_of(page)}"
    entries = server.get(f"{path}/steps?after=10")["steps"]
    assert [entry["kind"] for entry in entries] == ["rewind", *["step"] * learned]
    assert entries[0]["asked"]["to"] == step
    first = server.get(f"{path}/steps/12")
    assert first["loss"]["value"] == server.get(f"{path}/steps/{step + 1}")["loss"]["value"], "it goes the same way again"
    assert current(page) == "update" and page.text("#walk-step").startswith(f"step {11 + learned}:")


def test_what_is_computed_from_the_past_says_that_it_is_done_now(page):
    page.open()
    page.press("#walk-ten")
    look_back(page, 4)
    page.press("#walk-next")
    assert "as it is now" in page.text("#walk-notice")
    assert page.text("#walk-step").startswith("step 10")
