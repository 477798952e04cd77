"""Sums over matrices that more than one kind of layer has, each in index order."""

from rules.numbers import in_order_sum

Matrix = list[list[float]]


def transposed(m: Matrix) -> Matrix:
    return [list(column) for column in zip(*m, strict=True)]


def product(x: Matrix, w: Matrix) -> Matrix:
    """x·w: for each row of x and each column of w the sum of their products."""
    columns = transposed(w)
    return [
        [in_order_sum(x_i * w_ij for x_i, w_ij in zip(row, column, strict=True)) for column in columns] for row in x
    ]


def mean_uphill(of_examples: Matrix) -> list[float]:
    """The gradients of a vector from each example's part of them: errors point downhill, gradients up."""
    return [0.0 - in_order_sum(column) / float(len(column)) for column in transposed(of_examples)]


def weight_gradients(x: Matrix, errors: Matrix) -> Matrix:
    """The gradients of `[in][out]` weights between x and what the errors are of."""
    return [
        mean_uphill([[x_n[i] * e for e in e_n] for x_n, e_n in zip(x, errors, strict=True)]) for i in range(len(x[0]))
    ]
