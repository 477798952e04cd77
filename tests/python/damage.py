"""Ways to damage a trace at a place, for the tests of what the re-checker says to that."""

from collections.abc import Callable
from typing import Any

Damage = Callable[[Any], None]


def without(*path: str | int) -> Damage:
    def remove(trace: Any) -> None:
        for step in path[:-1]:
            trace = trace[step]
        del trace[path[-1]]

    return remove


def with_value(value: Any, *path: str | int) -> Damage:
    def replace(trace: Any) -> None:
        for step in path[:-1]:
            trace = trace[step]
        trace[path[-1]] = value

    return replace


def reversed_at(*path: str | int) -> Damage:
    def reverse(trace: Any) -> None:
        for step in path:
            trace = trace[step]
        trace.reverse()

    return reverse
