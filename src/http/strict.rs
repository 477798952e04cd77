//! Reading only what the API describes: serde would also take an array for an object, an object for a word, and null
//! for a field that was left out.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, Visitor};

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
