"""The telephone game, 100 layers deep, against the same game worked out with 60 digits and by PyTorch.

Neither was told a number by the server: weights and data are drawn by NumPy, and here they must be the same bits.
"""

import hashlib
import struct

import pytest

from golden import golden
from near import error, flat, near
from networks import with_inner

PRECISE = golden("telephone.json")
GAMES = {game["name"]: game for game in PRECISE["variants"]}
PYTORCH = {game["name"]: game for game in golden("pytorch-telephone.json")["variants"]}
PRESETS = {
    "sigmoid": "telephone",
    "relu": "telephone-relu",
    "residual": "telephone-residual",
    "batch_norm": "telephone-batch-norm",
}
# The relative error of `near`. A hundred batch normalizations make each rounding some 10^5 times as large.
TOLERANCE = {"sigmoid": 1e-12, "relu": 1e-12, "residual": 1e-12, "batch_norm": 1e-9}
# After one step the roundings of all gradients come together in one number, and go through the same layers again.
LOSS_AFTER_TOLERANCE = {**TOLERANCE, "batch_norm": 1e-8}
# Of single numbers of about 10^-52, each relative to itself.
FIRST_LAYER_TOLERANCE = 1e-10
# Of a layer's norm: a slope h·(1 − h) of a saturated sigmoid has few digits, whoever computes it with doubles.
NORM_TOLERANCE = 1e-10


@pytest.fixture(scope="module", params=PRESETS)
def played(request, server):
    """A variant, and its first backward pass as the preset has it."""
    name = request.param
    server.put(f"/v1/sessions/precise-{name}", {"preset": PRESETS[name]}, status=201)
    return name, server.post(f"/v1/sessions/precise-{name}/backward", {})


def gradients_of(trace: dict) -> dict:
    return {layer["name"]: layer.get("gradients") for layer in with_inner(trace["backward"]["layers"])}


def test_weights_and_data_are_drawn_as_numpy_draws_them(played):
    _, trace = played
    dense = [layer for layer in with_inner(trace["forward"]["layers"]) if layer["kind"] == "dense"]
    weights = [w for layer in dense for w in flat(layer["parameters"]["weights"])]
    assert len(dense) == PRECISE["game"]["depth"]
    assert hashlib.sha256(struct.pack(f"<{len(weights)}d", *weights)).hexdigest() == PRECISE["weights_sha256"]
    assert not any(b for layer in dense for b in layer["parameters"].get("bias", []))
    assert trace["forward"]["inputs"] == PRECISE["inputs"]
    assert trace["loss"]["targets"] == PRECISE["targets"]


def test_the_gradients_are_those_of_60_digits(played):
    name, trace = played
    game, gradients = GAMES[name], gradients_of(trace)
    near(game["loss"], trace["loss"]["value"], TOLERANCE[name])
    near(game["gradients"], gradients, TOLERANCE[name])


def test_what_reaches_the_first_layer_of_the_illness_is_right_in_every_number(server):
    trace = server.post("/v1/explain", {"preset": PRESETS["sigmoid"]})
    expected, got = GAMES["sigmoid"]["gradients"]["layer1"], gradients_of(trace)["layer1"]
    assert max(map(abs, flat(expected["weights"]))) < 1e-50
    for name in ("weights", "bias"):
        errors = list(map(error, flat(expected[name]), flat(got[name])))
        assert len(errors) >= PRECISE["game"]["width"]
        assert max(errors) <= FIRST_LAYER_TOLERANCE


def test_pytorch_plays_the_same_game(played, server):
    name, trace = played
    game = PYTORCH[name]
    near(game["loss"], trace["loss"]["value"], TOLERANCE[name])
    near(game["gradients"], gradients_of(trace), TOLERANCE[name])
    step = server.post(f"/v1/sessions/precise-{name}/step", {"learning_rate": 0.5})
    near(game["loss_after"], step["update"]["loss_after"], LOSS_AFTER_TOLERANCE[name])


def test_depth_measures_the_gradients_of_all_layers(server):
    answer = server.post("/v1/depth", PRECISE["game"])
    assert [variant["name"] for variant in answer["variants"]] == list(GAMES)
    for variant in answer["variants"]:
        norms = {layer["name"]: layer["gradient_norm"] for layer in variant["layers"]}
        expected = GAMES[variant["name"]]["gradient_norms"]
        assert list(norms) == [f"layer{number}" for number in range(len(expected), 0, -1)]
        for number, norm in enumerate(expected, start=1):
            assert error(norm, norms[f"layer{number}"]) <= NORM_TOLERANCE, f"layer{number} of {variant['name']}"
