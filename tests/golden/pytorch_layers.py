"""The networks of pytorch-layers.json.gz: every kind of layer but dense alone, over several steps with a new batch
each, and then in use (eval) with what the steps left in the running statistics.
"""

from pytorch_cases import ANY_TARGET, DEEP_TOLERANCE, FITTING, Case
from pytorch_draw import DRAWN, Draw
from pytorch_network import units_of

STEPS = 5
LEARNING_RATE = 0.1
SGD = {"kind": "sgd", "learning_rate": LEARNING_RATE}
# The largest seed that the service takes, and one whose stream is given by a second word of entropy.
SEED_MAX, LARGE_SEED = 2**53 - 1, 2**32 + 5


def dense(units: int, activation: str = "linear", **more: object) -> dict:
    return {"kind": "dense", "units": units, "activation": activation, **more}


def activation(name: str) -> dict:
    return {"kind": "activation", "activation": name}


def residual(*layers: dict, **more: object) -> dict:
    return {"kind": "residual", **more, "layers": list(layers)}


BATCH_NORM, LAYER_NORM = {"kind": "batch_norm"}, {"kind": "layer_norm"}
AFFINE = {"gamma": DRAWN, "beta": DRAWN}
PROJECTION = {"shortcut": "projection"}
# Below a batch normalization: a bias is taken out again with the mean, so that its gradient is zero in truth, and what
# is computed of it is made of roundings.
PLAIN = dense(4, bias=False)
ROUNDINGS = 1e-15

# Name: (inputs, examples, layers). Two outputs or more, judged by half squared errors.
NETWORKS: dict[str, tuple[int, int, list[dict]]] = {
    "batch-norm": (3, 6, [PLAIN, BATCH_NORM, activation("tanh"), dense(2)]),
    "batch-norm-settings": (3, 6, [PLAIN, {**BATCH_NORM, "epsilon": 1e-3, "momentum": 0.3, **AFFINE}, dense(2)]),
    "batch-norm-keeps-the-first": (3, 4, [PLAIN, {**BATCH_NORM, "momentum": 0.0}, dense(2, "sigmoid")]),
    "batch-norm-keeps-the-last": (3, 4, [PLAIN, {**BATCH_NORM, "momentum": 1.0}, dense(2, "sigmoid")]),
    "batch-norm-behind-a-bias": (3, 5, [dense(4), BATCH_NORM, dense(2)]),
    # Of two examples little more than ε sends deltas down, so it is a large one.
    "batch-norm-of-two": (3, 2, [PLAIN, {**BATCH_NORM, "epsilon": 0.01, **AFFINE}, dense(2)]),
    "batch-norm-on-inputs": (3, 5, [{**BATCH_NORM, **AFFINE}, dense(4, "sigmoid"), dense(2)]),
    "batch-norm-at-the-end": (3, 9, [dense(4, "tanh"), dense(2, bias=False), {**BATCH_NORM, **AFFINE}]),
    "two-batch-norms": (4, 7, [PLAIN, BATCH_NORM, activation("relu"), PLAIN, BATCH_NORM, dense(3, "sigmoid")]),
    "layer-norm": (3, 5, [dense(5), LAYER_NORM, activation("gelu"), dense(2)]),
    "layer-norm-settings": (3, 4, [{**LAYER_NORM, "epsilon": 1e-2, **AFFINE}, dense(4, "tanh"), dense(2)]),
    "layer-norm-one-example": (4, 1, [dense(6, "sigmoid"), {**LAYER_NORM, **AFFINE}, dense(2)]),
    "layer-norm-at-the-end": (3, 3, [dense(4, "silu"), {**LAYER_NORM, **AFFINE}]),
    "residual": (4, 5, [dense(4), residual(dense(6, "tanh"), dense(4)), dense(2)]),
    "residual-of-no-parameters": (4, 3, [residual(activation("silu")), dense(2)]),
    "residual-first-and-last": (3, 4, [residual(dense(3, "relu")), residual(dense(3, "sigmoid"))]),
    "residual-projection": (5, 4, [dense(4, "tanh"), residual(dense(7, "elu"), dense(3), **PROJECTION), dense(2)]),
    "residual-projection-of-one-width": (3, 4, [residual(dense(3, "gelu"), **PROJECTION), dense(2, "sigmoid")]),
    "residual-softmax": (3, 4, [residual(dense(3), activation("softmax")), dense(2)]),
    "nested": (
        4,
        6,
        [
            dense(5, bias=False),
            residual(
                dense(6, bias=False),
                BATCH_NORM,
                activation("relu"),
                residual(dense(6, bias=False), {**BATCH_NORM, **AFFINE}, activation("tanh")),
                dense(5, bias=False),
            ),
            {**BATCH_NORM, "momentum": 0.4},
            dense(2),
        ],
    ),
    "nested-thrice": (
        3,
        7,
        [
            residual(
                dense(4, "silu"),
                residual(
                    {**LAYER_NORM, **AFFINE},
                    residual({**BATCH_NORM, **AFFINE}, dense(4, "elu")),
                    dense(5, "gelu"),
                    **PROJECTION,
                ),
                **PROJECTION,
            ),
            {"name": "last", **dense(3, "sigmoid")},
        ],
    ),
    "dropout-of-nothing": (4, 5, [dense(6, "tanh"), {"kind": "dropout", "rate": 0.0}, dense(2)]),
    "dropout": (4, 5, [dense(6, "tanh"), {"kind": "dropout"}, dense(2)]),
    "dropouts": (
        5,
        6,
        [
            {"kind": "dropout", "rate": 0.2},
            dense(8, "relu"),
            {"kind": "dropout", "rate": 0.6},
            residual(dense(8, "tanh"), {"kind": "dropout", "rate": 0.25}),
            BATCH_NORM,
            dense(2),
            {"kind": "dropout", "rate": 0.1},
        ],
    ),
}
# A batch of 7 through 40-30-20-10, with every kind of layer.
WIDE = [
    dense(30, bias=False),
    BATCH_NORM,
    activation("relu"),
    residual(dense(30, "gelu"), {"kind": "dropout", "rate": 0.3}, dense(20, bias=False), BATCH_NORM, **PROJECTION),
    {**LAYER_NORM, **AFFINE},
    residual(dense(20, "silu"), residual(LAYER_NORM, dense(20, "tanh"))),
    dense(10),
    activation("softmax"),
]


def cases() -> list[Case]:
    made = [case(name, *network) for name, network in NETWORKS.items()]
    made += [
        case(f"activation-{name}-{loss}", 3, 4, [dense(4), activation(name), dense(2), activation(name)], loss)
        for name, losses in FITTING.items()
        for loss in losses
        if loss not in ANY_TARGET[1:]
    ]
    made += [case(f"dropouts-seed-{seed}", *NETWORKS["dropouts"], seed=seed) for seed in (LARGE_SEED, SEED_MAX)]
    made.append(case("wide", 40, 7, WIDE, "cross_entropy", seed=11))
    return made


def case(
    name: str, inputs: int, examples: int, layers: list[dict], loss: str = "half_squared_error", seed: int = 0
) -> Case:
    draw = Draw(name)
    layers = draw.layers(layers, inputs)
    outputs = inputs
    for layer in layers:
        outputs = units_of(layer, outputs)
    probable = loss in ("cross_entropy", "binary_cross_entropy")

    def batch(of: int = examples) -> dict:
        return draw.batch(inputs, outputs, of, one_hot=probable)

    calls = [("step", batch()) for _ in range(STEPS)]
    in_use = {**batch(1), "mode": "eval"}
    calls += [
        ("forward", batch()),
        ("forward", {**batch(), "mode": "train"}),
        ("backward", batch()),
        ("backward", in_use),
        ("step", {**batch(), "mode": "eval"}),
        ("step", batch()),
    ]
    create = {"network": {"inputs": inputs, "layers": layers}, "loss": loss, "optimizer": SGD, "seed": seed}
    return Case(name, create, calls, DEEP_TOLERANCE, ROUNDINGS if name == "batch-norm-behind-a-bias" else 0.0)
