"""What a pass of the plain trainer is made of: layers, what they did on the way up and down, and what is done otherwise
where a mistake is made.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import takewhile
from typing import NamedTuple

from plain_functions import Matrix, product, scaled, turned
from plain_mistakes import Wrong


@dataclass(frozen=True)
class Layer:
    name: str
    kind: str
    # As the layer's kind has them: activation, rate, epsilon, momentum, shortcut
    settings: dict = field(default_factory=dict)
    # weights, bias, gamma, beta, by name
    parameters: dict = field(default_factory=dict)
    # A residual block's branch, from below
    layers: tuple["Layer", ...] = ()
    # Of a batch normalization: mean and variance, by name
    running: dict | None = None
    # What the optimizer remembers: (parameter, what) -> a flat list
    memory: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Pass:
    """A pass, and what is done otherwise in it."""

    wrong: Wrong
    training: bool
    # By a dropout's name, what it multiplies with
    masks: dict
    targets: Matrix
    # The layer that the loss looks at
    top: Layer
    # By name: the layers of the outputs, and those whose activation is another layer
    of_outputs: frozenset[str]
    activated_above: frozenset[str]
    # What a layer has learned once its gradients are known
    learned: Callable[[Layer, dict], Layer]

    def here(self, layer: Layer) -> bool:
        return self.wrong.here(layer.name in self.of_outputs)

    def activation(self, layer: Layer) -> str:
        return "linear" if layer is self.top and self.wrong.softmax else layer.settings["activation"]

    def slope_of(self, layer: Layer) -> str | None:
        """What stands in the place of the layer's slope, if anything."""
        return self.wrong.slope if self.here(layer) and layer.name not in self.activated_above else None

    def up_through(self, weights: Matrix, x: Matrix) -> Matrix:
        return product(x, turned_if_square(weights, self.wrong.transposed in ("up", "read")))

    def down_through(self, layer: Layer, gradients: dict, what: Matrix) -> Matrix:
        weights = (self.learned(layer, gradients) if self.wrong.early else layer).parameters["weights"]
        passed = product(what, turned(turned_if_square(weights, self.wrong.transposed in ("down", "read"))))
        return scaled(passed, -1.0) if self.wrong.flipped == "way" else passed

    def uphill(self, layer: Layer, sums: Matrix) -> Matrix:
        """A gradient, from a sum over the examples that points downhill."""
        count = 1 if "gradients" in self.wrong.summed else len(self.targets)
        sign = 1.0 if self.wrong.flipped == "gradients" and self.here(layer) else -1.0
        return scaled(sums, sign / count)

    def scales_on_the_way_down(self, layer: Layer, gradients: dict) -> list[float]:
        return (self.learned(layer, gradients) if self.wrong.early == "all" else layer).parameters["gamma"]

    def gradient_of_weights(self, layer: Layer, x: Matrix, blame: Matrix) -> Matrix:
        gradient = self.uphill(layer, product(turned(x), blame))
        return turned_if_square(gradient, self.wrong.transposed == "read")

    def gradient_of_units(self, layer: Layer, blame: Matrix) -> list[float]:
        return self.uphill(layer, [[sum(column) for column in turned(blame)]])[0]


class Up(NamedTuple):
    layer: Layer
    x: Matrix
    out: Matrix
    told: dict
    # What the errors are multiplied with; softmax has no such thing
    slopes: Matrix | None = None
    inner: tuple["Up", ...] = ()


class Down(NamedTuple):
    layer: Layer
    told: dict
    gradients: dict
    # What goes to the layer below
    passed: Matrix
    inner: tuple["Down", ...] = ()


def turned_if_square(m: Matrix, turn: bool) -> Matrix:
    return turned(m) if turn and len(m) == len(m[0]) else m


def layers_of_outputs(layers: tuple[Layer, ...]) -> frozenset[str]:
    """The last dense layer, the blocks around it, and all above it."""
    found: frozenset[str] = frozenset()
    for layer in reversed(layers):
        if not any(one.kind == "dense" for one in every(layer)):
            found |= {one.name for one in every(layer)}
            continue
        return found | {layer.name} | layers_of_outputs(layer.layers)
    return found


def layers_activated_above(layers: tuple[Layer, ...], beyond: tuple[Layer, ...] = ()) -> frozenset[str]:
    """The linear dense layers whose activation is a layer of its own: it comes before the next weights."""
    found: frozenset[str] = frozenset()
    for place, layer in enumerate(layers):
        above = (*layers[place + 1 :], *beyond)
        before_the_next = takewhile(lambda one: one.kind not in ("dense", "residual"), above)
        if layer.settings.get("activation") == "linear" and any(one.kind == "activation" for one in before_the_next):
            found |= {layer.name} if layer.kind == "dense" else set()
        found |= layers_activated_above(layer.layers, above)
    return found


def every(layer: Layer) -> list[Layer]:
    return [layer, *(deeper for inner in layer.layers for deeper in every(inner))]
