//! Numbers beyond the range of a double: the sum over 16^998 paths is one.

use std::cmp::Ordering;

use crate::engine::math::log10;

/// A number not below zero: value·2^(512·exponent), where value is 0 or from 2^−256 up to 2^256. Scaling by a power of
/// two rounds nothing, so within the range of a double it has the bits of one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wide {
    value: f64,
    exponent: i64,
}

/// 2^512, 2^256 and their inverses.
const UP: f64 = f64::from_bits((1023 + 512) << 52);
const DOWN: f64 = f64::from_bits((1023 - 512) << 52);
const HIGH: f64 = f64::from_bits((1023 + 256) << 52);
const LOW: f64 = f64::from_bits((1023 - 256) << 52);

impl Wide {
    /// The size of a double.
    pub fn new(value: f64) -> Self {
        Self { value: value.abs(), exponent: 0 }.normal()
    }

    fn normal(mut self) -> Self {
        if self.value == 0.0 {
            return Self::default();
        }
        while self.value >= HIGH && self.value.is_finite() {
            self = Self { value: self.value * DOWN, exponent: self.exponent + 1 };
        }
        while self.value < LOW {
            self = Self { value: self.value * UP, exponent: self.exponent - 1 };
        }
        self
    }

    /// Times the size of a factor.
    pub fn times(self, factor: f64) -> Self {
        let factor = Self::new(factor);
        Self { value: self.value * factor.value, exponent: self.exponent + factor.exponent }.normal()
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Self {
        let (large, small) = if other.value == 0.0 || (self.value != 0.0 && self.exponent >= other.exponent) {
            (self, other)
        } else {
            (other, self)
        };
        match large.exponent - small.exponent {
            0 => Self { value: large.value + small.value, ..large }.normal(),
            1 => Self { value: large.value + small.value * DOWN, ..large }.normal(),
            // Less than half of the last digit.
            _ => large,
        }
    }

    /// Which of two is larger.
    pub fn total_cmp(&self, other: &Self) -> Ordering {
        let zero = |wide: &Self| wide.value != 0.0;
        let sizes = self.exponent.cmp(&other.exponent).then(self.value.total_cmp(&other.value));
        if zero(self) && zero(other) { sizes } else { zero(self).cmp(&zero(other)) }
    }

    /// The decimal logarithm; of 0, none.
    #[allow(clippy::cast_precision_loss, reason = "an exponent is a number of factors at the most")]
    pub fn log10(self) -> Option<f64> {
        (self.value != 0.0).then(|| log10(self.value) + 512.0 * self.exponent as f64 * log10(2.0))
    }

    /// As a part of a whole that is not smaller: from 0 to 1; of nothing, nothing.
    pub fn part_of(self, whole: Self) -> f64 {
        if self.value == 0.0 || whole.value == 0.0 {
            return 0.0;
        }
        let quotient = self.value / whole.value;
        match whole.exponent - self.exponent {
            0 => quotient,
            1 => quotient * DOWN,
            2 => quotient * DOWN * DOWN,
            3 => quotient * DOWN * DOWN * DOWN,
            -1 => quotient * UP,
            // Below every double.
            _ => 0.0,
        }
    }
}
