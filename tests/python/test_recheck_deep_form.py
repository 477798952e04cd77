"""What the re-checker says of a wrong form where layers have masks, statistics and layers of their own, and optimizers
a memory."""

import copy

import pytest

from damage import reversed_at, with_value, without
from networks import deep_case
from recheck import recheck

# Where the layers of `deep_case` stand: on the way up, and from the top on the way back and in the update.
NORM, BLOCK = ("forward", "layers", 1), ("forward", "layers", 3)
INNER_DENSE, INNER_BLOCK, DROPOUT, INNER_NORM = ((*BLOCK, "layers", i) for i in range(4))
NORM_BACK, BLOCK_BACK = ("backward", "layers", 5), ("backward", "layers", 3)
NORM_UPDATE, BLOCK_UPDATE, LAYER_NORM_UPDATE = (("update", "layers", i) for i in (5, 3, 2))
PROJECTION_UPDATE = (*BLOCK_UPDATE, "parameters", "weights")


@pytest.fixture(scope="module")
def right_trace(server) -> dict:
    case = deep_case("train", {"kind": "adam", "weight_decay": 0.02, "clip_norm": 0.01})
    return server.post("/v1/explain", {**case.create, **case.batch})


@pytest.fixture
def trace(right_trace) -> dict:
    return copy.deepcopy(right_trace)


def pointer(*path: str | int) -> str:
    return "".join(f"/{step}" for step in path)


def at_its_place(damage, *path):
    """A damage and where it is to be noticed: at the path that it damages."""
    return damage(*path), pointer(*path)


def one_example(trace):
    """Everything below the first batch normalization cut to one row."""
    trace["forward"]["inputs"] = trace["forward"]["inputs"][:1]
    dense = trace["forward"]["layers"][0]
    for quantity in ("pre_activations", "outputs", "derivatives"):
        dense[quantity] = dense[quantity][:1]


def put(value):
    return lambda *path: with_value(value, *path)


WRONG_FORMS = {
    "no epsilon": at_its_place(without, *NORM, "epsilon"),
    "no gamma": at_its_place(without, *NORM, "parameters", "gamma"),
    "statistics of a third kind": at_its_place(put("moving"), *NORM, "statistics"),
    "running statistics in a pass that trains": at_its_place(put("running"), *INNER_NORM, "statistics"),
    "statistics of one example": (one_example, pointer(*NORM, "statistics")),
    "a dropout that does not drop in a pass that trains": at_its_place(without, *DROPOUT, "mask"),
    "a mask that keeps half": at_its_place(put(0.5), *DROPOUT, "mask", 0, 0),
    "a mask of one row": at_its_place(put([[0.0]]), *DROPOUT, "mask"),
    "a rate of 1": at_its_place(put(1.0), *DROPOUT, "rate"),
    "a rate below 0": at_its_place(put(-0.5), *DROPOUT, "rate"),
    "a block without layers": at_its_place(put([]), *BLOCK, "layers"),
    "a block's layers that are none": at_its_place(put("layers"), *BLOCK, "layers"),
    "a name twice in a block": at_its_place(put("layer1"), *INNER_BLOCK, "layers", 0, "name"),
    "a block without its projection": (without(*BLOCK, "parameters"), pointer(*BLOCK, "shortcut")),
    "a projection of another width": at_its_place(put([[1.0]] * 3), *BLOCK, "parameters", "weights", 0),
    "no branch": at_its_place(without, *INNER_BLOCK, "branch"),
    "inner layers back in forward order": (
        reversed_at(*BLOCK_BACK, "layers"),
        pointer(*BLOCK_BACK, "layers", 0, "name"),
    ),
    "another inner kind on the way back": at_its_place(put("dense"), *BLOCK_BACK, "layers", 0, "kind"),
    "an inner layer missing on the way back": (without(*BLOCK_BACK, "layers", 1), pointer(*BLOCK_BACK, "layers")),
    "no errors of the shortcut": at_its_place(without, *BLOCK_BACK, "shortcut_errors"),
    "no gradients of the projection": at_its_place(without, *BLOCK_BACK, "gradients"),
    "no mean error": at_its_place(without, *NORM_BACK, "mean_error"),
    "an inner layer missing in the update": (without(*BLOCK_UPDATE, "layers", 0), pointer(*BLOCK_UPDATE, "layers")),
    "inner layers updated in forward order": (
        reversed_at(*BLOCK_UPDATE, "layers"),
        pointer(*BLOCK_UPDATE, "layers", 0, "name"),
    ),
    "running statistics not updated": at_its_place(without, *NORM_UPDATE, "running"),
    "a running mean alone": at_its_place(without, *NORM_UPDATE, "running", "variance"),
    "running statistics of a layer normalization": at_its_place(put({}), *LAYER_NORM_UPDATE, "running"),
    "parameters of a layer that has none": at_its_place(put({}), "update", "layers", 4, "parameters"),
    "no clip": at_its_place(without, "update", "clip"),
    "a clip that was not asked for": (without("update", "optimizer", "clip_norm"), "/update/clip"),
    "no clipped gradient": at_its_place(without, *PROJECTION_UPDATE, "clipped"),
    "no decayed gradient": at_its_place(without, *PROJECTION_UPDATE, "decayed"),
    "a decay that was not asked for": (
        without("update", "optimizer", "weight_decay"),
        pointer(*PROJECTION_UPDATE, "decayed"),
    ),
    "no timestep": at_its_place(without, "update", "timestep"),
    "another timestep": at_its_place(put(2), "update", "timestep"),
    "no update made": at_its_place(put(0), "update", "timestep"),
    "more updates than steps": (
        lambda trace: (trace.update(session="demo", step=2), put(3)("update", "timestep")(trace)),
        "/update/timestep",
    ),
    "a memory before the first update": at_its_place(
        put(5e-324), *PROJECTION_UPDATE, "state", "before", "first_moment", 0, 0
    ),
    "no memory": at_its_place(without, *PROJECTION_UPDATE, "state"),
    "a memory too few": at_its_place(without, *PROJECTION_UPDATE, "state", "after", "second_moment"),
    "a memory too many": at_its_place(put([[0.0]]), *PROJECTION_UPDATE, "state", "before", "velocity"),
    "a memory of another shape": at_its_place(put([0.0]), *PROJECTION_UPDATE, "state", "before", "first_moment"),
    "no corrected moments": at_its_place(without, *PROJECTION_UPDATE, "corrected"),
    "no beta1": at_its_place(without, "update", "optimizer", "beta1"),
}


def test_the_right_trace_holds(trace):
    assert recheck(trace) == []


def test_a_first_update_behind_other_steps_holds(trace):
    """A session whose parameters were replaced before: two steps, and none was an update."""
    trace.update(session="demo", step=2)
    assert recheck(trace) == []


@pytest.mark.parametrize(("damage", "place"), WRONG_FORMS.values(), ids=WRONG_FORMS.keys())
def test_a_wrong_form_is_refused_at_its_place(trace, damage, place):
    damage(trace)
    assert place in [mismatch.pointer for mismatch in recheck(trace)]


@pytest.mark.parametrize(
    "path",
    [
        NORM,
        (*NORM, "parameters"),
        BLOCK,
        (*BLOCK, "parameters"),
        INNER_DENSE,
        (*INNER_BLOCK, "layers", 1),
        DROPOUT,
        NORM_BACK,
        (*NORM_BACK, "gradients"),
        BLOCK_BACK,
        (*BLOCK_BACK, "gradients"),
        (*BLOCK_BACK, "layers", 1),
        ("update", "clip"),
        NORM_UPDATE,
        (*NORM_UPDATE, "running"),
        (*NORM_UPDATE, "running", "mean"),
        (*BLOCK_UPDATE, "layers", 1),
        (*PROJECTION_UPDATE, "state"),
        (*PROJECTION_UPDATE, "state", "before"),
        (*PROJECTION_UPDATE, "state", "after"),
        (*PROJECTION_UPDATE, "corrected"),
    ],
    ids=lambda path: pointer(*path),
)
def test_an_unknown_key_is_refused_everywhere(trace, path):
    with_value(1.0, *path, "unknown")(trace)
    assert [mismatch.pointer for mismatch in recheck(trace)] == [pointer(*path, "unknown")]
