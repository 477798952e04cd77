"""The telephone game and its cures through PyTorch: the gradients of three layers at the first step.

Weights and data are those of telephone.py, which draws them with NumPy.
"""

import telephone
from pytorch_session import Session


def hidden(variant: str, number: int, weights: list) -> list[dict]:
    """The layers that stand in the place of one hidden layer."""
    zeros = [0.0] * telephone.WIDTH
    dense = {"name": f"layer{number}", "kind": "dense", "weights": weights, "activation": "sigmoid", "bias": zeros}
    if variant == "relu":
        return [{**dense, "activation": "relu"}]
    if variant == "residual":
        return [{"name": f"block{number}", "kind": "residual", "layers": [dense]}]
    if variant == "batch_norm":
        norm = {"name": f"norm{number}", "kind": "batch_norm"}
        sigmoid = {"name": f"sigmoid{number}", "kind": "activation", "activation": "sigmoid"}
        return [{**dense, "activation": "linear", "bias": False}, norm, sigmoid]
    return [dense]


def games() -> list[dict]:
    weights, (inputs, targets) = telephone.first_weights(), telephone.data()
    return [play(variant, weights, {"inputs": inputs, "targets": targets}) for variant in telephone.VARIANTS]


def play(variant: str, weights: list, batch: dict) -> dict:
    numbered = enumerate(weights[:-1], start=1)
    layers = [layer for number, values in numbered for layer in hidden(variant, number, values)]
    layers.append({"name": f"layer{telephone.DEPTH}", "kind": "dense", "weights": weights[-1], "bias": [0.0]})
    session = Session(
        {
            "network": {"inputs": telephone.WIDTH, "layers": layers},
            "loss": "half_squared_error",
            "optimizer": {"kind": "sgd", "learning_rate": 0.5},
        }
    )
    return {"name": variant, **shown(session.answer("step", batch))}


def shown(trace: dict) -> dict:
    layers = [inner for layer in trace["backward"]["layers"] for inner in [layer, *layer.get("layers", [])]]
    wanted = [f"layer{number}" for number in telephone.SHOWN]
    gradients = {layer["name"]: layer["gradients"] for layer in layers if layer["name"] in wanted}
    return {"loss": trace["loss"]["value"], "gradients": gradients, "loss_after": trace["update"]["loss_after"]}
