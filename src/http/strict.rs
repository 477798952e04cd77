//! Reading only what the API describes: serde would also take an array for an object, an object for a word, and null
//! for a field that was left out.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;

use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Visitor};

use crate::limits::SEED_MAX;

/// Makes types that are derived with `#[serde(remote = "Self")]` readable, from objects alone.
macro_rules! objects {
    ($($body:ident),+ $(,)?) => {$(
        impl<'de> serde::Deserialize<'de> for $body {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;

                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $body;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, entries: A) -> Result<$body, A::Error> {
                        // The derived reader, which with `remote = "Self"` is a function of the type itself.
                        $body::deserialize(serde::de::value::MapAccessDeserializer::new(entries))
                    }
                }

                deserializer.deserialize_map(ObjectVisitor)
            }
        }
    )+};
}

pub(super) use objects;

/// A field that may be left out, but is not null.
pub fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// One of an enum's words.
pub fn word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_str(WordVisitor(PhantomData))
}

/// One of an enum's words in a field that may be left out.
pub fn given_word<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    word(deserializer).map(Some)
}

/// A whole number not below zero. JSON knows no integers: 2.0 is one too.
pub fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    deserializer.deserialize_any(WholeVisitor)
}

/// A whole number not below zero in a field that may be left out.
pub fn given_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    whole(deserializer).map(Some)
}

/// A step's number in a field that may be left out: a whole number that every JSON reader keeps.
pub fn given_step<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let step = whole(deserializer)?;
    if step > SEED_MAX {
        let expected = format!("a whole number up to {SEED_MAX}");
        return Err(de::Error::invalid_value(de::Unexpected::Unsigned(step), &expected.as_str()));
    }
    Ok(Some(step))
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number not below zero")
    }

    fn visit_u64<E>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number above 2^64 becomes the largest one, which every limit refuses"
    )]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<u64, E> {
        if value.fract() != 0.0 {
            Err(E::invalid_type(de::Unexpected::Float(value), &self))
        } else if value < 0.0 {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        } else {
            Ok(value as u64)
        }
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        let text: StrDeserializer<'_, E> = text.into_deserializer();
        T::deserialize(text)
    }
}
