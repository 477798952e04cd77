"""Grading against an independent trainer that can make every mistake that has a name.

A mistake that was made is named. Whatever else is named gives the same numbers, by the same trainer; whatever gives
the same numbers is named. Right numbers pass, in either sign convention, rounded or not.
"""

import random

import pytest

from conftest import Client
from grade_answers import judge
from grade_cases import KINDS, Scene, grade_case
from grade_claims import CONVENTIONS, PARTS, claim_of
from plain_mistakes import RIGHT, WAYS, Wrong, ways

DECIMALS = [None, 4, 5, 6]
ROUNDS = 2
CLAIMS_EACH = 2


@pytest.fixture(scope="module")
def scenes(server: Client) -> dict[int, Scene]:
    return {index: Scene(server, grade_case(index)) for index in range(ROUNDS * len(KINDS))}


def claims(scene: Scene, wrong: Wrong, draw: random.Random, count: int) -> list[dict]:
    """Parts of a trace at several precisions and in several conventions."""
    drawn = [(draw.choice(list(PARTS)), draw.choice(DECIMALS), draw.choice(CONVENTIONS)) for _ in range(count)]
    found = [claim_of(scene.told_trace(wrong), *each) for each in drawn]
    return [claim for claim in found if claim is not None]


@pytest.mark.parametrize("code", WAYS)
@pytest.mark.parametrize("index", range(ROUNDS * len(KINDS)))
def test_the_mistake_that_was_made_is_named(scenes: dict[int, Scene], index: int, code: str):
    scene, draw = scenes[index], random.Random(f"{code} {index}")
    for wrong in ways(code, scene.network.loss):
        for claim in claims(scene, wrong, draw, CLAIMS_EACH):
            judge(scene, claim, code)


@pytest.mark.parametrize("code", WAYS)
def test_every_mistake_is_made_somewhere(scenes: dict[int, Scene], code: str):
    """In each way, such that something is wrong: or the test above would be an empty one."""
    for wrong in WAYS[code]:
        possible = [scene for scene in scenes.values() if wrong in ways(code, scene.network.loss)]
        every = (claim_of(scene.told_trace(wrong), "all", None, CONVENTIONS[0]) for scene in possible)
        graded = (scene.grade(claim) for scene, claim in zip(possible, every, strict=True))
        assert any(code in [mistake["code"] for mistake in answer["mistakes"]] for answer in graded)


@pytest.mark.parametrize("index", range(ROUNDS * len(KINDS)))
@pytest.mark.parametrize("decimals", [*DECIMALS, 3, 2, 9])
def test_right_numbers_are_right_in_any_convention(scenes: dict[int, Scene], index: int, decimals: int | None):
    scene = scenes[index]
    for convention in CONVENTIONS:
        for part in PARTS:
            claim = claim_of(scene.told_trace(RIGHT), part, decimals, convention)
            if claim is not None:
                assert judge(scene, claim)["verdict"] == "right"
