"""Depth: every figure out of the trace, the verdict by its documented thresholds, the four variants side by side."""

import math

import mpmath
import numpy
import pytest

from conftest import Client
from depth_rules import EXPLODING, VANISHING, figures, verdict
from networks import random_case
from small_networks import small_case
from trace_parts import is_close

RELATIVE = 1e-12
VARIANTS = ["sigmoid", "relu", "residual", "batch_norm"]
PRESETS = {
    "telephone": "sigmoid",
    "telephone-relu": "relu",
    "telephone-residual": "residual",
    "telephone-batch-norm": "batch_norm",
}
GAME = {"depth": 100, "width": 16, "seed": 3}


def agrees(found: dict, trace: dict) -> None:
    expected = figures(trace)
    assert len(found["layers"]) == len(expected)
    for layer, wanted in zip(found["layers"], expected, strict=True):
        assert layer.keys() == wanted.keys()
        for name, value in wanted.items():
            if isinstance(value, float):
                scale = 1e-3 if name == "log10_ratio" else 0.0
                assert is_close(layer[name], value, RELATIVE, scale), (layer, wanted)
            else:
                assert layer[name] == value, (layer, wanted)
    assert found["verdict"] == verdict(found["layers"])


def session_depth(server: Client, create: dict, batch: dict) -> tuple[dict, dict]:
    session = server.post("/v1/sessions", create, 201)["name"]
    trace = server.post(f"/v1/sessions/{session}/backward", batch)
    return server.post(f"/v1/sessions/{session}/depth", batch, 200), trace


@pytest.mark.parametrize("index", range(54))
def test_small_networks(server: Client, index: int):
    case = small_case(index)
    agrees(*session_depth(server, case.create, case.batch))


@pytest.mark.parametrize("index", range(30))
def test_random_networks(server: Client, index: int):
    case = random_case(index)
    agrees(*session_depth(server, case.create, case.batch))


@pytest.fixture(scope="module")
def played(server: Client) -> dict[str, dict]:
    answer = server.post("/v1/depth", GAME, 200)
    assert [variant["name"] for variant in answer["variants"]] == VARIANTS
    return {variant["name"]: variant for variant in answer["variants"]}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_are_the_games_variants(server: Client, played: dict, preset: str):
    found, trace = session_depth(server, {"preset": preset}, {})
    agrees(found, trace)
    variant = played[PRESETS[preset]]
    # A cure's preset learns by a rate of its own.
    rate = server.get(f"/v1/presets/{preset}")["optimizer"]["learning_rate"]
    for layer, of_the_game in zip(found["layers"], variant["layers"], strict=True):
        assert layer["change_norm"] == pytest.approx(of_the_game["change_norm"] * rate / 0.5, rel=1e-12)
        assert {**layer, "change_norm": of_the_game["change_norm"]} == of_the_game
    assert (found["verdict"], found["because"]) == (variant["verdict"], variant["because"])


@pytest.mark.parametrize("preset", [name for name, variant in PRESETS.items() if variant != "sigmoid"])
def test_a_cure_learns_at_the_rate_that_it_comes_with(server: Client, preset: str):
    path = f"/v1/sessions/{server.post('/v1/sessions', {'preset': preset}, 201)['name']}"
    first = server.post(f"{path}/step?trace=none", {})["loss"]["value"]
    for _ in range(100):
        last = server.post(f"{path}/step?trace=none", {})["loss"]["value"]
    assert last < first
    assert server.post(f"{path}/depth", {}, 200)["verdict"] == "healthy"


def test_the_illness_and_its_cures(played: dict):
    """The sigmoid's first layer hears nothing; each cure brings it back by many orders of magnitude."""
    lowest = {name: variant["layers"][-1] for name, variant in played.items()}
    assert all(layer["name"] == "layer1" and layer["distance"] == 99 for layer in lowest.values())
    assert {name: variant["verdict"] for name, variant in played.items()} == {
        name: "vanishing" if name == "sigmoid" else "healthy" for name in VARIANTS
    }
    assert 0.0 < lowest["sigmoid"]["mean_abs_delta"] < 1e-30
    for cure in VARIANTS[1:]:
        assert lowest[cure]["log10_ratio"] > lowest["sigmoid"]["log10_ratio"] + 30
    # 100 layers stay exact: nothing has become zero.
    for layer in played["sigmoid"]["layers"]:
        assert layer["mean_abs_delta"] > 0.0 and layer["gradient_norm"] > 0.0 and layer["change_norm"] > 0.0
        assert layer["mean_slope"] <= 0.25 or layer["distance"] == 0
    assert lowest["sigmoid"]["bound"] == 0.25**99


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        # Each of them takes little a layer, and in all nothing or far too much arrives.
        ({"depth": 100, "seed": 0, "variants": ["relu"]}, "vanishing"),
        ({"depth": 300, "seed": 2, "variants": ["relu"]}, "vanishing"),
        ({"depth": 300, "seed": 3, "variants": ["batch_norm"]}, "exploding"),
        ({"depth": 100, "seed": 3, "variants": ["batch_norm"]}, "healthy"),
        ({"depth": 20, "seed": 0, "variants": ["relu"]}, "healthy"),
    ],
)
def test_the_dead_and_the_wild_are_not_healthy(server: Client, game: dict, expected: str):
    (variant,) = server.post("/v1/depth", game, 200)["variants"]
    assert variant["verdict"] == expected


@pytest.mark.parametrize("depth", [2, 10, 40, 100, 200])
@pytest.mark.parametrize("seed", range(4))
def test_every_verdict_rests_on_the_ratio_alone(server: Client, depth: int, seed: int):
    for variant in server.post("/v1/depth", {"depth": depth, "seed": seed}, 200)["variants"]:
        ratio = variant["layers"][-1]["ratio_to_output"]
        assert variant["verdict"] == verdict(variant["layers"])
        assert f"{variant['layers'][-1]['name']} is" in variant["because"]
        assert float(variant["because"].split(" is ")[1].split()[0]) == float(f"{ratio:.3e}")


def test_all_variants_start_with_the_same_weights_and_data(server: Client):
    starts = []
    for preset in PRESETS:
        session = server.post("/v1/sessions", {"preset": preset}, 201)["name"]
        trace = server.post(f"/v1/sessions/{session}/backward", {})
        layers = server.get(f"/v1/sessions/{session}/weights")["layers"]
        dense = [one for layer in layers for one in [layer, *layer.get("layers", [])] if one["kind"] == "dense"]
        weights = {layer["name"]: layer["parameters"]["weights"] for layer in dense}
        assert list(weights) == [f"layer{number}" for number in range(1, 101)]
        starts.append((weights, trace["forward"]["inputs"], trace["loss"]["targets"]))
    assert all(start == starts[0] for start in starts)


@pytest.mark.parametrize("game", [{"depth": 2, "width": 1}, {"depth": 5, "width": 3, "seed": 9}, {"depth": 12}])
def test_a_game_is_a_session_of_its_network(server: Client, game: dict):
    """A smaller game by the documented start: He-normal weights, and data out of NumPy's stream."""
    answer = server.post("/v1/depth", {**game, "variants": ["relu", "sigmoid"]}, 200)
    assert [variant["name"] for variant in answer["variants"]] == ["relu", "sigmoid"]
    inputs, targets = data(game.get("seed", 0), game.get("width", 16))
    for variant in answer["variants"]:
        width = game.get("width", 16)
        hidden = {"kind": "dense", "units": width, "activation": variant["name"], "init": "he_normal"}
        top = {"kind": "dense", "units": 1, "init": "he_normal"}
        create = {
            "network": {"inputs": width, "layers": [hidden] * (game["depth"] - 1) + [top]},
            "optimizer": {"kind": "sgd", "learning_rate": 0.5},
            "seed": game.get("seed", 0),
        }
        found, trace = session_depth(server, create, {"inputs": inputs, "targets": targets})
        agrees(found, trace)
        assert {key: variant[key] for key in found} == found


def data(seed: int, width: int) -> tuple[list, list]:
    """Eight rows of normal inputs, by Box and Muller and correctly rounded, and then their targets between 0 and 1."""
    stream = numpy.random.default_rng(numpy.random.SeedSequence(seed, spawn_key=(0, 1)))

    def normal() -> float:
        u, v = stream.random(), stream.random()
        with mpmath.workprec(200):
            logarithm, cosine = float(mpmath.log(1.0 - u)), float(mpmath.cospi(2.0 * v))
        return math.sqrt(-2.0 * logarithm) * cosine

    inputs = [[normal() for _ in range(width)] for _ in range(8)]
    return inputs, [[float(stream.random())] for _ in range(8)]


def chain_of(weight: float, layers: int) -> dict:
    """Linear layers of one unit with the same weight: each multiplies the blame by it."""
    layer = {"kind": "dense", "units": 1, "bias": False, "weights": [[weight]]}
    top = {"kind": "dense", "units": 1, "bias": False, "weights": [[weight]]}
    return {"network": {"inputs": 1, "layers": [layer] * layers + [top]}}


@pytest.mark.parametrize(
    ("weight", "layers", "expected"),
    [
        # The whole way decides, whether each layer takes much or little.
        (0.39811, 10, "healthy"),
        (0.39810, 10, "vanishing"),
        (2.5118, 10, "healthy"),
        (2.5119, 10, "exploding"),
        (0.9550, 200, "healthy"),
        (0.9549, 200, "vanishing"),
        (1.0471, 200, "healthy"),
        (1.0472, 200, "exploding"),
        (1.0, 60, "healthy"),
    ],
)
def test_both_sides_of_every_threshold(server: Client, weight: float, layers: int, expected: str):
    batch = {"inputs": [[1.0]], "targets": [[2.0 + weight**layers]]}
    found, trace = session_depth(server, chain_of(weight, layers), batch)
    agrees(found, trace)
    lowest = found["layers"][-1]
    assert is_close(lowest["ratio_to_output"], weight**layers, 1e-9)
    assert found["verdict"] == expected
    figures_named = [float(word.rstrip(";,")) for word in found["because"].split() if word[0].isdigit()]
    assert figures_named[-2:] == [VANISHING, EXPLODING]
    assert figures_named[0] == float(f"{lowest['ratio_to_output']:.3e}")


def test_without_blame_there_is_no_verdict(server: Client):
    """The outputs are the targets, so that every delta is zero."""
    found, trace = session_depth(server, chain_of(1.0, 3), {"inputs": [[1.0]], "targets": [[1.0]]})
    agrees(found, trace)
    assert found["verdict"] is None
    assert all(layer["ratio_to_output"] is None and layer["log10_ratio"] is None for layer in found["layers"])


@pytest.mark.parametrize(("weight", "fits"), [(0.0009, True), (0.0007, False)])
def test_numbers_too_small_for_a_double_are_refused_never_zero(server: Client, weight: float, fits: bool):
    """Through 100 layers the blame is weight^100: 2.7e-305 has all its digits, 3.2e-316 has not."""
    session = server.post("/v1/sessions", chain_of(weight, 100), 201)["name"]
    batch = {"inputs": [[1.0]], "targets": [[1.0]]}
    answer = server.post(f"/v1/sessions/{session}/depth", batch, 200 if fits else 422)
    if fits:
        assert answer["layers"][-1]["mean_abs_delta"] > 0.0
    else:
        assert answer["code"] == "underflow"
