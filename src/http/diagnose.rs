//! Why a body could not be read: a second, slower reading that knows where it is and what kind of fault it met.
//!
//! The first reading is serde's own and as fast as it can be, but it keeps neither. This one puts an adapter around
//! the same reader, whose error type remembers which of serde's complaints it was made from. Nothing of the body is
//! kept, so that a refusal takes no more memory than the body itself.

mod adapter;

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::code::Code;
use super::complaint::Complaint;
use super::problem::Fault;
use adapter::Adapter;

/// The fault that made reading a `T` fail.
pub fn fault<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Fault {
    if error.classify() != Category::Data {
        return syntax(bytes, error);
    }
    let stash = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(Adapter::new(&mut reader, &stash)) {
        Err(error) => {
            let pointer = pointer(error.path());
            let Complaint { code, field, text } = error.into_inner();
            Fault::new(at_field(pointer, code, field.as_deref()), code, text)
        }
        // The two readings disagree, which they should not; the first one's words are still true.
        Ok(_) => Fault::new("", Code::WrongType, error.to_string()),
    }
}

/// A text that is not JSON, or a number in it that no double can hold.
fn syntax(bytes: &[u8], error: &serde_json::Error) -> Fault {
    let located = serde_path_to_error::deserialize::<_, Skimmed>(&mut serde_json::Deserializer::from_slice(bytes));
    let pointer = located.err().map(|error| pointer(error.path())).unwrap_or_default();
    match number_before(bytes, error.line(), error.column()) {
        Some(number) => {
            let number = if number.len() > 40 { format!("{}…", &number[..40]) } else { number };
            let detail = format!("{number} is beyond the largest double, 1.7976931348623157e308");
            Fault::new(pointer, Code::NumberOutOfRange, detail)
        }
        None => Fault::new("", Code::MalformedJson, format!("the body is not JSON: {error}")),
    }
}

/// JSON that was read to its end and not kept.
struct Skimmed;

impl<'de> Deserialize<'de> for Skimmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Skimmer)
    }
}

struct Skimmer;

impl<'de> Visitor<'de> for Skimmer {
    type Value = Skimmed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_str<E>(self, _: &str) -> Result<Skimmed, E> {
        Ok(Skimmed)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Skimmed, A::Error> {
        while items.next_element::<Skimmed>()?.is_some() {}
        Ok(Skimmed)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Skimmed, A::Error> {
        // A key is read as one, so that the place is known.
        while entries.next_entry::<String, Skimmed>()?.is_some() {}
        Ok(Skimmed)
    }
}

/// The complete JSON number that ends where the reader stopped, if there is one: JSON itself has no objection to a
/// whole number, so the reader's was to its size.
fn number_before(bytes: &[u8], line: usize, column: usize) -> Option<String> {
    let line = bytes.split(|&byte| byte == b'\n').nth(line.checked_sub(1)?)?;
    let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let at = column.checked_sub(1)?.min(line.len().checked_sub(1)?);
    let from = line[..=at].iter().rposition(|byte| !in_number(byte)).map_or(0, |before| before + 1);
    let to = from + line[from..].iter().position(|byte| !in_number(byte)).unwrap_or(line.len() - from);
    let text = str::from_utf8(&line[from..to]).ok()?;
    let is_json = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
    (is_json && !text.parse::<f64>().ok()?.is_finite()).then(|| text.to_owned())
}

/// A path as an RFC 6901 pointer.
fn pointer(path: &Path) -> String {
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

/// A complaint about a field points at the field, whether or not the reader had already gone into it.
fn at_field(pointer: String, code: Code, field: Option<&str>) -> String {
    match field {
        Some(field) if code != Code::MissingField => {
            let field = format!("/{}", field.replace('~', "~0").replace('/', "~1"));
            if pointer.ends_with(&field) { pointer } else { pointer + &field }
        }
        _ => pointer,
    }
}
