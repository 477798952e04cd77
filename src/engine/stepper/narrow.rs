//! The products of one example and a layer of few units, compiled for each number of units: what is left of a step of a
//! small network is then its numbers. The sums are those of [`crate::engine::matrix`], in the same order.

/// Units up to which a layer is narrow.
pub(super) const UNITS: usize = 8;

/// Calls the function for the number of units, which is at most [`UNITS`].
macro_rules! for_width {
    ($units:expr, $function:ident $arguments:tt) => {
        match $units {
            1 => $function::<1> $arguments,
            2 => $function::<2> $arguments,
            3 => $function::<3> $arguments,
            4 => $function::<4> $arguments,
            5 => $function::<5> $arguments,
            6 => $function::<6> $arguments,
            7 => $function::<7> $arguments,
            8 => $function::<8> $arguments,
            units => unreachable!("{units} units are not a narrow layer"),
        }
    };
}

/// a = x·w of one row: weights `[inputs][units]`, x `[inputs]`, a `[units]`.
pub(super) fn sums(x: &[f64], weights: &[f64], a: &mut [f64]) {
    for_width!(a.len(), sums_of(x, weights, a));
}

/// w + (0 − η·(0 − x·δ)), the weights `[inputs][units]` after a step of plain descent with one example: x `[inputs]`,
/// δ `[units]`. Whether all of them are finite.
pub(super) fn descent(x: &[f64], deltas: &[f64], rate: f64, weights: &[f64], after: &mut [f64]) -> bool {
    for_width!(deltas.len(), descent_of(x, deltas, rate, weights, after))
}

/// Σ δ·w over the units: the errors of the layer below, `[inputs]`.
pub(super) fn errors(weights: &[f64], deltas: &[f64], errors: &mut [f64]) {
    for_width!(deltas.len(), errors_of(weights, deltas, errors));
}

fn sums_of<const N: usize>(x: &[f64], weights: &[f64], a: &mut [f64]) {
    let mut terms = weights.as_chunks::<N>().0.iter().zip(x);
    // A sum starts from its first term: 0.0 + (−0.0) would lose the sign.
    let Some((weights, &x)) = terms.next() else { return };
    let mut sums = weights.map(|w| x * w);
    for (weights, &x) in terms {
        for (sum, w) in sums.iter_mut().zip(weights) {
            *sum += x * w;
        }
    }
    if let Some(a) = a.first_chunk_mut::<N>() {
        *a = sums;
    }
}

fn descent_of<const N: usize>(x: &[f64], deltas: &[f64], rate: f64, weights: &[f64], after: &mut [f64]) -> bool {
    let Some(deltas) = deltas.first_chunk::<N>() else { return false };
    let rows = weights.as_chunks::<N>().0.iter().zip(after.as_chunks_mut::<N>().0);
    // 0 as long as all are finite, and else no number.
    let mut doubts = [0.0; N];
    for (&x, (weights, after)) in x.iter().zip(rows) {
        for unit in 0..N {
            after[unit] = weights[unit] + (0.0 - rate * (0.0 - x * deltas[unit]));
            doubts[unit] += after[unit] * 0.0;
        }
    }
    doubts == [0.0; N]
}

fn errors_of<const N: usize>(weights: &[f64], deltas: &[f64], errors: &mut [f64]) {
    let Some(deltas) = deltas.first_chunk::<N>() else { return };
    for (weights, error) in weights.as_chunks::<N>().0.iter().zip(errors) {
        let mut sum = deltas[0] * weights[0];
        for (delta, w) in deltas.iter().zip(weights).skip(1) {
            sum += delta * w;
        }
        *error = sum;
    }
}
