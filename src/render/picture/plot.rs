//! A plot with two linear scales, marked at round numbers.

use super::svg::{Set, Svg};
use crate::engine::math::log10;
use crate::render::number::Digits;

/// A part of a picture with a scale below it and one on its left.
pub(super) struct Plot {
    /// Left, above
    corner: (f64, f64),
    size: (f64, f64),
    across: (f64, f64),
    up: (f64, f64),
    /// From one mark on the scale below to the next, at least
    least: f64,
}

/// Marks on a scale, about.
const MARKS: f64 = 6.0;

impl Plot {
    /// From a corner on, so large, of the values from one to the other on each scale.
    pub(super) fn new(corner: (f64, f64), size: (f64, f64), across: (f64, f64), up: (f64, f64)) -> Self {
        Self { corner, size, across: wide(across), up: wide(up), least: 0.0 }
    }

    /// The scale below counts: only whole numbers are marked on it.
    pub(super) fn counting(self) -> Self {
        Self { least: 1.0, ..self }
    }

    /// The least and the greatest of some values, with some room around them.
    pub(super) fn around(values: impl Iterator<Item = f64>) -> (f64, f64) {
        /// As a part of what lies between them.
        const ROOM: f64 = 0.05;
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let room = (high / 2.0 - low / 2.0) * 2.0 * ROOM;
        if low.is_finite() && room.is_finite() { (low - room, high + room) } else { (0.0, 1.0) }
    }

    /// Where a pair of values lies.
    pub(super) fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        // Halves: a difference of two doubles may pass the largest one.
        let part = |value: f64, (low, high): (f64, f64)| (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let (left, above) = self.corner;
        (left + self.size.0 * part(x, self.across), above + self.size.1 * (1.0 - part(y, self.up)))
    }

    /// The scales, with what they are of.
    pub(super) fn scales(&self, svg: &mut Svg, across: &str, up: &str) {
        let digits = Digits::default();
        let ((left, above), (width, height)) = (self.corner, self.size);
        for (mark, written) in digits.write_alike(marks(self.up, 0.0)) {
            let (_, y) = self.place((self.across.0, mark));
            svg.line((left, y), (left + width, y), "grid", 1.0);
            svg.text((left - 8.0, y + 4.0), Set::End, "soft small", &written.text());
        }
        for (mark, written) in digits.write_alike(marks(self.across, self.least)) {
            let (x, _) = self.place((mark, self.up.0));
            svg.line((x, above + height), (x, above + height + 5.0), "grid", 1.0);
            svg.text((x, above + height + 20.0), Set::Middle, "soft small", &written.text());
        }
        svg.text((left + width / 2.0, above + height + 42.0), Set::Middle, "soft", across);
        svg.text((left, above - 10.0), Set::Start, "soft small", up);
    }
}

/// A scale that has a length.
fn wide((low, high): (f64, f64)) -> (f64, f64) {
    if low < high {
        return (low, high);
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
    (low - room, low + room)
}

/// Round numbers on a scale: multiples of 1, 2 or 5 times a power of ten, `least` apart or more.
fn marks((low, high): (f64, f64), least: f64) -> Vec<f64> {
    let rough = (high / MARKS - low / MARKS).max(least);
    let power = log10(rough).floor();
    // Read as it is printed, a mark is the double nearest to it.
    let mark = |times: f64| format!("{times:.0}e{power:.0}").parse().unwrap_or(f64::INFINITY);
    let round = [1.0, 2.0, 5.0, 10.0].into_iter().find(|round| mark(*round) >= rough);
    let step = round.map(mark);
    let (Some(round), Some(step)) = (round, step.filter(|step| step.is_finite() && *step > 0.0)) else { return vec![] };
    let first = (low / step).ceil();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few marks")]
    let count = ((high / step).floor() - first + 1.0).clamp(0.0, 2.0 * MARKS) as u32;
    // A mark at zero is zero, not what rounding leaves of it.
    (0..count)
        .map(|at| mark((first + f64::from(at)) * round))
        .map(|mark| if mark == 0.0 { 0.0 } else { mark })
        .collect()
}
