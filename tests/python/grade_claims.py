"""Claims out of the plain trainer's numbers, as clients make them, and what may be said of two of them.

A claim that is rounded is near a number or far from it or, within a unit of its last place, neither: whoever computes
on with rounded numbers is off by that much, so that a judge may say the one or the other.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from plain_functions import scaled, turned
from plain_mistakes import Wrong

# Signs of errors and deltas, and of gradients: everyone may choose either sign for either.
CONVENTIONS = [(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)]
NEAR, NEITHER, FAR = range(3)
# Relative to a number, or to a thousandth of the largest of its quantity: two computations in other orders are this
# close.
TOLERANCE = 1e-9
# A quantity whose numbers are all below this is zero in truth: they are made of roundings, other ones for everybody.
ROUNDINGS = 1e-11

Number = tuple[str, str, float | None]


class Claimed(NamedTuple):
    """A claimed number: its quantity, its own pointer, itself, and a unit of its last place as its text tells."""

    quantity: str
    pointer: str
    value: float
    unit: float


def claimed_numbers(claim: dict) -> list[Claimed]:
    told = [one for one in numbers(claim) if one[2] is not None]
    elsewhere = most_decimals([value for _, _, value in told])
    found = []
    for _, group in groupby(told, key=lambda one: one[0]):
        group = list(group)
        of_group = units([value for _, _, value in group], elsewhere)
        found += [Claimed(*one, unit) for one, unit in zip(group, of_group, strict=True)]
    return found


def as_text(value: float) -> Decimal:
    return Decimal(repr(float(value))).normalize()


def most_decimals(values: list[float]) -> int:
    return max((-as_text(value).as_tuple().exponent for value in values), default=0)


def units(values: list[float], elsewhere: int) -> list[float]:
    """JSON does not show zeros at the end: a number has as many decimals as the one beside it that has most, or, where
    that is coarser, as many digits as the one that has most. But two zeros at the end are rare: one that shows decimals,
    and two fewer than there are, has just these. Whole numbers have the decimals of the whole claim."""
    most = most_decimals(values)
    if most <= 0:
        return [10.0**-elsewhere if elsewhere > 0 else 0.0] * len(values)
    texts = [as_text(value) for value in values]
    digits = max(len(text.as_tuple().digits) for text in texts)

    def decimals(text: Decimal) -> int:
        own = -text.as_tuple().exponent
        kept = own if own >= 1 and own + 2 <= most else most
        return min(kept, digits - text.adjusted() - 1) if text else most

    return [10.0 ** -decimals(text) for text in texts]


def named(*names: str) -> Callable[[str], bool]:
    """Quantities by the name at the end of their pointer."""
    return lambda pointer: pointer.split("/")[-1] in names


def within(*sections: str) -> Callable[[str], bool]:
    return lambda pointer: pointer.split("/")[1] in sections


# What clients tell of their numbers.
PARTS: dict[str, Callable[[str], bool]] = {
    "all": lambda pointer: True,
    "backward": within("backward"),
    "update": within("update"),
    "backward and update": within("backward", "update"),
    "forward and loss": within("forward", "loss"),
    "deltas and changes": named("deltas", "change"),
    "loss": within("loss"),
    "deltas": named("deltas"),
    "gradients": lambda pointer: "/gradients/" in pointer,
    "after": named("after"),
    "statistics": named("mean", "variance", "deviation", "normalized"),
    "states": lambda pointer: "/state/" in pointer or "/corrected/" in pointer,
    "without biases": lambda pointer: "/bias" not in pointer,
    "without derivatives": lambda pointer: "derivatives" not in pointer,
}


def quantities(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Each quantity's pointer and its numbers, in the order of computation; a name is none."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from quantities(inner, f"{pointer}/{key}")
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(value):
            yield from quantities(inner, f"{pointer}/{index}")
    elif not isinstance(value, str):
        yield pointer, value


def numbers(trace: dict) -> list[Number]:
    """Every number: its quantity, its own pointer, and itself."""

    def each(quantity: str, pointer: str, value: Any) -> Iterator[Number]:
        if isinstance(value, list):
            for index, inner in enumerate(value):
                yield from each(quantity, f"{pointer}/{index}", inner)
        else:
            yield quantity, pointer, value

    return [one for pointer, value in quantities(trace) for one in each(pointer, pointer, value)]


def as_written(trace: dict, wrong: Wrong) -> dict:
    """The trace as one writes it down who exchanges rows and columns of every weight matrix, or turns the signs of
    deltas, but not of errors."""

    def rewritten(value: Any, pointer: str) -> Any:
        if isinstance(value, dict):
            return {key: rewritten(inner, f"{pointer}/{key}") for key, inner in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [rewritten(inner, pointer) for inner in value]
        return turned(value) if "/weights" in pointer and isinstance(value, list) else value

    if wrong.mixed:
        return {**trace, "backward": {"layers": turned_deltas(trace["backward"]["layers"])}}
    return rewritten(trace, "") if wrong.transposed == "written" else trace


def turned_deltas(layers: list[dict]) -> list[dict]:
    turned_inside = {"layers": turned_deltas, "deltas": lambda deltas: scaled(deltas, -1.0)}
    return [{key: turned_inside.get(key, lambda one: one)(value) for key, value in one.items()} for one in layers]


def sign_of(quantity: str, convention: tuple[float, float]) -> float:
    if not quantity.startswith("/backward/"):
        return 1.0
    return convention[1] if "/gradients/" in quantity else convention[0]


def claim_of(trace: dict, part: str, decimals: int | None, convention: tuple[float, float]) -> dict | None:
    """What of the trace a client claims; nothing where that is nothing, or zeros that do not show their decimals."""
    wanted = PARTS[part]

    def told(value: Any, pointer: str) -> Any:
        if isinstance(value, dict):
            found = {key: told(inner, f"{pointer}/{key}") for key, inner in value.items()}
            return {key: inner for key, inner in found.items() if inner is not None and inner != {}}
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [told(inner, f"{pointer}/{index}") for index, inner in enumerate(value)]
        if isinstance(value, str):
            return value
        return signed(value, sign_of(pointer, convention)) if wanted(pointer) and not is_roundings(value) else None

    def signed(value: Any, sign: float) -> Any:
        if isinstance(value, list):
            return [signed(one, sign) for one in value]
        if value is None:
            return None
        return sign * value if decimals is None else round(sign * value, decimals)

    claim = told(trace, "")
    values = [value for _, _, value in numbers(claim) if value is not None]
    return claim if values and (decimals is None or most_decimals(values) > 0) else None


def is_roundings(value: Any) -> bool:
    return 0.0 < largest(value) < ROUNDINGS


def largest(value: Any) -> float:
    if isinstance(value, list):
        return max(map(largest, value), default=0.0)
    return abs(value) if value is not None else 0.0


class Told:
    """Numbers that can be looked up, with the largest of each quantity."""

    def __init__(self, trace: dict):
        self.numbers = numbers(trace)
        self.value = {pointer: value for _, pointer, value in self.numbers}
        self.largest: dict[str, float] = {}
        for quantity, _, value in self.numbers:
            self.largest[quantity] = max(self.largest.get(quantity, 0.0), abs(value or 0.0))

    def judge(self, claimed: Claimed, convention: tuple[float, float]) -> int:
        """How near a claimed number is to this one."""
        own = self.value.get(claimed.pointer)
        if own is None:
            return FAR
        off = abs(claimed.value - sign_of(claimed.quantity, convention) * own)
        slack = TOLERANCE * max(abs(own), 1e-3 * self.largest[claimed.quantity])
        if off <= max(0.5 * claimed.unit * (1.0 + 1e-9), 0.5 * slack):
            return NEAR
        return FAR if off > max(1.0001 * claimed.unit, 2.0 * slack) else NEITHER

    def worst(self, claim: list[Claimed]) -> int:
        """How near a whole claim is in the convention that suits it best."""
        return min(self.worst_in(claim, convention) for convention in CONVENTIONS)

    def worst_in(self, claim: list[Claimed], convention: tuple[float, float]) -> int:
        worst = NEAR
        for claimed in claim:
            worst = max(worst, self.judge(claimed, convention))
            if worst == FAR:
                break
        return worst
