"""Exact arithmetic, rounded once: what the fixtures' scripts compute with. The re-checker has its own code.

The four operations are carried out on fractions; the functions are enclosed in intervals by mpmath, at growing
precision, until both ends of the enclosure round to the same double. So each result here is the double nearest
to the true one (ties to even), and it owes nothing to the platform's floating point.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from math import copysign, inf, ulp

from mpmath import iv

FIRST_PRECISION_BITS = 200


def nearest(value: Fraction) -> float:
    """The double nearest to an exact value."""
    try:
        # Python divides two integers with one correct rounding, also where the result is subnormal.
        return value.numerator / value.denominator
    except OverflowError:
        return inf if value > 0 else -inf


def add(a: float, b: float) -> float:
    return nearest(Fraction(a) + Fraction(b))


def subtract(a: float, b: float) -> float:
    return nearest(Fraction(a) - Fraction(b))


def multiply(a: float, b: float) -> float:
    return nearest(Fraction(a) * Fraction(b))


def divide(a: float, b: float) -> float:
    return nearest(Fraction(a) / Fraction(b))


def square_root(a: float) -> float:
    return _settle(lambda: iv.sqrt(iv.mpf(a))) if a else a


def exp(x: float) -> float:
    # Far outside of the doubles' range mpmath would work for ever on digits that nobody needs.
    if x > 1000.0:
        return inf
    if x < -1000.0:
        return 0.0
    return _settle(lambda: iv.exp(iv.mpf(x))) if x else 1.0


def ln(x: float) -> float:
    if x == 0.0:
        return -inf
    return _settle(lambda: iv.log(iv.mpf(x))) if x != 1.0 else 0.0


def log1p(x: float) -> float:
    if x == -1.0:
        return -inf
    return _settle(lambda: iv.log(1 + iv.mpf(x))) if x else x


def tanh(x: float) -> float:
    if abs(x) > 1000.0:
        return copysign(1.0, x)
    return _settle(lambda: 1 - 2 / (iv.exp(2 * iv.mpf(x)) + 1)) if x else x


def cospi(x: float) -> float:
    """cos(πx). At the half integers it is +0, as IEEE 754 has it; at the integers 1 or -1."""
    turn = Fraction(abs(x)) % 2  # exact, so that a large x loses nothing
    if turn.denominator <= 2:
        return {Fraction(0): 1.0, Fraction(1): -1.0}.get(turn, 0.0)
    return _settle(lambda: iv.cos(iv.pi * iv.mpf(turn.numerator) / turn.denominator))


def hardness(function: Callable[[float], float], x: float) -> float:
    """How near to the middle between two doubles the true value lies, in units of their distance: small is hard."""
    with _capture() as enclosures:
        result = function(x)
    if not enclosures or result in (0.0, inf, -inf):
        return 1.0
    low, high = enclosures[0]
    return float(abs(Fraction(1, 2) - abs((low + high) / 2 - Fraction(result)) / Fraction(ulp(result))))


_captured: list | None = None


@contextmanager
def _capture() -> Iterator[list]:
    global _captured
    _captured = []
    try:
        yield _captured
    finally:
        _captured = None


def _settle(enclose: Callable[[], object]) -> float:
    """Ends for all of the functions above: apart from the points they treat first, none takes a value that is
    a double or the middle of two (a square root may be a double; then both ends round to it)."""
    bits = FIRST_PRECISION_BITS
    while True:
        iv.prec = bits
        low, high = (_fraction(end) for end in enclose()._mpi_)
        if nearest(low) == nearest(high):
            if _captured is not None:
                _captured.append((low, high))
            return nearest(low)
        bits *= 2


def _fraction(mpf: tuple[int, int, int, int]) -> Fraction:
    sign, mantissa, exponent, _ = mpf
    value = Fraction(int(mantissa)) * Fraction(2) ** exponent
    return -value if sign else value
