"""Datasets and the order of their rows, as they are documented: NumPy draws the units, mpmath rounds the functions."""

from collections.abc import Iterator

import mpmath
import numpy

mpmath.mp.prec = 200


def units(seed: int, *spawn_key: int) -> Iterator[float]:
    """What `default_rng(SeedSequence(seed, spawn_key))` draws."""
    generator = numpy.random.default_rng(numpy.random.SeedSequence(seed, spawn_key=spawn_key))
    while True:
        yield float(generator.random())


def sin_pi(turn: float) -> float:
    return float(mpmath.sinpi(mpmath.mpf(turn)))


def cos_pi(turn: float) -> float:
    return float(mpmath.cospi(mpmath.mpf(turn)))


def root(value: float) -> float:
    return float(mpmath.sqrt(mpmath.mpf(value)))


def uniform(draw: Iterator[float], low: float, high: float) -> float:
    return low + (high - low) * next(draw)


def normal(draw: Iterator[float], mean: float, std: float) -> float:
    """By Box and Muller; every function is rounded by itself."""
    first, second = next(draw), next(draw)
    logarithm = float(mpmath.log1p(-mpmath.mpf(first)))
    return mean + std * (root(-2.0 * logarithm) * cos_pi(2.0 * second))


def label(positive: bool) -> float:
    return 1.0 if positive else 0.0


def xor(draw: Iterator[float], examples: int, noise: float) -> list[list[float]]:
    rows = []
    for _ in range(examples):
        x, y = (point + 0.3 if point > 0 else point - 0.3 for point in (uniform(draw, -5, 5), uniform(draw, -5, 5)))
        right, up = uniform(draw, -5, 5) * noise, uniform(draw, -5, 5) * noise
        rows.append([x, y, label((x + right) * (y + up) >= 0)])
    return rows


def circle(draw: Iterator[float], examples: int, noise: float) -> list[list[float]]:
    rows = []
    for low, high, count in [(0, 2.5, examples - examples // 2), (3.5, 5, examples // 2)]:
        for _ in range(count):
            radius, turn = uniform(draw, low, high), uniform(draw, 0, 2)
            x, y = radius * sin_pi(turn), radius * cos_pi(turn)
            right, up = uniform(draw, -5, 5) * noise, uniform(draw, -5, 5) * noise
            noisy = (x + right) * (x + right) + (y + up) * (y + up)
            rows.append([x, y, label(root(noisy) < 2.5)])
    return rows


def gauss(draw: Iterator[float], examples: int, noise: float) -> list[list[float]]:
    std = root(0.5 + 7.0 * noise)
    rows = []
    for centre, count, value in [(2, examples - examples // 2, 1.0), (-2, examples // 2, 0.0)]:
        rows += [[normal(draw, centre, std), normal(draw, centre, std), value] for _ in range(count)]
    return rows


def spiral(draw: Iterator[float], examples: int, noise: float) -> list[list[float]]:
    rows = []
    for turn, count, value in [(0.0, examples - examples // 2, 1.0), (1.0, examples // 2, 0.0)]:
        for index in range(count):
            along = index / count
            radius, angle = 5.0 * along, 3.5 * along + turn
            x = radius * sin_pi(angle) + uniform(draw, -1, 1) * noise
            rows.append([x, radius * cos_pi(angle) + uniform(draw, -1, 1) * noise, value])
    return rows


GENERATORS = {"xor": xor, "circle": circle, "gauss": gauss, "spiral": spiral}


def shuffled(count: int, seed: int, *spawn_key: int) -> list[int]:
    """Fisher and Yates, from the last place down."""
    draw, places = units(seed, *spawn_key), list(range(count))
    for place in range(count - 1, 0, -1):
        other = int(next(draw) * (place + 1))
        places[place], places[other] = places[other], places[place]
    return places


def parted(count: int, test: float, seed: int) -> tuple[list[int], list[int]]:
    """Rows to learn from and rows to be tested on, each in the dataset's order."""
    tests = min(-int(-(test * count) // 1), count - 1)
    chosen = set(shuffled(count, seed)[:tests])
    return [row for row in range(count) if row not in chosen], sorted(chosen)


def standardized(rows: list[list[float]], of: list[list[float]]) -> tuple[list[list[float]], list[float], list[float]]:
    """`rows` by mean and deviation of the columns of `of`, each sum in the order of its rows."""
    count = float(len(of))
    mean, std = [], []
    for column in zip(*of, strict=True):
        if all(value == column[0] for value in column):
            mean.append(column[0])
            std.append(1.0)
            continue
        total = 0.0
        for value in column:
            total += value
        mean.append(total / count)
        total = 0.0
        for value in column:
            total += (value - mean[-1]) * (value - mean[-1])
        std.append(root(total / count) or 1.0)
    return [[(x - m) / s for x, m, s in zip(row, mean, std, strict=True)] for row in rows], mean, std


def batches(count: int, size: int, seed: int | None) -> Iterator[list[int]]:
    """The rows of each step, epoch after epoch, without end."""
    epoch = 0
    while True:
        order = list(range(count)) if seed is None else shuffled(count, seed, epoch)
        yield from (order[first : first + size] for first in range(0, count, size))
        epoch += 1
