"""Numbers on the page that have little room, names that they are called by, and what is said of them."""

import pytest

from browser import DESKTOP, PHONE, shown
from test_page_walk import chips, results, session_of, set_weight

LONG = "-0.00012345678"
CUT = "const { scrollWidth, clientWidth } = arguments[0]; return scrollWidth > clientWidth"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_long_number_is_shown_short_and_edited_whole(page, size):
    page.look(size, "light")
    page.open()
    for selector, text in [('[data-key="x0"]', LONG), ('[data-key="y0"]', LONG), ("#walk-rate", "0.00012345678")]:
        page.type(selector, text)
        field = page.one(selector)
        brief = field.get_attribute("value")
        assert brief != text and float(brief) == pytest.approx(float(text), rel=0.2)
        assert not page.run(CUT, field), f"{brief} is not cut off"
        page.run("arguments[0].focus()", field)
        assert field.get_attribute("value") == text, "one digit of it can be changed"
        page.run("arguments[0].blur()", field)
        assert field.get_attribute("value") == brief
    address = page.run("return location.hash")
    assert "session=" not in address, "nothing was changed by that"
    page.press('[data-stage="backward"]')
    set_weight(page, "weights-0-0-0", LONG)
    field = page.one("#weight-value")
    assert not page.run(CUT, field)
    page.run("arguments[0].focus()", field)
    assert field.get_attribute("value") == LONG
    assert page.all('.chip[data-key="weights-0-0-0"] b')


@pytest.mark.parametrize("text", ["-0.9999", "-0.00012345", "123456.7"])
def test_a_value_fits_into_its_circle(page, server, text):
    layers = [{"kind": "dense", "units": 1, "activation": "linear", "bias": False, "weights": [[1]]}]
    name = server.post("/v1/sessions", {"network": {"inputs": 1, "layers": layers}, "loss": "half_squared_error"})["name"]
    page.open(f"#walk?session={name}&x={text}&y=0&stage=forward")
    value, circle = page.run("""const unit = document.querySelector('.overlay .unit');
      return ['text.value', 'circle'].map((part) => unit.querySelector(part).getBoundingClientRect().width)""")
    assert value < circle - 4


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_biases_are_named_and_change_as_weights_do(page, server, size):
    page.look(size, "light")
    page.open("#walk?preset=mazur&stage=backward")
    names = {key: page.text(f'[data-key="{key}"] .name') for key in chips(page) if key.startswith("bias")}
    assert names == {"bias-0-0": "c₁", "bias-0-1": "c₂", "bias-1-0": "d₁", "bias-1-1": "d₂"}
    page.press('[data-stage="update"]')
    digits = 4 if size == DESKTOP else 3
    output, _ = server.get(f"/v1/sessions/{session_of(page)}/steps/1")["update"]["layers"]
    bias = output["parameters"]["bias"]
    for unit, (change, after) in enumerate(zip(bias["change"], bias["after"], strict=True)):
        sign = "" if change < 0 else "+"
        assert page.text(f'[data-key="bias-1-{unit}"] .change') == sign + shown(change, digits)
        assert chips(page)[f"bias-1-{unit}"] == shown(after, digits)


def test_what_was_changed_before_the_first_stage_is_in_the_address(page):
    page.open()
    assert page.run("return location.hash") in ("", "#walk"), "what the preset gives needs no words"
    page.type('[data-key="x0"]', "0.123456789")
    page.type("#walk-rate", "0")
    address = page.run("return location.hash")
    assert "session=" not in address
    page.open(address)
    assert page.one('[data-key="x0"]').get_attribute("title") == "0.123456789"
    assert page.one("#walk-rate").get_attribute("value") == "0"
    assert page.run("return location.hash") == address
    assert results(page) == ["0.1235", "0.3", "1", "0"]


def test_a_path_says_what_it_goes_through(page, server):
    page.open("#walk?preset=mazur&stage=backward")
    page.press('[data-key="weights-0-1-0"]')
    body = {"inputs": [[0.05, 0.1]], "targets": [[0.01, 0.99]], "weight": {"layer": "hidden", "parameter": "weights", "index": [1, 0]}}
    paths = server.post(f"/v1/sessions/{session_of(page)}/chain", body)["paths"]["heaviest"]
    outputs = ["ŷ₁" if path["factors"][0]["unit"] == 0 else "ŷ₂" for path in paths]
    assert f"The heaviest of 2 paths, through {outputs[0]}" in page.text("#walk-inspector")
    told = "; ".join(f"{shown(path['value'])} through {output}" for path, output in zip(paths, outputs, strict=True))
    assert f"Paths, heaviest first: {told}." in page.text("#walk-inspector")
    first = outputs[0][1]
    rows = [[cell.text for cell in row.find_elements("css selector", "th, td")][:2] for row in page.all(".factors tbody tr")]
    assert rows == [
        [f"∂E/∂ŷ{first}", f"ŷ{first} − y{first}"], [f"∂ŷ{first}/∂b{first}", f"ŷ{first}·(1 − ŷ{first})"], [f"∂b{first}/∂h₁", f"v₁{first}"],
        ["∂h₁/∂a₁", "h₁·(1 − h₁)"], ["∂a₁/∂w₂₁", "x₂"],
    ]
    page.press('[data-key="bias-1-0"]')
    assert page.all(".factors tbody tr")[-1].text.startswith("∂b₁/∂d₁ 1 ")


@pytest.mark.parametrize(("query", "told"), [("y=foo", "not “foo”, but 1 number."), ("x=foo", "but 2 numbers with commas between them.")])
def test_one_number_is_not_called_numbers(page, query, told):
    page.open(f"#walk?{query}")
    assert page.text("#walk-notice").endswith(told)


def test_a_view_that_is_loading_says_so_and_cannot_be_pressed(page):
    page.open("#telephone")
    page.run("""const { fetch } = window;
      const held = new Promise((resolve) => { window.release = () => { window.fetch = fetch; resolve() } });
      window.fetch = (...asked) => held.then(() => fetch(...asked));
      location.hash = '#walk?preset=mazur'""")
    page.wait(lambda: page.one("#loading").is_displayed())
    assert page.text("#loading") == "Loading …"
    assert page.run("return document.getElementById('view-walk').inert") and not page.one("#walk-next").is_displayed()
    page.run("window.release()")
    page.wait(lambda: page.one("#walk-next").is_displayed())
    assert not page.one("#loading").is_displayed()
    assert not page.run("return document.getElementById('view-walk').inert")
    page.idle()


def test_shares_stay_in_their_card(page):
    page.open("#walk?x=-0.00012345678,0.3&y=0.25&stage=backward")
    page.press('[data-key="weights-0-0-0"]')
    assert "−0.008" in page.text(".shares"), "a number below zero with as many digits as there are"
    rights = page.run("return [...document.querySelectorAll('.shares .number, .inspector-body')].map((one) => one.getBoundingClientRect().right)")
    assert max(rights) <= rights[0] + 0.5


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_weights_do_not_touch_what_they_join(page, size):
    page.look(size, "light")
    page.open("#walk?preset=mazur&stage=backward")
    left, chip, right = page.run("""const seen = (found) => found.getBoundingClientRect(), one = (selector) => seen(document.querySelector(selector));
      return [one('[data-key="x0"]').right, [one('[data-key="weights-0-0-0"]').left, one('[data-key="weights-0-0-0"]').right], one('.unit circle').left]""")
    assert left + 2 <= chip[0] and chip[1] + 2 <= right
