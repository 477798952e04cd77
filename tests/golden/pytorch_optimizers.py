"""The networks of pytorch-optimizers.json.gz: every optimizer with its defaults and with settings of its own, with
weight decay, with gradients clipped and with a limit that they do not reach, on three networks, a new batch each step.
"""

from pytorch_cases import DEEP_TOLERANCE, RELATIVE_TOLERANCE, Case
from pytorch_draw import DRAWN, Draw
from pytorch_layers import LAYER_NORM, PROJECTION, activation, dense, residual

STEPS = 5

# What is left out is the default, in the service and in PyTorch; sgd's learning rate alone has another one.
OPTIMIZERS: dict[str, dict] = {
    "sgd": {"kind": "sgd", "learning_rate": 0.1},
    "sgd-momentum": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    "sgd-nesterov": {"kind": "sgd", "learning_rate": 0.05, "momentum": 0.8, "nesterov": True},
    "sgd-decay": {"kind": "sgd", "learning_rate": 0.1, "weight_decay": 0.1},
    "sgd-clip": {"kind": "sgd", "learning_rate": 0.3, "clip_norm": 0.25},
    "sgd-all": {
        "kind": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.7,
        "nesterov": True,
        "weight_decay": 0.05,
        "clip_norm": 0.5,
    },
    "rmsprop": {"kind": "rmsprop"},
    "rmsprop-settings": {"kind": "rmsprop", "learning_rate": 0.02, "alpha": 0.9, "epsilon": 1e-4},
    "rmsprop-all": {"kind": "rmsprop", "learning_rate": 0.005, "alpha": 0.5, "weight_decay": 0.1, "clip_norm": 0.3},
    "adam": {"kind": "adam"},
    "adam-settings": {"kind": "adam", "learning_rate": 0.02, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4},
    "adam-all": {"kind": "adam", "learning_rate": 0.01, "weight_decay": 0.1, "clip_norm": 0.3},
    "adam-no-memory": {"kind": "adam", "learning_rate": 0.01, "beta1": 0.0, "beta2": 0.5, "epsilon": 1e-3},
    "adamw": {"kind": "adamw"},
    "adamw-settings": {
        "kind": "adamw",
        "learning_rate": 0.02,
        "beta1": 0.8,
        "beta2": 0.95,
        "epsilon": 1e-4,
        "weight_decay": 0.2,
    },
    "adamw-no-decay": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.0},
    "adamw-all": {"kind": "adamw", "learning_rate": 0.01, "weight_decay": 0.1, "clip_norm": 0.3},
    "adagrad": {"kind": "adagrad"},
    "adagrad-settings": {"kind": "adagrad", "learning_rate": 0.1, "epsilon": 1e-3},
    "adagrad-all": {"kind": "adagrad", "learning_rate": 0.05, "weight_decay": 0.1, "clip_norm": 0.3},
}
DEFAULTS = ("rmsprop", "adam", "adamw", "adagrad")
# On the larger networks too.
EVERYWHERE = [name for name in OPTIMIZERS if name.endswith("-all") or name in ("sgd-momentum", *DEFAULTS)]
# Far above the norm of any of these gradients.
LOOSE = 1e3

SMALL = [dense(5, "tanh"), dense(2)]
DEEP = [
    dense(6, bias=False),
    {"kind": "batch_norm", "gamma": DRAWN, "beta": DRAWN},
    activation("gelu"),
    residual(dense(5, "tanh"), LAYER_NORM, {"kind": "dropout", "rate": 0.2}, dense(4), **PROJECTION),
    dense(3),
]
WIDE = [dense(30, "tanh"), dense(20, "silu"), dense(10, "softmax")]


def cases() -> list[Case]:
    made = [case(f"{name}-small", 3, 4, SMALL, 2, "half_squared_error", of) for name, of in OPTIMIZERS.items()]
    for name in EVERYWHERE:
        made.append(case(f"{name}-deep", 4, 5, DEEP, 3, "mean_squared_error", OPTIMIZERS[name]))
        made.append(case(f"{name}-wide", 40, 7, WIDE, 10, "cross_entropy", OPTIMIZERS[name]))
    for kind in ("sgd", "rmsprop", "adam", "adamw", "adagrad"):
        loose = {"kind": kind, "learning_rate": 0.01, "clip_norm": LOOSE}
        made.append(case(f"{kind}-loose-clip", 3, 4, SMALL, 2, "half_squared_error", loose))
    return made


def case(
    name: str, inputs: int, examples: int, layers: list[dict], outputs: int, loss: str, optimizer: dict
) -> Case:
    draw = Draw(name)
    numbers = draw.layers(layers, inputs)
    one_hot = loss == "cross_entropy"
    calls = [("step", draw.batch(inputs, outputs, examples, one_hot)) for _ in range(STEPS)]
    # Asked between the steps, and without effect on them.
    calls.insert(STEPS // 2, ("backward", draw.batch(inputs, outputs, examples, one_hot)))
    tolerance = DEEP_TOLERANCE if layers is DEEP else RELATIVE_TOLERANCE
    create = {"network": {"inputs": inputs, "layers": numbers}, "loss": loss, "optimizer": optimizer, "seed": 5}
    return Case(name, create, calls, tolerance, parts=("loss", "update"))
