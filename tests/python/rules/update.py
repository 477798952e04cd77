"""The update: from every gradient to the parameter after it, in the steps that all optimizers share."""

from collections.abc import Callable, Iterator
from typing import Any

from rules.normalization import check_running
from rules.numbers import divide, each, in_order_sum, square_root
from rules.optimizers import COUNTING, DECOUPLED_DECAY, OPTIMIZERS
from rules.reader import Reader
from rules.stack import paired, with_inner

# Keeps the scale finite where all gradients are zero; PyTorch's clip_grad_norm_ has the same.
CLIP_EPSILON = 1e-6

# Checks one parameter's update from its values and its gradient, and answers the values after it.
Rule = Callable[[Reader, list, list], list]


def check_update(update: Reader, forward_layers: list[Reader], backward_layers: list[Reader], updates_max: int) -> list:
    """Checks all of the update but the loss after it; answers the forward layers as a trace would have them that
    started from the parameters after it. At most so many updates were made, this one included."""
    settings = update.child("optimizer")
    kind = settings.text("kind")
    direction_of = settings.choice("kind", OPTIMIZERS)(settings)
    rate = settings.number("learning_rate")
    decay = settings.number("weight_decay") if settings.has("weight_decay") else 0.0
    gradient_decay, own_decay = (0.0, decay) if kind in DECOUPLED_DECAY else (decay, 0.0)
    timestep = update.count("timestep") if kind in COUNTING else updates_max
    if not 1 <= timestep <= updates_max:
        raise update.refuse("timestep", f"from 1 to {updates_max}, the updates there can have been")
    scale = _clip(update.child("clip"), settings, backward_layers) if settings.has("clip_norm") else None
    settings.done()

    def rule(parameter: Reader, w: list, g: list) -> list:
        if scale is not None:
            g = parameter.check("clipped", each(lambda g: g * scale, g))
        if gradient_decay != 0.0:
            g = parameter.check("decayed", each(lambda g, w: g + gradient_decay * w, g, w))
        direction = direction_of(parameter, g, timestep)
        if own_decay != 0.0:
            direction = each(lambda d, w: d + own_decay * w, direction, w)
        change = parameter.check("change", each(lambda d: 0.0 - rate * d, direction))
        return parameter.check("after", each(lambda w, c: w + c, w, change))

    return _layers(update, forward_layers, backward_layers, rule)


def _clip(clip: Reader, settings: Reader, backward_layers: list[Reader]) -> float:
    """What every gradient is multiplied with, so that the norm of all together does not pass the limit."""
    gradients = [
        number
        for layer in with_inner(backward_layers)
        for gradient in layer.seen.get("gradients", {}).values()
        for number in _flat(gradient)
    ]
    # By the largest, so that no square overflows.
    largest = max((abs(g) for g in gradients), default=0.0)
    root = square_root(in_order_sum((g / largest) * (g / largest) for g in gradients)) if largest > 0.0 else 0.0
    norm = clip.check("norm", largest * root)
    scale = divide(settings.number("clip_norm"), norm + CLIP_EPSILON)
    scale = clip.check("scale", scale if scale < 1.0 else 1.0)
    clip.done()
    return scale


def _layers(section: Reader, forward_layers: list[Reader], backward_layers: list[Reader], rule: Rule) -> list[dict]:
    after = []
    for (layer, forward), backward in zip(paired(section, forward_layers), backward_layers, strict=True):
        value: dict[str, Any] = dict(forward.value)
        if "parameters" in forward.seen:
            value["parameters"] = _parameters(layer.child("parameters"), forward, backward, rule)
        if forward.value["kind"] == "batch_norm" and forward.seen["mode"] == "train":
            check_running(layer, forward)
        if "layers" in forward.seen:
            value["layers"] = _layers(layer, forward.seen["layers"], backward.seen["layers"], rule)
        layer.done()
        after.append(value)
    return after[::-1]


def _parameters(parameters: Reader, forward: Reader, backward: Reader, rule: Rule) -> dict[str, list]:
    after = {}
    for name, before in forward.seen["parameters"].items():
        parameter = parameters.child(name)
        after[name] = rule(parameter, before, backward.seen["gradients"][name])
        parameter.done()
    parameters.done()
    return after


def _flat(quantity: list) -> Iterator[float]:
    for item in quantity:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item
