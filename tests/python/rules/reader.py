"""Reading a trace strictly: every key must be known, every shape must fit, every computed number must be equal.

A `Reader` stands on one object of the trace and knows its RFC 6901 pointer. Rules ask it for given values
(`number`, `vector`, `matrix`) and hand it expected ones (`check`); what it was never asked for is unknown.
"""

import math
import struct
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mismatch:
    """A place where the trace is not what its own earlier numbers say. `expected` is a number, or a text
    where the form is wrong; `got` is what stands there."""

    pointer: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return f"{self.pointer or '(the whole trace)'}: expected {self.expected!r}, got {self.got!r}"


@dataclass
class Findings:
    """All mismatches so far, and how many numbers were recomputed (so that a pass shows it was no empty one)."""

    mismatches: list[Mismatch] = field(default_factory=list)
    recomputed: int = 0


class Broken(Exception):
    """The form is so wrong that the numbers after it cannot be computed; the mismatch is already recorded."""


class Reader:
    def __init__(self, value: Any, pointer: str, findings: Findings):
        self.pointer, self.findings = pointer, findings
        if not isinstance(value, dict):
            raise self._broken(pointer, "an object", value)
        self.value = value
        # Quantities of this object that were read or checked: what later quantities are computed from.
        self.seen: dict[str, Any] = {}
        self._asked: set[str] = set()

    def has(self, key: str) -> bool:
        return key in self.value

    def at(self, key: str | int) -> str:
        """The pointer of a member, with RFC 6901's two escapes."""
        return f"{self.pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"

    def text(self, key: str) -> str:
        value = self._get(key)
        if not isinstance(value, str) or not value:
            raise self._broken(self.at(key), "a text", value)
        return value

    def same(self, key: str, expected: str) -> None:
        """A text that must be this one; numbers after another one would mean something else."""
        if (value := self.text(key)) != expected:
            raise self._broken(self.at(key), expected, value)

    def choice(self, key: str, table: dict[str, Any]) -> Any:
        """What `table` holds for the name that stands here."""
        name = self.text(key)
        if name not in table:
            raise self._broken(self.at(key), f"one of {', '.join(table)}", name)
        return table[name]

    def count(self, key: str) -> int:
        value = self._get(key)
        if type(value) is not int or not 0 <= value <= 2**53:
            raise self._broken(self.at(key), "a whole number from 0 to 2^53", value)
        return value

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if type(value) is not bool:
            raise self._broken(self.at(key), "true or false", value)
        return value

    def number(self, key: str) -> float:
        return self._remember(key, self._number(self._get(key), self.at(key)))

    def vector(self, key: str, length: int) -> list[float]:
        return self._remember(key, self._numbers(self._get(key), self.at(key), [length]))

    def matrix(self, key: str, rows: int | None = None, columns: int | None = None) -> list[list[float]]:
        """Rows of one length, at least one each way; None leaves a size to the trace."""
        value = self._get(key)
        first = self._list(self._list(value, self.at(key), rows)[0], self.at(key) + "/0", columns)
        return self._remember(key, self._numbers(value, self.at(key), [len(value), len(first)]))

    def like(self, key: str, other: Any) -> Any:
        """A quantity of the same shape as this one."""
        return self._remember(key, self._numbers(self._get(key), self.at(key), _shape(other)))

    def child(self, key: str) -> "Reader":
        return type(self)(self._get(key), self.at(key), self.findings)

    def children(self, key: str, length: int | None = None) -> list["Reader"]:
        values = self._list(self._get(key), self.at(key), length)
        return [type(self)(value, f"{self.at(key)}/{i}", self.findings) for i, value in enumerate(values)]

    def check(self, key: str, expected: Any) -> Any:
        """Compares a quantity, and answers what is *given*: its successors are judged by what stands there,
        so that one wrong number is not reported again for all that follow from it."""
        given = self._numbers(self._get(key), self.at(key), _shape(expected))
        self._compare(self.at(key), expected, given)
        return self._remember(key, given)

    def done(self) -> None:
        """Whatever no rule asked for does not belong here."""
        for key in self.value:
            if key not in self._asked:
                self.findings.mismatches.append(Mismatch(self.at(key), "no such key", self.value[key]))

    def refuse(self, key: str, expected: str) -> Broken:
        """For rules with a condition of their own: `raise reader.refuse(...)`."""
        return self._broken(self.at(key), expected, self.value.get(key))

    def _get(self, key: str) -> Any:
        self._asked.add(key)
        if key not in self.value:
            raise self._broken(self.at(key), "to be there", None)
        return self.value[key]

    def _remember(self, key: str, quantity: Any) -> Any:
        self.seen[key] = quantity
        return quantity

    def _compare(self, pointer: str, expected: Any, given: Any) -> None:
        if isinstance(expected, list):
            for i, (wanted, got) in enumerate(zip(expected, given, strict=True)):
                self._compare(f"{pointer}/{i}", wanted, got)
            return
        self.findings.recomputed += 1
        # Tolerance zero: the same bits, the sign of a zero included, for the next division may turn on it.
        if struct.pack(">d", expected) != struct.pack(">d", given):
            self.findings.mismatches.append(Mismatch(pointer, expected, given))

    def _numbers(self, value: Any, pointer: str, shape: list[int]) -> Any:
        if not shape:
            return self._number(value, pointer)
        items = self._list(value, pointer, shape[0])
        return [self._numbers(item, f"{pointer}/{i}", shape[1:]) for i, item in enumerate(items)]

    def _number(self, value: Any, pointer: str) -> float:
        # A bool is an int to Python, and an int may be too large for a double.
        if type(value) is int and abs(value) <= 2**1023:
            return float(value)
        if type(value) is not float or not math.isfinite(value):
            raise self._broken(pointer, "a finite number", value)
        return value

    def _list(self, value: Any, pointer: str, length: int | None) -> list:
        if not isinstance(value, list) or not value or (length is not None and len(value) != length):
            raise self._broken(pointer, "a list that is not empty" if length is None else f"a list of {length}", value)
        return value

    def _broken(self, pointer: str, expected: Any, got: Any) -> Broken:
        self.findings.mismatches.append(Mismatch(pointer, expected, got))
        return Broken(pointer)


class Draft(Reader):
    """The same rules without a trace to compare with: `check` takes what it is told. With it the pass behind
    `loss_after`, whose inner numbers the trace does not carry, runs through the same functions."""

    def check(self, key: str, expected: Any) -> Any:
        return self._remember(key, expected)

    def done(self) -> None:
        pass


def _shape(quantity: Any) -> list[int]:
    return [len(quantity), *_shape(quantity[0])] if isinstance(quantity, list) else []
