//! In which order rows are taken: that of the dataset, or one drawn anew for each epoch.

use crate::engine::random::Stream;

/// The order of rows in each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As they are
    Given,
    /// Shuffled, each epoch anew
    Shuffled {
        /// Where the shuffling starts
        seed: u64,
    },
}

impl Order {
    /// The places of so many rows in an epoch, counted from 0. Epoch e of a seed is shuffled by the stream of NumPy's
    /// `default_rng(SeedSequence(seed, spawn_key=(e,)))`.
    pub fn of_epoch(self, rows: usize, epoch: u64) -> Vec<usize> {
        match self {
            Self::Given => (0..rows).collect(),
            Self::Shuffled { seed } => shuffled(rows, &mut Stream::spawned(seed, epoch)),
        }
    }
}

/// 0 to n − 1 shuffled by Fisher and Yates: for i from n − 1 down to 1, the i-th is exchanged with the j-th, where
/// j = ⌊unit·(i + 1)⌋.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rows are limited far below 2^53, and a unit is in [0, 1)"
)]
pub(super) fn shuffled(rows: usize, stream: &mut Stream) -> Vec<usize> {
    let mut places: Vec<usize> = (0..rows).collect();
    for i in (1..rows).rev() {
        let j = (stream.unit() * (i + 1) as f64) as usize;
        places.swap(i, j);
    }
    places
}
