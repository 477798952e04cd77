"""How the page looks: for axe, for a narrow window, and, as pictures in target/screenshots, for people."""

import pytest

from browser import DESKTOP, PHONE

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
