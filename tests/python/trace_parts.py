"""Finding one's way in a trace: its layers with what they did on the way up, on the way back and in the update."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Matrix = list[list[float]]


@dataclass(frozen=True)
class Part:
    """One layer; `inputs` is what came into it from below."""

    name: str
    up: dict
    down: dict
    update: dict
    inputs: Matrix


def parts(trace: dict) -> list[Part]:
    """All layers from below, each in front of those inside of it."""
    update = trace["update"]["layers"]
    return list(_parts(trace["forward"]["layers"], trace["backward"]["layers"], update, trace["forward"]["inputs"]))


def _parts(ups: list[dict], downs: list[dict], updates: list[dict], inputs: Matrix) -> Iterator[Part]:
    for up, down, update in zip(ups, reversed(downs), reversed(updates), strict=True):
        yield Part(up["name"], up, down, update, inputs)
        if "layers" in up:
            yield from _parts(up["layers"], down["layers"], update["layers"], inputs)
        inputs = up["outputs"]


def part_of(trace: dict, name: str) -> Part:
    return next(part for part in parts(trace) if part.name == name)


def parameters_of(trace: dict) -> list[tuple[Part, str, list[int]]]:
    """Every number of every parameter: its layer, the parameter's name and the index."""
    found = []
    for part in parts(trace):
        for name, values in part.up.get("parameters", {}).items():
            found += [(part, name, index) for index in indices(values)]
    return found


def indices(values: Any) -> list[list[int]]:
    if not isinstance(values, list):
        return [[]]
    return [[at, *rest] for at, value in enumerate(values) for rest in indices(value)]


def at(values: Any, index: list[int]) -> float:
    for place in index:
        values = values[place]
    return values


def total(terms: Iterator[float] | list[float]) -> float:
    """Term after term: Python's own `sum` compensates since 3.12."""
    result = None
    for term in terms:
        result = term if result is None else result + term
    return 0.0 if result is None else result


def is_close(a: float, b: float, relative: float, scale: float = 0.0) -> bool:
    """Equal to so many parts of the larger of the two, or of a scale that both are parts of."""
    return abs(a - b) <= relative * max(abs(a), abs(b), scale)
