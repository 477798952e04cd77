"""Optimizers: where each goes with a gradient, and what it remembers for the next. A new one is one function and one
line.

Each takes the reader of the optimizer's settings and returns its direction: a function of one parameter's reader,
its gradient g and the number of the update, which checks what the optimizer remembers and says which way is uphill
for it. The change is against that, by the learning rate (rules/update.py).
"""

from collections.abc import Callable

from rules.numbers import divide, each, power, square_root
from rules.reader import Reader

Direction = Callable[[Reader, list, int], list]


def sgd(settings: Reader) -> Direction:
    """Plain gradient descent; with a momentum by a velocity, which Nesterov's form looks one step ahead of."""
    momentum = settings.number("momentum") if settings.has("momentum") else 0.0
    nesterov = settings.has("nesterov") and settings.flag("nesterov")

    def direction(parameter: Reader, g: list, timestep: int) -> list:
        if momentum == 0.0:
            return g
        velocity = remembered(parameter, g, timestep, velocity=lambda v, g: momentum * v + g)["velocity"]
        return each(lambda g, v: g + momentum * v, g, velocity) if nesterov else velocity

    return direction


def rmsprop(settings: Reader) -> Direction:
    """By the root of a fading mean of the squares."""
    alpha, epsilon = settings.number("alpha"), settings.number("epsilon")

    def direction(parameter: Reader, g: list, timestep: int) -> list:
        def faded(s: float, g: float) -> float:
            return alpha * s + (1.0 - alpha) * (g * g)

        squares = remembered(parameter, g, timestep, square_average=faded)["square_average"]
        return by_root(g, squares, epsilon)

    return direction


def adagrad(settings: Reader) -> Direction:
    """By the root of the sum of all squares."""
    epsilon = settings.number("epsilon")

    def direction(parameter: Reader, g: list, timestep: int) -> list:
        squares = remembered(parameter, g, timestep, square_sum=lambda s, g: s + g * g)["square_sum"]
        return by_root(g, squares, epsilon)

    return direction


def adam(settings: Reader) -> Direction:
    """By two fading means, each corrected for its start at zero. AdamW's are the same."""
    beta1, beta2, epsilon = (settings.number(name) for name in ("beta1", "beta2", "epsilon"))

    def direction(parameter: Reader, g: list, timestep: int) -> list:
        moments = remembered(
            parameter,
            g,
            timestep,
            first_moment=lambda m, g: beta1 * m + (1.0 - beta1) * g,
            second_moment=lambda v, g: beta2 * v + (1.0 - beta2) * (g * g),
        )
        corrected = parameter.child("corrected")
        for (name, moment), beta in zip(moments.items(), (beta1, beta2), strict=True):
            corrected.check(name, by(moment, 1.0 - power(beta, timestep)))
        corrected.done()
        return by_root(*corrected.seen.values(), epsilon)

    return direction


def by(quantity: list, divisor: float) -> list:
    return each(lambda number: divide(number, divisor), quantity)


def by_root(numerators: list, squares: list, epsilon: float) -> list:
    return each(lambda n, s: divide(n, square_root(s) + epsilon), numerators, squares)


def remembered(parameter: Reader, g: list, timestep: int, **slots: Callable[[float, float], float]) -> dict[str, list]:
    """Checks each slot of the parameter's state, made from what stood there before and the gradient; answers all as
    they are after the update. Before the first one they are zero."""
    state = parameter.child("state")
    before, after = state.child("before"), state.child("after")
    for name, renewed in slots.items():
        old = before.check(name, each(lambda _: 0.0, g)) if timestep == 1 else before.like(name, g)
        after.check(name, each(renewed, old, g))
    for reader in (before, after, state):
        reader.done()
    return after.seen


OPTIMIZERS = {"sgd": sgd, "rmsprop": rmsprop, "adam": adam, "adamw": adam, "adagrad": adagrad}
# Those whose formulas hold the number of the update, which the trace then shows.
COUNTING = {"adam", "adamw"}
# Those whose weight decay pulls at the parameter itself; with all others it is a part of the gradient.
DECOUPLED_DECAY = {"adamw"}
