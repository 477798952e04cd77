//! Datasets that are drawn from a seed: TensorFlow Playground's four (`dataset.ts`,
//! <https://github.com/tensorflow/playground>), with the label 1 for its 1 and 0 for its −1.
//!
//! The units are those of `numpy.random.default_rng(seed).random()`, taken in the order that each function says, also
//! where the noise is 0. Sines and cosines are correctly rounded ones of multiples of π.

use super::{Columns, Dataset, Described};
use crate::engine::math::{cospi, sinpi, sqrt};
use crate::engine::matrix::Matrix;
use crate::engine::random::Stream;

/// The most noise.
pub const NOISE_MAX: f64 = 1.0;

/// A dataset to be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    /// The sign of x·y
    Xor,
    /// Inside and outside
    Circle,
    /// Two clouds
    Gauss,
    /// Two arms
    Spiral,
}

const SOURCE: &str = "Drawn as TensorFlow Playground draws it (dataset.ts, github.com/tensorflow/playground)";

/// A row: two inputs and a label.
type Row = [f64; 3];

impl Generator {
    /// Every one, in the order of the listing.
    pub const ALL: [Self; 4] = [Self::Xor, Self::Circle, Self::Gauss, Self::Spiral];

    /// The one of that name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|generator| generator.about().name == name)
    }

    /// What there is to say about it.
    pub fn about(self) -> Described {
        let (name, title, description) = match self {
            Self::Xor => (
                "xor",
                "Exclusive or: two opposite quarters of a square",
                "Points of a square; the label is 1 where x and y have the same sign. No straight line parts them.",
            ),
            Self::Circle => (
                "circle",
                "A disc inside of a ring",
                "Points within 2.5 of the middle have the label 1, those of a ring around them 0.",
            ),
            Self::Gauss => (
                "gauss",
                "Two clouds of points",
                "Two normal distributions around (2, 2), label 1, and (−2, −2), label 0. A straight line parts them.",
            ),
            Self::Spiral => (
                "spiral",
                "Two arms of a spiral around each other",
                "The hardest of the four: the arms wind around each other almost twice.",
            ),
        };
        Described { name, title, description, source: SOURCE, license: None }
    }

    /// So many examples, at least two, from a seed. Noise goes from 0 to [`NOISE_MAX`].
    pub fn draw(self, seed: u64, examples: usize, noise: f64) -> Dataset {
        let stream = &mut Stream::new(seed);
        // One more of the first where they cannot be equal.
        let (first, second) = (examples - examples / 2, examples / 2);
        let rows: Vec<Row> = match self {
            Self::Xor => (0..examples).map(|_| xor(stream, noise)).collect(),
            Self::Circle => {
                let disc: Vec<Row> = (0..first).map(|_| circle(stream, (0.0, 2.5), noise)).collect();
                disc.into_iter().chain((0..second).map(|_| circle(stream, (3.5, 5.0), noise))).collect()
            }
            Self::Gauss => {
                let std = sqrt(0.5 + 7.0 * noise);
                let one: Vec<Row> = (0..first).map(|_| cloud(stream, 2.0, std, 1.0)).collect();
                one.into_iter().chain((0..second).map(|_| cloud(stream, -2.0, std, 0.0))).collect()
            }
            Self::Spiral => {
                let one: Vec<Row> = (0..first).map(|i| arm(stream, (i, first), 0.0, noise, 1.0)).collect();
                one.into_iter().chain((0..second).map(|i| arm(stream, (i, second), 1.0, noise, 0.0))).collect()
            }
        };
        let inputs = Matrix::from_fn(rows.len(), 2, |row, column| rows[row][column]);
        let targets = Matrix::from_fn(rows.len(), 1, |row, _| rows[row][2]);
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let columns = Columns { inputs: names(&["x", "y"]), targets: names(&["label"]) };
        Dataset::trusted(inputs, targets, columns, names(&["0", "1"]))
    }
}

/// Draws x and y in [−5, 5), each moved by 0.3 away from 0, then the noise of each: in [−5, 5) times `noise`. The label
/// is that of the point with its noise.
fn xor(stream: &mut Stream, noise: f64) -> Row {
    let mut coordinate = || {
        let x = stream.uniform(-5.0, 5.0);
        if x > 0.0 { x + 0.3 } else { x - 0.3 }
    };
    let (x, y) = (coordinate(), coordinate());
    let (noise_x, noise_y) = (stream.uniform(-5.0, 5.0) * noise, stream.uniform(-5.0, 5.0) * noise);
    [x, y, label((x + noise_x) * (y + noise_y) >= 0.0)]
}

/// Draws the radius between two, the angle in [0, 2) times π, then the noise of x and y as xor does.
fn circle(stream: &mut Stream, (low, high): (f64, f64), noise: f64) -> Row {
    let radius = stream.uniform(low, high);
    let angle = stream.uniform(0.0, 2.0);
    let (x, y) = (radius * sinpi(angle), radius * cospi(angle));
    let (noisy_x, noisy_y) = (x + stream.uniform(-5.0, 5.0) * noise, y + stream.uniform(-5.0, 5.0) * noise);
    [x, y, label(sqrt(noisy_x * noisy_x + noisy_y * noisy_y) < 2.5)]
}

/// Draws x and y, each normal around the centre (two units each, by Box and Muller).
fn cloud(stream: &mut Stream, centre: f64, std: f64, label: f64) -> Row {
    let x = stream.normal(centre, std);
    let y = stream.normal(centre, std);
    [x, y, label]
}

/// The i-th of n points: at f = i/n the radius is 5·f and the angle π·(3.5·f + turn). Draws the noise of x and y, each
/// in [−1, 1) times `noise`.
#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
fn arm(stream: &mut Stream, (i, n): (usize, usize), turn: f64, noise: f64, label: f64) -> Row {
    let along = i as f64 / n as f64;
    let (radius, angle) = (5.0 * along, 3.5 * along + turn);
    let x = radius * sinpi(angle) + stream.uniform(-1.0, 1.0) * noise;
    let y = radius * cospi(angle) + stream.uniform(-1.0, 1.0) * noise;
    [x, y, label]
}

fn label(positive: bool) -> f64 {
    if positive { 1.0 } else { 0.0 }
}
