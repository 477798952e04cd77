"""A trainer in plain Python, with an option to make every mistake that has a name, whose numbers come in the form of a
trace. It knows nothing of the service: the definitions are PyTorch's.
"""

from dataclasses import dataclass, replace
from math import isfinite

from plain_functions import Matrix, errors, loss, scaled
from plain_layers import climb, descend, told_of
from plain_mistakes import RIGHT, Wrong
from plain_parts import Layer, Pass, Up, layers_activated_above, layers_of_outputs
from plain_updates import Updater, clip_of


@dataclass(frozen=True)
class Network:
    layers: tuple[Layer, ...]
    loss: str
    optimizer: dict
    steps: int = 0


@dataclass(frozen=True)
class Batch:
    inputs: Matrix
    targets: Matrix
    training: bool = True
    # By a dropout's name, what it multiplies with: it is drawn, and so it is given
    masks: dict | None = None


def step(network: Network, batch: Batch, wrong: Wrong = RIGHT) -> tuple[dict, Network]:
    """All numbers of a step, and the network after it."""
    # Whoever updates too early clips as in a step without that mistake.
    in_time = replace(wrong, early=None)
    early_clip = clip_of(network.optimizer, passes(network, batch, in_time)[1]) if wrong.early else None
    ups, downs = passes(network, batch, wrong, early_clip)
    clip = clip_of(network.optimizer, downs)
    updates, after = Updater(network.optimizer, network.steps, clip, wrong).layers(ups, downs, batch.training)
    later = replace(network, layers=after, steps=network.steps + 1)
    per_example, value = losses(network, ups, batch, wrong)
    _, loss_after = losses(network, climb(after, batch.inputs, pass_of(later, batch, wrong)), batch, wrong)
    told = {
        "forward": {"layers": [told_of(up.layer, up.told) for up in ups], "outputs": ups[-1].out},
        "loss": {"per_example": per_example, "value": value},
        "backward": {"layers": [told_of(down.layer, down.told) for down in reversed(downs)]},
        "update": {**({"clip": clip} if clip else {}), "layers": updates, "loss_after": loss_after},
    }
    return told, later


def passes(network: Network, batch: Batch, wrong: Wrong, early_clip: dict | None = None) -> tuple[tuple, tuple]:
    current = pass_of(network, batch, wrong, early_clip)
    ups = climb(network.layers, batch.inputs, current)
    return ups, descend(ups, errors_of_outputs(network, ups, batch, wrong), current)


def pass_of(network: Network, batch: Batch, wrong: Wrong, early_clip: dict | None = None) -> Pass:
    updater = Updater(network.optimizer, network.steps, early_clip, wrong)
    return Pass(
        wrong=wrong,
        training=batch.training,
        masks=batch.masks or {},
        targets=batch.targets,
        top=network.layers[-1],
        of_outputs=layers_of_outputs(network.layers),
        activated_above=layers_activated_above(network.layers),
        learned=lambda layer, gradients: updater.parameters(layer, gradients)[1],
    )


def losses(network: Network, ups: tuple[Up, ...], batch: Batch, wrong: Wrong) -> tuple[list, float | None]:
    each = [loss(network.loss, *rows) for rows in zip(batch.targets, ups[-1].out, strict=True)]
    # A step that is wrong may be so wild that it has no loss afterwards.
    if not all(one is not None and isfinite(one) for one in each):
        return [None] * len(each), None
    if "loss" in wrong.doubled:
        each = scaled(each, 2.0)
    return each, sum(each) / (1 if "loss" in wrong.summed else len(each))


def errors_of_outputs(network: Network, ups: tuple[Up, ...], batch: Batch, wrong: Wrong) -> Matrix | None:
    """Who takes y - a for the deltas knows of no errors."""
    out = ups[-1].out
    if wrong.softmax == "fused" or (wrong.softmax and any(b == 0.0 for row in out for b in row)):
        return None
    found = [errors(network.loss, *rows) for rows in zip(batch.targets, out, strict=True)]
    found = scaled(found, 2.0) if "errors" in wrong.doubled else found
    return scaled(found, -1.0) if wrong.flipped == "loss" else found
