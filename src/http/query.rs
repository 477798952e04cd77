//! Queries coming in, read as strictly as bodies: a parameter that means nothing is refused by its name.

use axum::extract::{FromRequestParts, Request};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::code::Code;
use super::complaint::{Complaint, quoted};
use super::problem::Problem;

/// The query; a parameter that it does not know is refused.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = pairs(&parts.uri)?;
        let entries = pairs.iter().map(|(name, value)| (name.as_str(), Value(value)));
        serde_path_to_error::deserialize(MapDeserializer::new(entries)).map(Self).map_err(|error| {
            let at = error.path().to_string();
            let Complaint { code, field, text } = error.into_inner();
            // A complaint about a parameter as such names it.
            let place = if field.is_some() { "in the query ".to_owned() } else { format!("the query's {at}: ") };
            Problem::new(code, place + &text)
        })
    }
}

/// For paths that take no query: whatever stood there would be lost.
pub async fn no_query(request: Request, next: Next) -> Response {
    match pairs(request.uri()) {
        Err(problem) => problem.into_response(),
        Ok(pairs) => match pairs.first() {
            None => next.run(request).await,
            Some((name, _)) => {
                let detail = format!("this path takes no query, and there is the parameter {}", quoted(name));
                Problem::new(Code::UnknownField, detail).into_response()
            }
        },
    }
}

/// Names and values in their order, doubled ones included.
fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Problem> {
    let decoded = |text: &str| match percent_decode_str(&text.replace('+', " ")).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Problem::new(Code::InvalidQuery, "the query is not UTF-8 behind its percent signs")),
    };
    let parts = uri.query().unwrap_or_default().split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(name, value)| Ok((decoded(name)?, decoded(value)?)))
        .collect()
}

/// The text of a parameter, being read as what the parameter is.
#[derive(Clone, Copy)]
struct Value<'t>(&'t str);

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        visitor.visit_some(self)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        let digits = self.0.strip_prefix('-').unwrap_or(self.0);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(de::Error::invalid_type(Unexpected::Str(self.0), &"a whole number not below zero"));
        }
        if digits.len() < self.0.len() {
            let text = format!("this is {}, and a whole number not below zero was expected", quoted(self.0));
            return Err(Complaint::new(Code::NumberOutOfRange, text));
        }
        // A number beyond 64 bits becomes the largest one, which every limit refuses.
        visitor.visit_u64(self.0.parse().unwrap_or(u64::MAX))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.0 {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(de::Error::invalid_type(Unexpected::Str(other), &"true or false")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.0.parse::<f64>() {
            Ok(value) if value.is_finite() => visitor.visit_f64(value),
            _ => Err(de::Error::invalid_type(Unexpected::Str(self.0), &"a finite number")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        visitor.visit_enum(self.0.into_deserializer())
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Complaint> for Value<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
