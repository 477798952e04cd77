"""The comparison with other programs' numbers must see every number, of tensors in excerpt too."""

import math

import pytest

from near import near

TOLERANCE = 1e-12
ROWS, COLUMNS = 20, 10
TENSOR = [[math.sin(1.0 + 7.0 * i + 3.0 * j) for j in range(COLUMNS)] for i in range(ROWS)]
NUMBERS = [x for row in TENSOR for x in row]
EXCERPT = {
    "excerpt_of": [ROWS, COLUMNS],
    "norm": math.sqrt(math.fsum(x * x for x in NUMBERS)),
    "projection": math.fsum(x * math.cos(k) for k, x in enumerate(NUMBERS)),
    "entries": [[0, NUMBERS[0]]],
}
# What is expected, and an answer with more in it.
EXPECTED = {"name": "layer1", "loss": {"value": 0.5}, "bias": [1e-6, 2.0], "layers": [{"mean": [0.25]}]}
ANSWER = {"name": "layer1", "loss": {"value": 0.5, "kind": "x"}, "bias": [1e-6, 2.0], "layers": [{"mean": [0.25]}]}


def test_what_is_the_same_passes():
    near(EXCERPT, TENSOR, TOLERANCE)
    near(EXPECTED, ANSWER, TOLERANCE)


@pytest.mark.parametrize("place", range(ROWS * COLUMNS))
def test_no_number_of_an_excerpt_can_change(place):
    i, j = divmod(place, COLUMNS)
    changed = [list(row) for row in TENSOR]
    changed[i][j] += 1e-9
    with pytest.raises(AssertionError, match="off by more"):
        near(EXCERPT, changed, TOLERANCE)


def test_the_numbers_of_an_excerpt_have_an_order_and_a_shape():
    turned = [list(column) for column in zip(*TENSOR, strict=True)]
    swapped = [*TENSOR[:3], TENSOR[4], TENSOR[3], *TENSOR[5:]]
    for other in (turned, [*TENSOR, TENSOR[0]], swapped, TENSOR[::-1]):
        with pytest.raises(AssertionError):
            near(EXCERPT, other, TOLERANCE)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "layer2"},
        {"loss": {"value": 0.5 + 1e-12}},
        {"loss": {}},
        {"bias": [1e-6 + 1e-14, 2.0]},
        {"bias": [1e-6, 2.0 + 1e-11]},
        {"bias": [1e-6]},
        {"bias": [[1e-6, 2.0]]},
        {"layers": []},
        {"layers": [{"mean": [0.26]}]},
    ],
    ids=str,
)
def test_whatever_else_differs_is_seen(change):
    with pytest.raises(AssertionError):
        near(EXPECTED, {**ANSWER, **change}, TOLERANCE)


def test_both_tolerances_have_two_sides():
    near([1.0, 2.0], [1.0 + 0.9e-12, 2.0], TOLERANCE)
    near([0.0], [1e-16], TOLERANCE, absolute=1e-15)
    for absolute in (0.0, 1e-17):
        with pytest.raises(AssertionError, match="off by more"):
            near([0.0], [1e-16], TOLERANCE, absolute)
