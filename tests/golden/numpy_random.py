"""Makes random.json: the random numbers the service must draw, as NumPy draws them from the same seeds.

(Not named random.py: Python would find it in place of its own `random`, which NumPy itself imports.)

Words and doubles are NumPy's own. A uniform draw is low + (high - low) * double, each operation rounded once;
the script compares NumPy's `uniform` bit for bit and records whether it agrees (on a machine whose compiler
fuses multiply and add it may not). Normal draws are ours, by Box and Muller: NumPy's ziggurat is bound to its
tables. Run it in the environment of tests/python/requirements.txt:

    python3 tests/golden/numpy_random.py
"""

from collections.abc import Callable

import numpy

from exact import add, cospi, divide, ln, multiply, square_root, subtract
from fixture import made_by, write

SEEDS = [0, 1, 42, 2**53 - 1]
# Of the streams that dropout draws its masks from, step by step; from 2^32 on a key is two words to NumPy. The data of
# the telephone game come from the key (0, 1), which is 2^32.
SPAWN_KEYS = [0, 1, 2, 1000, 2**32 - 1, 2**32, 2**53]
COUNT = 8
INPUTS, UNITS = 3, [4, 2]

# From the fan-in and fan-out of a layer to the bounds of its even draw, or to the mean and deviation.
Scale = Callable[[int, int], tuple[float, float]]


def even(squared: float) -> tuple[float, float]:
    return -square_root(squared), square_root(squared)


UNIFORM: list[tuple[object, Scale]] = [
    ("glorot_uniform", lambda fan_in, fan_out: even(divide(6.0, fan_in + fan_out))),
    ("he_uniform", lambda fan_in, fan_out: even(divide(6.0, fan_in))),
    ({"kind": "uniform"}, lambda fan_in, fan_out: (0.0, 1.0)),
    ({"kind": "uniform", "low": -0.3, "high": 0.7}, lambda fan_in, fan_out: (-0.3, 0.7)),
]
NORMAL: list[tuple[object, Scale]] = [
    ("glorot_normal", lambda fan_in, fan_out: (0.0, square_root(divide(2.0, fan_in + fan_out)))),
    ("he_normal", lambda fan_in, fan_out: (0.0, square_root(divide(2.0, fan_in)))),
    ({"kind": "normal"}, lambda fan_in, fan_out: (0.0, 1.0)),
    ({"kind": "normal", "mean": 0.5, "std": 0.1}, lambda fan_in, fan_out: (0.5, 0.1)),
]


def uniform(rng: numpy.random.Generator, low: float, high: float) -> float:
    return add(low, multiply(subtract(high, low), rng.random()))


def normal(rng: numpy.random.Generator, mean: float, std: float) -> float:
    """Takes two doubles a value; the second of Box and Muller's pair, its sine, is not used."""
    u, v = rng.random(), rng.random()
    radius = square_root(multiply(-2.0, ln(subtract(1.0, u))))
    return add(mean, multiply(std, multiply(radius, cospi(multiply(2.0, v)))))


def network(seed: int, init: object, scale: Scale, draw: Callable) -> dict:
    """One network's weights: layer after layer and row by row from one stream."""
    rng = numpy.random.default_rng(seed)
    names = ("low", "high") if draw is uniform else ("mean", "std")
    layers = []
    for fan_in, fan_out in zip([INPUTS, *UNITS], UNITS):
        values = scale(fan_in, fan_out)
        weights = [[draw(rng, *values) for _ in range(fan_out)] for _ in range(fan_in)]
        layers.append({**dict(zip(names, values, strict=True)), "weights": weights})
    return {"init": init, "layers": layers}


def with_numpys_opinion(seed: int, drawn: dict) -> dict:
    """Whether `Generator.uniform` gives the same bits for the whole network."""
    rng = numpy.random.default_rng(seed)
    same = all(
        rng.uniform(layer["low"], layer["high"], size=numpy.shape(layer["weights"])).tolist() == layer["weights"]
        for layer in drawn["layers"]
    )
    return {"init": drawn["init"], "numpy_uniform_gives_the_same_bits": same, "layers": drawn["layers"]}


def spawned(seed: int, key: int) -> dict:
    sequence = numpy.random.SeedSequence(seed, spawn_key=(key,))
    return {"key": key, "doubles": numpy.random.default_rng(sequence).random(COUNT).tolist()}


def of_seed(seed: int) -> dict:
    state = numpy.random.PCG64(seed).state["state"]
    return {
        "seed": seed,
        # The generator's two 128-bit numbers, as NumPy's SeedSequence fills them.
        "state": f"{state['state']:#034x}",
        "increment": f"{state['inc']:#034x}",
        "words": numpy.random.PCG64(seed).random_raw(COUNT).tolist(),
        "doubles": numpy.random.default_rng(seed).random(COUNT).tolist(),
        "spawned": [spawned(seed, key) for key in SPAWN_KEYS],
        "uniform": [with_numpys_opinion(seed, network(seed, init, scale, uniform)) for init, scale in UNIFORM],
        "normal": [network(seed, init, scale, normal) for init, scale in NORMAL],
    }


if __name__ == "__main__":
    write(
        "random.json",
        {
            "made_by": made_by(__file__, "numpy", "mpmath"),
            "network": {"inputs": INPUTS, "units": UNITS},
            "seeds": [of_seed(seed) for seed in SEEDS],
        },
    )
