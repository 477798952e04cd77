//! A JSON reader that speaks in our own complaints.
//!
//! What reads the body (derived code, mostly) makes errors of our type. They cannot pass through the JSON reader, which
//! has a type of its own: they are laid aside on the way in, and taken up again on the way out.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::http::code::Code;
use crate::http::complaint::Complaint;

/// Where a complaint lies while it passes through the JSON reader.
pub(super) type Stash = Cell<Option<Complaint>>;

/// A part of the adapter: something of the JSON reader's, or something that is handed to it.
#[derive(Clone, Copy)]
pub(super) struct Adapter<'s, T> {
    inner: T,
    stash: &'s Stash,
}

impl<'s, T> Adapter<'s, T> {
    pub fn new(inner: T, stash: &'s Stash) -> Self {
        Self { inner, stash }
    }

    /// Our own complaint, if that was the error; otherwise the JSON reader's.
    fn take<E: fmt::Display>(stash: &Stash, error: &E) -> Complaint {
        stash.take().unwrap_or_else(|| Complaint::new(Code::WrongType, error.to_string()))
    }

    fn lay<E: de::Error>(stash: &Stash, complaint: Complaint) -> E {
        stash.set(Some(complaint));
        E::custom("see the stash")
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Adapter<'_, D> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        let Self { inner, stash } = self;
        inner.deserialize_any(Adapter { inner: visitor, stash }).map_err(|error| Self::take(stash, &error))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        let Self { inner, stash } = self;
        inner.deserialize_option(Adapter { inner: visitor, stash }).map_err(|error| Self::take(stash, &error))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        visitor.visit_newtype_struct(self)
    }

    /// An enum is one of its words.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        self.deserialize_any(WordVisitor(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// What reads the body, handed to the JSON reader.
impl<'de, V: Visitor<'de>> Visitor<'de> for Adapter<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit().map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none().map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<V::Value, E> {
        self.inner.visit_bool(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<V::Value, E> {
        self.inner.visit_u64(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<V::Value, E> {
        self.inner.visit_i64(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<V::Value, E> {
        self.inner.visit_f64(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<V::Value, E> {
        self.inner.visit_str(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.inner.visit_borrowed_str(value).map_err(|complaint| Self::lay(self.stash, complaint))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let Self { inner, stash } = self;
        inner.visit_some(Adapter { inner: deserializer, stash }).map_err(|complaint| Self::lay(stash, complaint))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        let Self { inner, stash } = self;
        inner.visit_seq(Adapter { inner: items, stash }).map_err(|complaint| Self::lay(stash, complaint))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<V::Value, A::Error> {
        let Self { inner, stash } = self;
        inner.visit_map(Adapter { inner: entries, stash }).map_err(|complaint| Self::lay(stash, complaint))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Adapter<'_, A> {
    type Error = Complaint;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Complaint> {
        let stash = self.stash;
        self.inner.next_element_seed(Seed { seed, stash }).map_err(|error| Self::take(stash, &error))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Adapter<'_, A> {
    type Error = Complaint;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Complaint> {
        let stash = self.stash;
        self.inner.next_key_seed(Seed { seed, stash }).map_err(|error| Self::take(stash, &error))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Complaint> {
        let stash = self.stash;
        self.inner.next_value_seed(Seed { seed, stash }).map_err(|error| Self::take(stash, &error))
    }
}

/// What reads one item or entry, handed to the JSON reader.
struct Seed<'s, T> {
    seed: T,
    stash: &'s Stash,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let Self { seed, stash } = self;
        let adapter = Adapter { inner: deserializer, stash };
        seed.deserialize(adapter).map_err(|complaint| Adapter::<D>::lay(stash, complaint))
    }
}

/// A word for a visitor of an enum.
struct WordVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for WordVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        let word: de::value::StrDeserializer<'_, E> = text.into_deserializer();
        self.0.visit_enum(word)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.visit_enum(access)
    }
}
