"""Grading against an independent trainer that can make every mistake that has a name.

A mistake that was made is named. Whatever else is named gives the same numbers, by the same trainer; whatever gives
the same numbers is named. Right numbers pass, in either sign convention, rounded or not.

Networks are drawn from GRADE_SEED, and there are GRADE_CASES of them: more of them, or others, find more.
"""

import os
import random

import pytest

from conftest import Client
from grade_answers import judge
from grade_cases import Scene
from grade_claims import CONVENTIONS, PARTS, claim_of
from grade_networks import ENDINGS, FORMS, OPTIMIZERS, GradeCase, grade_case
from networks import FITTING, LAYER_KINDS
from plain_mistakes import RIGHT, WAYS, Wrong, ways
from plain_parts import layers_of_outputs

DECIMALS = [None, 4, 5, 6]
SEED, CASES = os.environ.get("GRADE_SEED", "0"), int(os.environ.get("GRADE_CASES", "36"))
CLAIMS_EACH = 2


@pytest.fixture(scope="module")
def scenes(server: Client) -> dict[int, Scene]:
    return {index: Scene(server, grade_case(SEED, index)) for index in range(CASES)}


def claims(scene: Scene, wrong: Wrong, draw: random.Random, count: int) -> list[dict]:
    """Parts of a trace at several precisions and in several conventions."""
    drawn = [(draw.choice(list(PARTS)), draw.choice(DECIMALS), draw.choice(CONVENTIONS)) for _ in range(count)]
    found = [claim_of(scene.told_trace(wrong), *each) for each in drawn]
    return [claim for claim in found if claim is not None]


def traits(case: GradeCase) -> set[str]:
    """What is special about a network and its batch."""
    found = {case.body["mode"], case.network.loss, case.network.optimizer["kind"], *case.network.optimizer}
    found |= {"one example"} if len(case.batch.inputs) == 1 else set()
    blocks = [layer for layer in case.layers if layer.kind == "residual"]
    stacks = [case.network.layers, *(block.layers for block in blocks)]
    for layer in case.layers:
        found |= {layer.kind, *map(str, layer.settings.values())}
    for below, above in [pair for stack in stacks for pair in zip(stack, stack[1:], strict=False)]:
        is_linear = below.settings.get("activation", "linear") == "linear"
        found |= {f"{above.kind} on {what}" for what in (below.kind, "a linear one" if is_linear else "a slope")}
    for block in blocks:
        found |= {f"{inner.kind} in a block" for inner in block.layers}
        found |= {"a block of the outputs"} if block.name in layers_of_outputs(case.network.layers) else set()
    return found


def test_the_networks_leave_nothing_out():
    assert CASES >= max(len(FORMS), len(ENDINGS), len(OPTIMIZERS))
    expected = {*LAYER_KINDS, *FITTING, *{loss for losses in FITTING.values() for loss in losses}}
    expected |= {"sgd", "rmsprop", "adam", "adamw", "adagrad", "momentum", "nesterov", "weight_decay", "clip_norm"}
    expected |= {"train", "eval", "identity", "projection", "one example", "a block of the outputs"}
    expected |= {f"{kind} in a block" for kind in LAYER_KINDS}
    # Where the activation of a linear dense layer is another one, or there is none.
    norms = ("batch_norm", "layer_norm")
    expected |= {f"activation on {kind}" for kind in ("dense", "dropout", "residual", *norms)}
    expected |= {f"{kind} on {below}" for kind in norms for below in ("a linear one", "a slope")}
    assert expected - set().union(*(traits(grade_case(SEED, index)) for index in range(CASES))) == set()


@pytest.mark.parametrize("code", WAYS)
@pytest.mark.parametrize("index", range(CASES))
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


@pytest.mark.parametrize("index", range(CASES))
@pytest.mark.parametrize("decimals", [*DECIMALS, 3, 2, 9])
def test_right_numbers_are_right_in_any_convention(scenes: dict[int, Scene], index: int, decimals: int | None):
    scene = scenes[index]
    for convention in CONVENTIONS:
        for part in PARTS:
            claim = claim_of(scene.told_trace(RIGHT), part, decimals, convention)
            if claim is not None:
                assert judge(scene, claim)["verdict"] == "right"
