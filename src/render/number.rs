//! How a number is written for people: rounded to so many significant digits, and exactly where fewer are enough.

use std::ops::RangeInclusive;

use crate::limits::{DIGITS, DIGITS_MOST};

/// Significant digits, from 1 to 17: with 17 every double is told from every other one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits(usize);

impl Default for Digits {
    fn default() -> Self {
        Self(DIGITS)
    }
}

/// A number as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Whether it lies below zero
    pub negative: bool,
    /// Its digits, with a decimal point where there is one
    pub digits: String,
    /// The power of ten that they are multiplied with
    pub exponent: Option<i32>,
    /// Whether no digit was lost
    pub exact: bool,
}

impl Digits {
    /// So many, where there may be so many.
    pub fn new(digits: u64) -> Option<Self> {
        usize::try_from(digits).ok().filter(|digits| (1..=DIGITS_MOST).contains(digits)).map(Self)
    }

    /// A finite number, rounded to the nearest. Zero has no sign.
    pub fn write(self, value: f64) -> Written {
        self.written(value, false)
    }

    /// Each finite number of a scale with how it is written: if one needs a power of ten, every one but 0 has it.
    pub fn write_alike(self, values: Vec<f64>) -> Vec<(f64, Written)> {
        let long = values.iter().any(|value| self.write(*value).exponent.is_some());
        values.into_iter().map(|value| (value, self.written(value, long && value != 0.0))).collect()
    }

    fn written(self, value: f64, as_power: bool) -> Written {
        /// Powers of ten that are written out.
        const WRITTEN_OUT: RangeInclusive<i32> = -4..=5;
        let magnitude = value.abs();
        let shortest = format!("{magnitude:e}");
        let rounded = format!("{magnitude:.*e}", self.0 - 1);
        let exact = parts(&shortest).0.len() <= self.0;
        let (digits, power) = parts(if exact { &shortest } else { &rounded });
        let negative = value < 0.0;
        if as_power || !WRITTEN_OUT.contains(&power) {
            return Written { negative, digits: pointed(&digits, 1), exponent: Some(power), exact };
        }
        let digits = if let Ok(power) = usize::try_from(power) {
            pointed(&format!("{digits:0<width$}", width = power + 1), power + 1)
        } else {
            // Below one: zeros before the digits.
            let zeros = usize::try_from(-power).unwrap_or(0);
            pointed(&format!("{}{digits}", "0".repeat(zeros)), 1)
        };
        Written { negative, digits, exponent: None, exact }
    }
}

/// The digits and the power of ten in a number of the form `1.234e-5`.
fn parts(text: &str) -> (String, i32) {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    // The form is Rust's own, whose powers of a double fit.
    (mantissa.replace('.', ""), power.parse().unwrap_or(0))
}

/// A point behind so many digits, unless nothing follows it.
fn pointed(digits: &str, before: usize) -> String {
    match digits.split_at_checked(before) {
        Some((whole, part)) if !part.is_empty() => format!("{whole}.{part}"),
        _ => digits.to_owned(),
    }
}

impl Written {
    /// In plain text, as in `−1.5` or `2.5·10⁻⁷`.
    pub fn text(&self) -> String {
        let sign = if self.negative { "−" } else { "" };
        match self.exponent {
            Some(power) => format!("{sign}{}·10{}", self.digits, raised(power)),
            None => format!("{sign}{}", self.digits),
        }
    }
}

/// A whole number as a power stands: ⁻⁷
pub fn raised(number: i32) -> String {
    let digit = |sign: char| match sign {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        other => other.to_digit(10).and_then(|digit| char::from_u32(0x2070 + digit)).unwrap_or(other),
    };
    number.to_string().chars().map(digit).collect()
}
