"""Arithmetic as the service promises it: IEEE binary64, sums in index order, functions correctly rounded.

Python's float is binary64 and its + - * round once each, so plain loops are already right. Three things are
not: `sum` compensates since Python 3.12, `/`, `math.sqrt` and `math.log` raise where IEEE gives an infinity or
NaN, and `math.exp` and its kin come from the platform's library. This file holds the replacements.
"""

import math
from collections.abc import Callable, Iterable

from mpmath import mp, mpf

# More than the 53 bits of a double by so much that nearly every value is settled at the first try.
FIRST_PRECISION_BITS = 120
# mpmath promises a result within about one unit in the last place; 2^10 of them is far on the safe side.
GUARD_BITS = 10
# exp leaves the doubles well inside these: ln(largest double) = 709.78..., ln(half the smallest) = -745.13...
EXP_OVERFLOWS_FROM = 710.0
EXP_VANISHES_BELOW = -746.0
# Below this, 1 + expm1(x) = e^x < 10^-17, less than half of the step between -1 and the double above it.
EXPM1_IS_MINUS_ONE_BELOW = -40.0
# From 6 on, 1 - erf(x) < 10^-16.6, again less than half of a step.
ERF_IS_ONE_FROM = 6.0
# A power with a higher exponent never lies halfway between two doubles: 3^35 has more digits than any such point,
# and 2^-1076 is less than half of the smallest double.
EXACT_POWER_MAX = 1076
# 2^1024 is too large for a double and 2^-1076 too small; the rest is for the coarse logarithm.
POWER_OF_TWO_MAX = 1100.0


def in_order_sum(terms: Iterable[float]) -> float:
    """((t0 + t1) + t2) + ..., starting from the first term, not from 0.0."""
    terms = iter(terms)
    total = next(terms)
    for term in terms:
        total = total + term
    return total


def divide(numerator: float, denominator: float) -> float:
    """IEEE division: by zero it gives an infinity or NaN, where Python raises."""
    if denominator != 0.0:
        return numerator / denominator
    if numerator == 0.0 or math.isnan(numerator):
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)


def square_root(x: float) -> float:
    """IEEE's square root, correctly rounded; below zero it is NaN, where Python raises."""
    return math.nan if x < 0.0 else math.sqrt(x)


def each(function: Callable[..., float], first: list, *others: list) -> list:
    """`function` of the corresponding numbers of vectors or matrices of one shape."""
    if isinstance(first[0], list):
        return [each(function, *rows) for rows in zip(first, *others, strict=True)]
    return [function(*numbers) for numbers in zip(first, *others, strict=True)]


def exp(x: float) -> float:
    """e^x, correctly rounded."""
    # mpmath would compute e^(10^300) to its last digit; beyond these bounds the rounded answer is known.
    if x >= EXP_OVERFLOWS_FROM:
        return math.inf
    if x < EXP_VANISHES_BELOW:
        return 0.0
    return _correctly_rounded(mp.exp, x)


def ln(x: float) -> float:
    """The natural logarithm, correctly rounded; of zero it is -inf, below zero NaN."""
    if x == 0.0:
        return -math.inf
    if x < 0.0 or not math.isfinite(x):
        return math.inf if x == math.inf else math.nan
    return 0.0 if x == 1.0 else _correctly_rounded(mp.log, x)


def log1p(x: float) -> float:
    """ln(1 + x), correctly rounded; of -1 it is -inf, below that NaN."""
    if x == -1.0:
        return -math.inf
    if x < -1.0 or not math.isfinite(x):
        return math.inf if x == math.inf else math.nan
    return x if x == 0.0 else _correctly_rounded(mp.log1p, x)


def tanh(x: float) -> float:
    """The hyperbolic tangent, correctly rounded."""
    # From 20 on, 1 - tanh(x) < 10^-17, less than half of the step between 1 and the double below it.
    if abs(x) >= 20.0:
        return math.copysign(1.0, x)
    return x if x == 0.0 else _correctly_rounded(mp.tanh, x)


def expm1(x: float) -> float:
    """e^x - 1, correctly rounded."""
    if x >= EXP_OVERFLOWS_FROM:
        return math.inf
    if x < EXPM1_IS_MINUS_ONE_BELOW:
        return -1.0
    return x if x == 0.0 else _correctly_rounded(mp.expm1, x)


def erf(x: float) -> float:
    """The error function, correctly rounded."""
    if abs(x) >= ERF_IS_ONE_FROM:
        return math.copysign(1.0, x)
    return x if x == 0.0 else _correctly_rounded(mp.erf, x)


def power(base: float, exponent: int) -> float:
    """base^exponent for a base from 0 and an exponent from 1, correctly rounded."""
    # Its exact value could have billions of digits; beyond these bounds the rounded one is known.
    size = exponent * math.log2(abs(base)) if base != 0.0 else -math.inf
    if abs(size) > POWER_OF_TWO_MAX:
        return 0.0 if size < 0.0 else math.inf
    if exponent <= EXACT_POWER_MAX:
        numerator, denominator = base.as_integer_ratio()
        # The denominator is a power of two.
        return _nearest_double(numerator**exponent, -(denominator.bit_length() - 1) * exponent)
    return _correctly_rounded(lambda b: b**exponent, base)


def _correctly_rounded(function: Callable[[mpf], mpf], x: float) -> float:
    """Ziv's strategy: compute with an error bound, and again more precisely while both ends of the
    bounded interval do not round to the same double. It ends, because none of these functions takes a value
    halfway between two doubles (or a double itself, apart from the points that the callers treat first)."""
    if math.isnan(x):
        return x
    bits = FIRST_PRECISION_BITS
    while True:
        with mp.workprec(bits):
            sign, mantissa, exponent, width = function(mpf(x))._mpf_
        # With gmpy2 installed the mantissa is its integer, whose division rounds otherwise than Python's.
        mantissa = int(mantissa)
        # Widen the mantissa to `bits` places, so that one unit of it is one unit of the working precision.
        shift = max(bits - width, 0)
        mantissa, exponent = mantissa << shift, exponent - shift
        low = _nearest_double(mantissa - (1 << GUARD_BITS), exponent)
        high = _nearest_double(mantissa + (1 << GUARD_BITS), exponent)
        if low == high:
            return -low if sign else low
        bits *= 2


def _nearest_double(mantissa: int, exponent: int) -> float:
    """mantissa * 2^exponent rounded once, to nearest and ties to even, subnormal numbers included.

    Python divides integers exactly that way. mpmath's own conversion rounds a subnormal number twice.
    """
    try:
        return float(mantissa << exponent) if exponent >= 0 else mantissa / (1 << -exponent)
    except OverflowError:
        return math.inf
