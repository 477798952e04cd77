//! What serde finds wrong, in our own words: the words of JSON, with what was probably meant and the code it stands for.

use std::fmt::{self, Display};

use serde::de::{self, Unexpected};

use super::code::Code;
pub use crate::exchange::quoted;

/// One of serde's complaints, with the code it stands for.
#[derive(Debug)]
pub struct Complaint {
    /// The stable code
    pub code: Code,
    /// The field that it is about, where it is about one as such
    pub field: Option<String>,
    /// What is wrong
    pub text: String,
}

impl Complaint {
    /// A complaint about a value.
    pub fn new(code: Code, text: String) -> Self {
        Self { code, field: None, text }
    }
}

impl Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Complaint {}

impl de::Error for Complaint {
    fn custom<T: Display>(text: T) -> Self {
        Self::new(Code::WrongType, text.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(Code::WrongType, format!("this is {}, and {} was expected", shown(&got), in_json(expected)))
    }

    fn invalid_value(got: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let number = matches!(got, Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_));
        let code = if number { Code::NumberOutOfRange } else { Code::UnknownValue };
        Self::new(code, format!("this is {}, and {} was expected", shown(&got), in_json(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Code::UnknownValue, format!("{} is unknown here; {}", quoted(variant), choice(variant, expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let text = format!("there is no field {} here; {}", quoted(field), choice(field, expected));
        Self { code: Code::UnknownField, field: Some(field.to_owned()), text }
    }

    fn missing_field(field: &'static str) -> Self {
        let text = format!("the field {field:?} is missing");
        Self { code: Code::MissingField, field: Some(field.to_owned()), text }
    }

    fn duplicate_field(field: &'static str) -> Self {
        let text = format!("the field {field:?} stands twice; one of them would be lost");
        Self { code: Code::DuplicateField, field: Some(field.to_owned()), text }
    }
}

/// What was expected, in words that JSON has: serde names its primitives as Rust does.
fn in_json(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "f64" => "a number".to_owned(),
        "u64" | "usize" => "a whole number not below zero".to_owned(),
        "a string" | "a borrowed string" => "a text".to_owned(),
        "a sequence" => "an array".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

/// What was found, in words that JSON has.
fn shown(got: &Unexpected<'_>) -> String {
    match got {
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Bool(value) => format!("{value}"),
        Unexpected::Unsigned(value) => format!("{value}"),
        Unexpected::Signed(value) => format!("{value}"),
        Unexpected::Float(value) => format!("{value}"),
        Unexpected::Str(text) => format!("the text {}", quoted(text)),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// What would be right, and what was probably meant.
fn choice(given: &str, expected: &[&str]) -> String {
    // The comparison keeps a table of both texts: a megabyte that a client sent is like none of ours anyway.
    let alike = |known: &str| given.len() < 80 && strsim::damerau_levenshtein(known, given) <= 2;
    let near = expected.iter().find(|known| alike(known));
    let list = expected.join(", ");
    match near {
        _ if expected.is_empty() => "none is expected".to_owned(),
        Some(near) => format!("did you mean {near}? Known are {list}"),
        None => format!("known are {list}"),
    }
}
