"""The mistakes that are known by name, each with the ways in which one makes it: what plain_training does otherwise."""

from collections.abc import Callable
from dataclasses import dataclass

EVERYWHERE, OUTPUT, HIDDEN = "everywhere", "output", "hidden"
WHERE = (EVERYWHERE, OUTPUT, HIDDEN)


@dataclass(frozen=True)
class Wrong:
    """What is done otherwise; as it stands, nothing."""

    where: str = EVERYWHERE
    # "change", "loss" (the error of the outputs), "way" (the errors of each layer below), "gradients"
    flipped: str | None = None
    # In the place of f'(a): "one", "at_h", "h"; "told" where the derivative itself is said to be that.
    slope: str | None = None
    told: bool = False
    # "weights" (those of dense layers and shortcuts), "all" (the scales of normalizations too)
    early: str | None = None
    rate: Callable[[float], float] = lambda rate: rate
    # Of "loss" and "errors".
    doubled: tuple[str, ...] = ()
    # Of "loss" and "gradients".
    summed: tuple[str, ...] = ()
    # "written" (the layout alone), "up", "down", "read" (both, as if the matrix were given that way)
    transposed: str | None = None
    # "forward" or "learning"
    bias: str | None = None
    # "gradients" or "change"
    bias_times: str | None = None
    # "fused" (delta = y - a), "divided" (delta = y/a)
    softmax: str | None = None
    # "velocity" or "change"
    momentum: str | None = None
    uncorrected: tuple[str, ...] = ()
    undecayed: bool = False
    # The step is right, but the deltas that are told point the other way than the errors.
    mixed: bool = False

    def here(self, output: bool) -> bool:
        return self.where == EVERYWHERE or (self.where == OUTPUT) == output


RIGHT = Wrong()


def slopes(kind: str) -> list[Wrong]:
    return [Wrong(slope=kind, where=where, told=told) for where in WHERE for told in (False, True)]


WAYS: dict[str, list[Wrong]] = {
    "sign_flipped": [
        Wrong(flipped="change"),
        Wrong(flipped="loss"),
        Wrong(flipped="way"),
        *[Wrong(flipped="gradients", where=where) for where in WHERE],
    ],
    "signs_mixed": [Wrong(mixed=True)],
    "slope_forgotten": slopes("one"),
    "slope_at_outputs": slopes("at_h"),
    "slope_is_activation": slopes("h"),
    "updated_before_blame": [Wrong(early="weights"), Wrong(early="all")],
    "learning_rate_forgotten": [Wrong(rate=lambda _: 1.0)],
    "learning_rate_twice": [Wrong(rate=lambda rate: rate * rate)],
    "half_forgotten": [Wrong(doubled=("loss",)), Wrong(doubled=("errors",)), Wrong(doubled=("loss", "errors"))],
    "sum_instead_of_mean": [Wrong(summed=("loss",)), Wrong(summed=("gradients",)), Wrong(summed=("loss", "gradients"))],
    "weights_transposed": [Wrong(transposed=how) for how in ("written", "up", "down", "read")],
    "bias_forgotten": [Wrong(bias="learning"), *[Wrong(bias="forward", where=where) for where in WHERE]],
    "bias_updated_per_weight": [Wrong(bias_times="gradients"), Wrong(bias_times="change")],
    "softmax_forgotten": [Wrong(softmax="fused"), Wrong(softmax="divided")],
    "momentum_forgotten": [Wrong(momentum="velocity"), Wrong(momentum="change")],
    "bias_correction_forgotten": [
        Wrong(uncorrected=("first_moment", "second_moment")),
        Wrong(uncorrected=("first_moment",)),
        Wrong(uncorrected=("second_moment",)),
    ],
    "weight_decay_forgotten": [Wrong(undecayed=True)],
}


def ways(code: str, loss: str) -> list[Wrong]:
    """Not every mistake can be made with every loss."""
    of_loss = {"half_forgotten": "half_squared_error", "softmax_forgotten": "cross_entropy"}
    return WAYS[code] if of_loss.get(code, loss) == loss else []
