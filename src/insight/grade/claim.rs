//! What a client claims: any part of a trace, its numbers rounded as they come.

use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A part of a trace as a client wrote it.
#[derive(Clone, Debug, PartialEq)]
pub enum Claim {
    /// A number
    Number(f64),
    /// A text, such as a layer's name
    Text(String),
    /// A switch, such as an optimizer's nesterov
    Switch(bool),
    /// Nothing claimed here
    Nothing,
    /// An array
    List(Vec<Claim>),
    /// An object
    Object(Vec<(String, Claim)>),
}

/// The numbers claimed for one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The lengths of the nested arrays, the outermost first; none for a single number
    pub shape: Vec<usize>,
    /// Row by row; nothing claimed where null stood
    pub values: Vec<Option<f64>>,
}

impl Claim {
    /// The entry of an object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, claim)| claim),
            _ => None,
        }
    }

    /// Numbers, texts, arrays and objects in it, itself counted.
    pub fn entries(&self) -> u64 {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Switch(_) | Self::Nothing => 1,
            Self::List(items) => 1 + items.iter().map(Self::entries).sum::<u64>(),
            Self::Object(entries) => 1 + entries.iter().map(|(_, claim)| claim.entries()).sum::<u64>(),
        }
    }

    /// The pointer of the first key that stands twice in its object: only one of the two could be judged.
    pub fn repeated(&self) -> Option<String> {
        match self {
            Self::Object(entries) => {
                let mut seen = HashSet::with_capacity(entries.len());
                entries.iter().find_map(|(key, claim)| {
                    let within = if seen.insert(key) { claim.repeated() } else { Some(String::new()) };
                    within.map(|within| format!("/{}{within}", escaped(key)))
                })
            }
            Self::List(items) => {
                let within = |(at, item): (usize, &Self)| item.repeated().map(|within| format!("/{at}{within}"));
                items.iter().enumerate().find_map(within)
            }
            _ => None,
        }
    }

    /// The numbers of one quantity; `None` where the arrays are ragged or hold something else.
    pub fn numbers(&self) -> Option<Numbers> {
        match self {
            Self::Number(value) => Some(Numbers { shape: vec![], values: vec![Some(*value)] }),
            Self::Nothing => Some(Numbers { shape: vec![], values: vec![None] }),
            Self::List(items) => {
                let parts: Vec<Numbers> = items.iter().map(Self::numbers).collect::<Option<_>>()?;
                let first = parts.first()?.shape.clone();
                if parts.iter().any(|part| part.shape != first) {
                    return None;
                }
                let shape = [items.len()].into_iter().chain(first).collect();
                Some(Numbers { shape, values: parts.into_iter().flat_map(|part| part.values).collect() })
            }
            Self::Text(_) | Self::Switch(_) | Self::Object(_) => None,
        }
    }

    /// What it is, in JSON's words.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Switch(_) => "true or false",
            Self::Nothing => "null",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The first thing in nested arrays that can be no number: its pointer from here, and what it is.
    pub fn no_number(&self) -> Option<(String, &'static str)> {
        match self {
            Self::Number(_) | Self::Nothing => None,
            Self::Text(_) | Self::Switch(_) | Self::Object(_) => Some((String::new(), self.type_name())),
            Self::List(items) => items.iter().enumerate().find_map(|(at, item)| {
                let (within, what) = item.no_number()?;
                Some((format!("/{at}{within}"), what))
            }),
        }
    }
}

/// A key as a part of a pointer (RFC 6901).
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl Numbers {
    /// The same numbers in rows and columns that are expected: a batch of one may come as a flat row, a single number
    /// without any array.
    pub fn fits(&self, shape: &[usize]) -> bool {
        let wide = |shape: &[usize]| shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
        self.shape == shape || (self.shape.len() < shape.len() && wide(&self.shape) == wide(shape))
    }

    /// Where the number is that stands at this place of a quantity of that shape, both counted row by row. None where
    /// rows and columns are exchanged and there is no such row or column.
    pub fn place(&self, index: usize, shape: &[usize]) -> Option<usize> {
        match (shape, &self.shape[..]) {
            (&[_, columns], &[own_rows, own_columns]) if !self.fits(shape) => {
                let (row, column) = (index / columns, index % columns);
                (row < own_rows && column < own_columns).then_some(row * own_columns + column)
            }
            _ => Some(index),
        }
    }

    /// The decimals of the number that has most; none where all are whole.
    pub fn decimals(&self) -> i32 {
        self.values.iter().flatten().map(|&value| shortest(value).1).fold(0, Ord::max)
    }

    /// How far each number may be off because it was rounded: half a unit of its last place, or a whole one from three
    /// digits on, for who computes with rounded numbers is off by a little more. Zeros at the end are not written in
    /// JSON: a number has as many decimals as the one next to it that has most, or as many digits as the one that has
    /// most, whichever is coarser. But one that lacks two decimals or more has been rounded by itself, for two zeros at
    /// the end are rare: it has those that it shows, if it shows any. Whole numbers alone have as many decimals as there are `elsewhere` in the claim, and
    /// are exact where there are none.
    pub fn rounding(&self, elsewhere: i32) -> Vec<f64> {
        let written: Vec<(i32, i32)> = self.values.iter().map(|value| value.map_or((0, 0), shortest)).collect();
        let most_digits = written.iter().map(|(digits, _)| *digits).fold(0, Ord::max);
        let (own, whole) = (self.decimals(), self.decimals() == 0);
        let most_decimals = if whole { elsewhere } else { own };
        let unit = |(value, &(digits, decimals)): (&Option<f64>, &(i32, i32))| {
            let Some(value) = value.filter(|_| most_decimals > 0) else { return 0.0 };
            let before_the_point = digits - decimals;
            let by_digits = most_digits - before_the_point;
            let by_itself = if (1..=most_decimals - 2).contains(&decimals) { decimals } else { most_decimals };
            let meant = if whole || value == 0.0 { most_decimals } else { most_decimals.min(by_digits).min(by_itself) };
            let units = if value == 0.0 || before_the_point + meant < DIGITS { 0.5 } else { 1.0 };
            units * power_of_ten(-meant)
        };
        self.values.iter().zip(&written).map(unit).collect()
    }
}

/// From so many digits on a number may be off by one in its last place.
const DIGITS: i32 = 3;

/// The digits of the shortest text that reads back as this number, and how many of them are decimals.
fn shortest(value: f64) -> (i32, i32) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let digits = i32::try_from(digits).unwrap_or(0);
    (digits, digits - 1 - exponent.parse::<i32>().unwrap_or(0))
}

fn power_of_ten(exponent: i32) -> f64 {
    // Reading a decimal text is correctly rounded; a power by multiplication is not.
    format!("1e{exponent}").parse().unwrap_or(0.0)
}

impl<'de> Deserialize<'de> for Claim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClaimVisitor)
    }
}

struct ClaimVisitor;

impl<'de> Visitor<'de> for ClaimVisitor {
    type Value = Claim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part of a trace")
    }

    fn visit_unit<E>(self) -> Result<Claim, E> {
        Ok(Claim::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Claim, E> {
        Ok(Claim::Switch(value))
    }

    #[allow(clippy::cast_precision_loss, reason = "a claim of more than 53 bits is rounded as JSON readers do")]
    fn visit_u64<E>(self, value: u64) -> Result<Claim, E> {
        Ok(Claim::Number(value as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "a claim of more than 53 bits is rounded as JSON readers do")]
    fn visit_i64<E>(self, value: i64) -> Result<Claim, E> {
        Ok(Claim::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Claim, E> {
        Ok(Claim::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Claim, E> {
        Ok(Claim::Text(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Claim, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Claim::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Claim, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Claim::Object(object))
    }
}
