"""Exact arithmetic, rounded once: what the fixtures' scripts compute with. The re-checker has its own code.

The four operations are carried out on fractions; the functions are enclosed in intervals by mpmath, at growing
precision, until both ends of the enclosure round to the same double. So each result here is the double nearest
to the true one (ties to even), and it owes nothing to the platform's floating point.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from math import copysign, frexp, inf, log2, ulp

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


def expm1(x: float) -> float:
    if x > 1000.0:
        return inf
    if x < -1000.0:
        return -1.0
    return _settle(lambda: iv.exp(iv.mpf(x)) - 1) if x else x


def log10(x: float) -> float:
    if x == 0.0:
        return -inf
    return _settle(lambda: iv.log(iv.mpf(x)) / iv.log(iv.mpf(10))) if x != 1.0 else 0.0


def erf(x: float) -> float:
    # 1 - erf(10) is less than 10^-44.
    if abs(x) > 10.0:
        return copysign(1.0, x)
    return _settle(lambda: _erf_enclosed(iv.mpf(x))) if x else x


def _erf_enclosed(x: iv.mpf) -> iv.mpf:
    """2/√π·e^(−x²)·Σ 2ⁿx^(2n+1)/(2n+1)!!. All terms have one sign; once each is at most half of the one before, what
    is left out is no more than the last one."""
    term = total = x
    n = 0
    while True:
        n += 1
        ratio = 2 * x * x / (2 * n + 1)
        term = term * ratio
        total = total + term
        if ratio.b <= 0.5 and abs(term).b < abs(total).a * iv.mpf(2) ** -iv.prec:
            return (total + term * iv.mpf([0, 1])) * iv.exp(-x * x) * 2 / iv.sqrt(iv.pi)


def power(base: float, exponent: float) -> float:
    """base^exponent for a base above zero and a whole exponent from 1."""
    size = exponent * log2(base)
    # Far outside of the doubles' range.
    if abs(size) > 2000.0:
        return inf if size > 0.0 else 0.0
    # Up to here the value is worked out: it may be a double, or the middle of two. With a higher exponent only a power
    # of two can, for 3^1100 has more digits than either.
    if exponent <= 1100.0:
        return nearest(Fraction(base) ** int(exponent))
    if frexp(base)[0] == 0.5:
        return nearest(Fraction(2) ** int(size))
    return _settle(lambda: iv.exp(iv.mpf(exponent) * iv.log(iv.mpf(base))))


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


def hardness(function: Callable[..., float], *arguments: float) -> float:
    """How near to the middle between two doubles the true value lies, in units of their distance: small is hard."""
    with _capture() as enclosures:
        result = function(*arguments)
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
