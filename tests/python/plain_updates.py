"""Optimizers in plain Python, by PyTorch's definitions, and what a step makes of each layer."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from math import hypot
from typing import Any

from plain_functions import Row
from plain_mistakes import Wrong
from plain_parts import Down, Layer, Up

CLIP_EPSILON = 1e-6
EPSILON = {"rmsprop": 1e-8, "adam": 1e-8, "adamw": 1e-8, "adagrad": 1e-10}


def clip_of(optimizer: dict, downs: tuple[Down, ...]) -> dict | None:
    """All gradients are made smaller together where their norm is too large."""
    if (limit := optimizer.get("clip_norm")) is None:
        return None
    norm = hypot(*chain.from_iterable(flat(g) for down in all_of(downs) for g in down.gradients.values()))
    return {"norm": norm, "scale": min(1.0, limit / (norm + CLIP_EPSILON))}


def all_of(downs: tuple[Down, ...]) -> list[Down]:
    return [one for down in downs for one in (down, *all_of(down.inner))]


class Updater:
    """`steps` have been made before."""

    def __init__(self, optimizer: dict, steps: int, clip: dict | None, wrong: Wrong):
        self.optimizer, self.timestep, self.clip, self.wrong = optimizer, steps + 1, clip, wrong

    def layers(self, ups: tuple[Up, ...], downs: tuple[Down, ...], training: bool) -> tuple[list[dict], tuple]:
        """What a trace says of the update, from the top, and the layers after it, from below."""
        each = [self.layer(up, down, training) for up, down in zip(ups, downs, strict=True)]
        return [told for told, _ in reversed(each)], tuple(learned for _, learned in each)

    def layer(self, up: Up, down: Down, training: bool) -> tuple[dict, Layer]:
        told, learned = self.parameters(up.layer, down.gradients)
        told = {"name": up.layer.name, **({"parameters": told} if told else {})}
        if up.layer.kind == "batch_norm" and training:
            told["running"] = running(up)
            learned = replace(learned, running={name: told["running"][name]["after"] for name in learned.running})
        if up.inner:
            told["layers"], layers = self.layers(up.inner, down.inner, training)
            learned = replace(learned, layers=layers)
        return told, learned

    def parameters(self, layer: Layer, gradients: dict) -> tuple[dict, Layer]:
        told, memory = {}, dict(layer.memory)
        for name, before in layer.parameters.items():
            made = self.parameter(layer, name, flat(gradients[name]), memory)
            told[name] = shaped_as(before, made)
        after = {name: one["after"] for name, one in told.items()}
        return told, replace(layer, parameters=after, memory=memory)

    def parameter(self, layer: Layer, name: str, g: Row, memory: dict) -> dict:
        values, told, wrong = flat(layer.parameters[name]), {}, self.wrong
        if self.clip:
            g = told["clipped"] = [self.clip["scale"] * one for one in g]
        decay, apart = self.optimizer.get("weight_decay", 0.0), self.optimizer["kind"] == "adamw"
        if decay and not apart:
            g = told["decayed"] = each(lambda g, w: g if wrong.undecayed else g + decay * w, g, values)
        direction = self.direction(name, g, memory, told)
        if decay and apart and not wrong.undecayed:
            direction = each(lambda d, w: d + decay * w, direction, values)
        change = [-wrong.rate(self.optimizer["learning_rate"]) * one for one in direction]
        factor = -1.0 if wrong.flipped == "change" else 1.0
        if name == "bias":
            factor *= 0.0 if wrong.bias == "learning" else 1.0
            factor *= len(layer.parameters["weights"]) if wrong.bias_times == "change" else 1.0
        told["change"] = [factor * one for one in change]
        return {**told, "after": each(lambda w, c: w + c, values, told["change"])}

    def direction(self, name: str, g: Row, memory: dict, told: dict) -> Row:
        settings, wrong, kind = self.optimizer, self.wrong, self.optimizer["kind"]

        def remembered(**rules: Callable[[float, float], float]) -> list[Row]:
            """What the optimizer keeps of each gradient, from what it had kept and the gradient."""
            before = {what: memory.get((name, what), [0.0] * len(g)) for what in rules}
            after = {what: each(rule, before[what], g) for what, rule in rules.items()}
            memory.update({(name, what): values for what, values in after.items()})
            told["state"] = {"before": before, "after": after}
            return list(after.values())

        if kind == "sgd":
            if not (momentum := settings.get("momentum")):
                return g
            forgotten = wrong.momentum == "velocity"
            [velocity] = remembered(velocity=lambda v, g: g if forgotten else momentum * v + g)
            if wrong.momentum == "change":
                return g
            return each(lambda v, g: momentum * v + g, velocity, g) if settings.get("nesterov") else velocity
        epsilon = settings.get("epsilon", EPSILON[kind])
        if kind in ("rmsprop", "adagrad"):
            alpha = settings.get("alpha", 0.99)
            average = {"square_average": lambda s, g: alpha * s + (1.0 - alpha) * g * g}
            [squares] = remembered(**(average if kind == "rmsprop" else {"square_sum": lambda s, g: s + g * g}))
            return each(lambda g, s: g / (s**0.5 + epsilon), g, squares)
        b1, b2 = settings.get("beta1", 0.9), settings.get("beta2", 0.999)
        moments = remembered(
            first_moment=lambda m, g: b1 * m + (1.0 - b1) * g,
            second_moment=lambda v, g: b2 * v + (1.0 - b2) * g * g,
        )
        names = ("first_moment", "second_moment")
        parts = [1.0 if what in wrong.uncorrected else 1.0 - b**self.timestep for what, b in zip(names, (b1, b2))]
        corrected = [[one / part for one in moment] for moment, part in zip(moments, parts, strict=True)]
        told["corrected"] = dict(zip(names, corrected, strict=True))
        return each(lambda m, v: m / (v**0.5 + epsilon), *corrected)


def running(up: Up) -> dict:
    """A batch normalization's running statistics follow the batch's, the variance by n - 1."""
    momentum, examples = up.layer.settings["momentum"], len(up.x)
    of_batch = {"mean": up.told["mean"], "variance": [v * examples / (examples - 1) for v in up.told["variance"]]}
    before = up.layer.running

    def follow(name: str) -> Row:
        return each(lambda old, new: old + momentum * (new - old), before[name], of_batch[name])

    return {name: {"before": before[name], "after": follow(name)} for name in of_batch}


def each(f: Callable[..., float], *rows: Row) -> Row:
    return [f(*ones) for ones in zip(*rows, strict=True)]


def flat(values: list) -> Row:
    return list(chain.from_iterable(values)) if isinstance(values[0], list) else values


def shaped_as(parameter: list, told: Any) -> Any:
    if isinstance(told, dict):
        return {name: shaped_as(parameter, inner) for name, inner in told.items()}
    if not isinstance(parameter[0], list):
        return told
    width = len(parameter[0])
    return [told[start : start + width] for start in range(0, len(told), width)]
