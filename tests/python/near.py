"""What another program says, and whether the service says nearly the same.

A number may be off by a tolerance relative to itself, but at least relative to a thousandth of the largest number of
its tensor: where terms cancel, the digits that another order of sums has lost are no fault.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

SCALE_MIN = 1e-3


class Difference(NamedTuple):
    relative: float
    pointer: str
    expected: float
    got: float


def near(expected: Any, got: Any, relative: float, absolute: float = 0.0) -> None:
    """Everything that is expected is there too, and nearly the same."""
    found = differences(expected, got)
    far = [one for one in found if one.relative > relative and abs(one.expected - one.got) > absolute]
    assert not far, f"{len(far)} numbers are off by more than {relative}, as {max(far)}"


def differences(expected: Any, got: Any, pointer: str = "") -> Iterator[Difference]:
    """The relative error of each number, its place, and both numbers. Whatever else differs fails at once."""
    if isinstance(expected, dict) and "excerpt_of" in expected:
        yield from _of_excerpt(expected, got, pointer)
    elif isinstance(expected, dict):
        for key, value in expected.items():
            assert key in got, f"{pointer} has no {key}"
            yield from differences(value, got[key], f"{pointer}/{key}")
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert len(got) == len(expected), f"{pointer} has {len(got)} items, not {len(expected)}"
        for index, value in enumerate(expected):
            yield from differences(value, got[index], f"{pointer}/{index}")
    elif isinstance(expected, (list, float)):
        assert shape(got) == shape(expected), f"{pointer} is {shape(got)}, not {shape(expected)}"
        numbers = flat(expected)
        scale = SCALE_MIN * max(map(abs, numbers), default=0.0)
        for index, (one, other) in enumerate(zip(numbers, flat(got), strict=True)):
            yield Difference(error(one, other, scale), f"{pointer} at {index}", one, other)
    else:
        assert got == expected, f"{pointer} is {got!r}, not {expected!r}"


def _of_excerpt(expected: dict, got: Any, pointer: str) -> Iterator[Difference]:
    """A large tensor is known by a few entries, its norm, and its projection Σ x_k·cos k, which is judged by the
    norm: every entry has its part in both."""
    assert shape(got) == expected["excerpt_of"], f"{pointer} is {shape(got)}, not {expected['excerpt_of']}"
    numbers = flat(got)
    norm = math.sqrt(math.fsum(x * x for x in numbers))
    projection = math.fsum(x * math.cos(k) for k, x in enumerate(numbers))
    yield Difference(error(expected["norm"], norm), f"{pointer}, its norm", expected["norm"], norm)
    off = error(expected["projection"], projection, expected["norm"])
    yield Difference(off, f"{pointer}, its projection", expected["projection"], projection)
    scale = SCALE_MIN * max(map(abs, numbers))
    for index, value in expected["entries"]:
        yield Difference(error(value, numbers[index], scale), f"{pointer} at {index}", value, numbers[index])


def error(expected: float, got: float, scale: float = 0.0) -> float:
    if expected == got:
        return 0.0
    scale = max(abs(expected), scale)
    return abs(got - expected) / scale if scale > 0.0 else math.inf


def shape(tensor: Any) -> list[int]:
    return [len(tensor), *shape(tensor[0])] if isinstance(tensor, list) and tensor else []


def flat(tensor: Any) -> list[float]:
    return [x for item in tensor for x in flat(item)] if isinstance(tensor, list) else [tensor]
