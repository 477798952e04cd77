"""Optimizers: the change of a parameter from its gradient. A new one is one function and one line.

Each takes the reader of the optimizer's settings and returns the rule for one parameter; the rule checks
`change` (and, for optimizers that remember, their state) and returns it.
"""

from collections.abc import Callable

from rules.numbers import each
from rules.reader import Reader

Rule = Callable[[Reader, list], list]


def sgd(settings: Reader) -> Rule:
    """Plain gradient descent: against the gradient, by the learning rate."""
    rate = settings.number("learning_rate")
    return lambda parameter, gradient: parameter.check("change", each(lambda g: 0.0 - rate * g, gradient))


OPTIMIZERS = {"sgd": sgd}
