"""Makes math.json: correctly rounded values of every function that the service takes from its library, as hexadecimal
floats: the arguments, and the value.

Each function gets 400 inputs: its edges and the literature's hard cases, those of many random ones whose value
lies nearest to the middle between two doubles, and random ones over all magnitudes. Run it in the environment of
tests/python/requirements.txt:

    python3 tests/golden/math_functions.py
"""

import random
from collections.abc import Callable
from itertools import cycle, islice
from math import inf, nextafter

import exact
from fixture import made_by, write

INPUTS = 400
HARD = 100
SEARCHED_FOR_HARD = 20_000
SEED = 20

SMALLEST, SMALLEST_NORMAL, LARGEST = 2.0**-1074, 2.0**-1022, nextafter(inf, 0.0)


def any_magnitude(draw: random.Random, low: int, high: int) -> float:
    """A random mantissa and sign, the exponent evenly from [low, high]."""
    return draw.choice([-1.0, 1.0]) * (1.0 + draw.random()) * 2.0 ** draw.randint(low, high)


def around(*values: float) -> list[float]:
    """Each value with its two neighbours."""
    return [x for value in values for x in (nextafter(value, -inf), value, nextafter(value, inf))]


def both_signs(*values: float) -> list[float]:
    return [sign * value for value in values for sign in (1.0, -1.0)]


def power_of(draw: random.Random, low: float, high: float) -> tuple[float, float]:
    """A base a little below 1, as Adam's are, and a whole exponent that leaves something of it."""
    base = 1.0 - exact.exp(draw.uniform(low, high))
    return base, float(draw.randint(1, 1 + int(min(745.0 / (1.0 - base), 2.0**53))))


# Name: (edges and known hard inputs, random draws of each kind). The inputs of exp and ln in hexadecimal are worst
# cases of Lefèvre and Muller (2001): that of exp is nearest to a middle of two doubles, that of ln to a double.
FUNCTIONS: dict[str, tuple[list, list[Callable[[random.Random], float | tuple[float, float]]]]] = {
    "exp": (
        both_signs(0.0, SMALLEST, SMALLEST_NORMAL, 2.0**-54, 2.0**-53, 1.0, 2.0, 20.0, LARGEST)
        # Where it overflows, where it becomes subnormal, where it vanishes.
        + around(709.782712893384, -708.3964185322641, -745.1332191019411, -745.1332191019412)
        + [float.fromhex("0x1.9e9cbbfd6080bp-31"), 710.0, -746.0, -1e308],
        [
            lambda draw: draw.gauss(0.0, 3.0),
            lambda draw: draw.uniform(-745.0, 710.0),
            lambda draw: draw.uniform(-745.2, -708.3),
            lambda draw: any_magnitude(draw, -60, 9),
        ],
    ),
    "ln": (
        [0.0, -0.0, SMALLEST, 3 * SMALLEST, LARGEST, 2.0, 0.5, 10.0, 2.718281828459045]
        + around(SMALLEST_NORMAL, 1.0)
        + [float.fromhex("0x1.62a88613629b6p+678")],
        [
            lambda draw: 1.0 - draw.random(),
            lambda draw: 1.0 + any_magnitude(draw, -52, -2),
            lambda draw: abs(any_magnitude(draw, -1022, 1023)),
            lambda draw: draw.randrange(1, 2**52) * SMALLEST,
        ],
    ),
    "log1p": (
        both_signs(0.0, SMALLEST, SMALLEST_NORMAL, 2.0**-54, 2.0**-53, 2.0**-52, 0.5)
        + [-1.0, nextafter(-1.0, 0.0), 1.0, LARGEST, 485165195.40979]
        + around(1e-8, -1e-8),
        [
            lambda draw: -draw.random(),
            lambda draw: exact.exp(draw.uniform(-40.0, 20.0)),
            lambda draw: any_magnitude(draw, -60, -2),
            lambda draw: abs(any_magnitude(draw, -1022, 1023)),
        ],
    ),
    "tanh": (
        both_signs(0.0, SMALLEST, SMALLEST_NORMAL, 2.0**-30, 2.0**-27, 0.5, 1.0, 20.0, 22.0, 1000.0, LARGEST)
        # From about here on the nearest double is 1.
        + around(19.061547465398498, -19.061547465398498),
        [
            lambda draw: draw.gauss(0.0, 1.0),
            lambda draw: draw.uniform(-20.0, 20.0),
            lambda draw: any_magnitude(draw, -40, 4),
            lambda draw: any_magnitude(draw, -1022, 0),
        ],
    ),
    "expm1": (
        both_signs(0.0, SMALLEST, SMALLEST_NORMAL, 2.0**-54, 2.0**-53, 2.0**-52, 0.5, 1.0, 2.0, 1000.0, LARGEST)
        # Where it overflows, and where -1 becomes the nearest double.
        + around(709.782712893384, -37.42994775023705, -36.73680056967710),
        [
            lambda draw: -abs(draw.gauss(0.0, 2.0)),
            lambda draw: draw.uniform(-40.0, 1.0),
            lambda draw: any_magnitude(draw, -60, 2),
            lambda draw: any_magnitude(draw, -300, 9),
        ],
    ),
    "erf": (
        both_signs(0.0, SMALLEST, 3 * SMALLEST, SMALLEST_NORMAL, 2.0**-54, 2.0**-28, 0.5, 1.0, 2.0, 30.0, LARGEST)
        # From about here on the nearest double is 1.
        + around(5.921587195794508, -5.921587195794508, 0.84375, 1.25),
        [
            lambda draw: draw.gauss(0.0, 1.0),
            lambda draw: draw.uniform(-3.0, 3.0),
            lambda draw: any_magnitude(draw, -60, 2),
            lambda draw: any_magnitude(draw, -1022, 0),
        ],
    ),
    "log10": (
        [0.0, -0.0, SMALLEST, 3 * SMALLEST, LARGEST, 2.0, 0.5, 0.001, 1e-300]
        + around(SMALLEST_NORMAL, 1.0, 10.0, 1000.0, 1e22),
        [
            lambda draw: draw.random(),
            lambda draw: 1.0 + any_magnitude(draw, -52, -2),
            lambda draw: abs(any_magnitude(draw, -1022, 1023)),
            lambda draw: draw.randrange(1, 2**52) * SMALLEST,
        ],
    ),
    # As it is asked for: Adam's β to the number of the step, 1/4 to a distance.
    "power": (
        [(beta, float(t)) for beta in (0.9, 0.99, 0.999, 0.9999) for t in (1, 2, 3, 10, 100, 1000, 10**5, 10**6)]
        + [(0.25, float(k)) for k in (1, 2, 100, 537, 538, 1000)]
        + [(nextafter(1.0, 0.0), t) for t in (1.0, 3.0, 2.0**40, 2.0**53)]
        # Where it becomes subnormal and where it vanishes, halfway between two doubles or not; doubles themselves.
        + [(0.5, 1022.0), (0.5, 1074.0), (0.5, 1075.0), (0.5, 1076.0), (0.75, 2580.0), (0.75, 2590.0), (0.75, 2592.0)]
        + [(SMALLEST, 1.0), (SMALLEST, 2.0), (1.5, 33.0), (3.0, 33.0), (3.0, 34.0), (10.0, 22.0), (10.0, 23.0)]
        + [(2.0, 1023.0), (2.0, 1024.0), (10.0, 308.0), (10.0, 309.0)],
        [
            lambda draw: power_of(draw, -3.0, 0.0),
            lambda draw: power_of(draw, -12.0, -1.0),
            lambda draw: power_of(draw, -30.0, -5.0),
            lambda draw: (draw.random(), float(draw.randint(1, 40))),
        ],
    ),
    "cospi": (
        both_signs(0.0, SMALLEST, 2.0**-30, 2.0**-27, 1.0 / 3.0, 2.0 / 3.0, 2.0**52 + 1.0, 2.0**53, LARGEST)
        + around(0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 2.0**51 + 0.5),
        [
            # What a normal draw asks for: twice a double in [0, 1).
            lambda draw: 2.0 * draw.random(),
            lambda draw: 2.0 * draw.random(),
            lambda draw: draw.choice([0.5, 1.5]) + any_magnitude(draw, -50, -3),
            lambda draw: any_magnitude(draw, -60, 52),
        ],
    ),
}


def arguments_of(name: str) -> list[tuple[float, ...]]:
    function = getattr(exact, name)
    known, kinds = FUNCTIONS[name]
    draw = random.Random(f"{SEED} {name}")
    drawn = (arguments(kind(draw)) for kind in cycle(kinds))
    among = sorted(set(islice(drawn, SEARCHED_FOR_HARD)))
    hardest = sorted(among, key=lambda x: (exact.hardness(function, *x), x))[:HARD]
    # A dictionary keeps the order and each input once. 0.0 and -0.0 are one key to it, so the text is the key.
    chosen = {in_hexadecimal(*x): x for x in [*map(arguments, known), *hardest]}
    while len(chosen) < INPUTS:
        x = next(drawn)
        chosen[in_hexadecimal(*x)] = x
    return list(chosen.values())


def arguments(x: float | tuple[float, ...]) -> tuple[float, ...]:
    return x if isinstance(x, tuple) else (x,)


def in_hexadecimal(*numbers: float) -> tuple[str, ...]:
    return tuple(number.hex() for number in numbers)


if __name__ == "__main__":
    tables = {}
    for name in FUNCTIONS:
        function = getattr(exact, name)
        tables[name] = [in_hexadecimal(*x, function(*x)) for x in arguments_of(name)]
    write("math.json", {"made_by": made_by(__file__, "mpmath"), "functions": tables})
