"""How near is right: each number by itself, and roundings where terms cancel."""

import pytest

from conftest import Client

BATCH = {"inputs": [[0.2, -0.7], [1.1, 0.4], [-0.5, 0.9]], "targets": [[0.3], [0.8], [-0.2]]}


def network(*layers: dict) -> dict:
    return {"network": {"inputs": 2, "layers": list(layers)}, "seed": 3, **BATCH}


NORMALIZED = network({"kind": "dense", "units": 3}, {"kind": "batch_norm"}, {"kind": "dense", "units": 1})
PLAIN = network({"kind": "dense", "units": 3, "activation": "tanh"}, {"kind": "dense", "units": 1})


def grade(server: Client, subject: dict, claim: dict) -> dict:
    return server.post("/v1/grade", {**subject, "claim": claim}, 200)


@pytest.mark.parametrize(("small", "verdict"), [(1.2345e-5, "right"), (-1.2345e-5, "wrong"), (1.3345e-5, "wrong")])
def test_a_small_number_beside_a_large_one_is_judged_by_itself(server: Client, small: float, verdict: str):
    layer = {"kind": "dense", "units": 2, "weights": [[100000, 1.2345e-5]], "bias": False}
    subject = {"network": {"inputs": 1, "layers": [layer]}, "inputs": [[1]], "targets": [[0, 0]]}
    assert grade(server, subject, {"forward": {"outputs": [[100000, small]]}})["verdict"] == verdict


def test_a_gradient_that_cancels_may_be_off_by_the_rounding_of_its_terms(server: Client):
    """Below a batch normalization a bias has no effect: its gradient is 0, and everyone's is another rounding of it."""
    trace = server.post("/v1/explain", NORMALIZED)
    layer = trace["backward"]["layers"][-1]
    assert max(map(abs, layer["gradients"]["bias"])) < 1e-15 < 1e-3 < abs(layer["gradients"]["weights"][0][0])
    for bias, verdict in [([0.0] * 3, "right"), ([3e-17, -2e-17, 1e-17], "right"), ([1e-9, 0.0, 0.0], "wrong")]:
        claim = {"backward": {"layers": [{"name": layer["name"], "gradients": {"bias": bias}}]}}
        assert grade(server, NORMALIZED, claim)["verdict"] == verdict
    # Elsewhere a bias's gradient is no rounding.
    top = trace["backward"]["layers"][0]
    wrong = {"backward": {"layers": [{"name": top["name"], "gradients": {"bias": [0.0]}}]}}
    assert grade(server, NORMALIZED, wrong)["verdict"] == "wrong"


@pytest.mark.parametrize("sections", [("errors", "deltas"), ("errors", "deltas", "gradients")])
def test_the_mean_in_the_deltas_is_named(server: Client, sections: tuple):
    """dZ = (ŷ − y)/N: errors and deltas are a third of ours, and gradients are ours, or a third of them too."""
    layers = server.post("/v1/explain", PLAIN)["backward"]["layers"]

    def third(value):
        if isinstance(value, dict):
            return {name: third(one) for name, one in value.items()}
        return [third(one) for one in value] if isinstance(value, list) else value / 3.0

    told = ("errors", "deltas", "gradients")
    claim = [
        {"name": layer["name"], **{name: third(layer[name]) if name in sections else layer[name] for name in told}}
        for layer in layers
    ]
    answer = grade(server, PLAIN, {"backward": {"layers": claim}})
    assert answer["verdict"] == "wrong"
    assert [mistake["code"] for mistake in answer["mistakes"]] == ["mean_in_deltas"]


@pytest.mark.parametrize(
    ("claim", "pointer"),
    [
        ({"forward": 0.5}, "/claim/forward"),
        ({"forward": {"layers": [{"outputs": [[True, 0.5, 0.5]]}]}}, "/claim/forward/layers/0/outputs/0/0"),
        ({"forward": {"layers": [{"outputs": "0.5"}]}}, "/claim/forward/layers/0/outputs"),
        ({"forward": {"layers": [{"name": 5}]}}, "/claim/forward/layers/0/name"),
    ],
)
def test_what_is_no_number_is_no_claim(server: Client, claim: dict, pointer: str):
    answer = server.post("/v1/grade", {**PLAIN, "claim": claim}, 400)
    assert [(fault["pointer"], fault["code"]) for fault in answer["errors"]] == [(pointer, "wrong_type")]
