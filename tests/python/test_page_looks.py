"""How the page looks: for axe, for a narrow window, and, as pictures in target/screenshots, for people."""

from itertools import combinations

import pytest

from browser import DESKTOP, PHONE

SMALL_PHONE = (320, 640)
STAGES = ("ready", "forward", "error", "backward", "update")

TRAINED = "#play?data=own&points=0,0,0;0,1,1;1,0,1;1,1,0&layers=4.tanh"
CURED = "#telephone?depth=40&cures=relu,residual,batch_norm"


def walk(page):
    page.open()
    yield "ready"
    for stage in ("forward", "error", "backward"):
        page.press(f'[data-stage="{stage}"]')
        yield stage
    page.press('[data-key="weights-1-0-0"]')
    yield "weight"
    page.press('[data-stage="update"]')
    yield "update"
    page.press("#walk-solution summary")
    page.wait(lambda: page.all("#walk-solution-text math"))
    yield "solution"


def mistakes(page):
    page.open("#walk?stage=backward&at=77")
    page.type('[data-key="x0"]', "abc")
    page.type("#walk-rate", "foo")
    page.press('[data-key="weights-1-0-0"]')
    page.press('[data-key="weights-1-0-0"]')
    page.type("input.editing", "two")
    yield "walk"
    page.open("#play?data=foo&layers=4.tanh")
    page.type('[data-key="units-0"]', "100000")
    page.type('[data-key="rate"]', "1e999")
    yield "play"


def mazur(page):
    page.open("#walk?preset=mazur&stage=backward")
    page.press('[data-key="weights-0-0-0"]')
    page.press("#walk-ten")
    yield "ten"


def play(page):
    page.open(TRAINED)
    for _ in range(2):
        page.press("#play-step")
    yield "steps"


def digits(page):
    page.open("#play?data=digits&layers=32.relu")
    page.press("#play-step")
    yield "steps"


def deep(page):
    page.open("#play?preset=telephone-batch-norm")
    page.press("#play-step")
    yield "steps"


def telephone(page):
    page.open(CURED)
    page.wait(lambda: len(page.all("#telephone-charts section")) == 4)
    yield "cured"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("view", [walk, mistakes, mazur, play, digits, deep, telephone])
def test_it_can_be_seen_by_everybody(page, view, size, scheme):
    page.look(size, scheme)
    for state in view(page):
        page.look(size, scheme)
        page.screenshot(f"{view.__name__}-{state}-{'desktop' if size == DESKTOP else 'phone'}-{scheme}")
        page.assert_fits()
        page.assert_accessible()


WRITTEN = """
    const units = [...document.querySelectorAll(".overlay .unit")];
    return [...document.querySelectorAll(".overlay :is(.chip, .pebble, svg text, circle)")].map((element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return { unit: units.indexOf(element.closest(".unit")), text: element.textContent, left, top, right, bottom };
    });"""


def in_its_unit(one, other):
    """Whether the two are a unit's circle, which has no text, and a text of that unit."""
    return one["unit"] == other["unit"] != -1 and "" in (one["text"], other["text"])


def covered(page):
    """Pairs of what is written on the network that lie on each other by more than a pixel."""
    return [
        (one["text"], other["text"])
        for one, other in combinations(page.run(WRITTEN), 2)
        if not in_its_unit(one, other)
        and min(one["right"], other["right"]) - max(one["left"], other["left"]) > 1
        and min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) > 1
    ]


def dense(units, activation="tanh", **more):
    return {"kind": "dense", "units": units, "activation": activation, "bias": True, **more}


NETWORKS = {
    "worked-example": None,
    "mazur": None,
    "two-hidden": (2, [dense(2, "relu", bias=False), dense(2, "silu"), dense(1, "sigmoid")], "binary_cross_entropy"),
    "two-outputs": (3, [dense(2), dense(2), dense(2)], "half_squared_error"),
    "eight-hidden": (4, [dense(8), dense(3, "softmax")], "cross_entropy"),
}


@pytest.mark.parametrize("size", [DESKTOP, PHONE, SMALL_PHONE], ids=["desktop", "phone", "small-phone"])
@pytest.mark.parametrize("network", NETWORKS)
def test_no_number_of_a_network_lies_on_another(page, server, network, size):
    page.look(size, "light")
    what = f"preset={network}"
    if NETWORKS[network]:
        inputs, layers, loss = NETWORKS[network]
        body = {"network": {"inputs": inputs, "layers": layers}, "loss": loss, "seed": 7}
        what = f"session={server.post('/v1/sessions', body)['name']}"
    for stage in STAGES:
        page.open(f"#walk?{what}&stage={stage}")
        assert covered(page) == [], stage
        labels = page.all('[data-key="weights-1-0-0"]')
        assert bool(labels) == (network != "eight-hidden")
        if labels:
            page.press('[data-key="weights-1-0-0"]')
            assert covered(page) == [], f"{stage}, a weight chosen"
    if not NETWORKS[network] and size != SMALL_PHONE:
        wide, room = page.run("const box = document.getElementById('walk-network'); return [box.scrollWidth, box.clientWidth]")
        assert wide <= room, "the presets that are walked fit, a phone included"
