//! Why a body could not be read: a second, slower reading that knows where it is and what kind of fault it met.
//!
//! The first reading is serde's own and as fast as it can be, but it keeps neither. This one first makes a tree of
//! the JSON and then reads the type from the tree with an error type that remembers which of serde's complaints it
//! was made from, so that no text is ever compared.

use std::fmt::{self, Display};

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

use super::code::Code;
use super::problem::Fault;

/// The fault that made reading a `T` fail.
pub fn fault<T: DeserializeOwned>(bytes: &[u8], error: &serde_json::Error) -> Fault {
    if error.classify() != Category::Data {
        return syntax(bytes, error);
    }
    let tree = match serde_json::from_slice::<Tree>(bytes) {
        Ok(tree) => tree,
        Err(error) => return syntax(bytes, &error),
    };
    match serde_path_to_error::deserialize::<_, T>(Branch(&tree)) {
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
    let located = serde_path_to_error::deserialize::<_, Tree>(&mut serde_json::Deserializer::from_slice(bytes));
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

/// JSON as it was written, doubled fields included.
enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Planter)
    }
}

struct Planter;

impl<'de> Visitor<'de> for Planter {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Signed(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Tree::Object(object))
    }
}

/// A tree being read.
#[derive(Clone, Copy)]
struct Branch<'t>(&'t Tree);

impl<'de> Deserializer<'de> for Branch<'de> {
    type Error = Complaint;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(*value),
            Tree::Unsigned(value) => visitor.visit_u64(*value),
            Tree::Signed(value) => visitor.visit_i64(*value),
            Tree::Float(value) => visitor.visit_f64(*value),
            Tree::Text(value) => visitor.visit_borrowed_str(value),
            Tree::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(Branch))),
            Tree::Object(entries) => {
                let entries = entries.iter().map(|(key, value)| (key.as_str(), Branch(value)));
                visitor.visit_map(MapDeserializer::new(entries))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Complaint> {
        if matches!(self.0, Tree::Null) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        match self.0 {
            Tree::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            other => Err(de::Error::invalid_type(other.unexpected(), &"a text")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Complaint> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Complaint> for Branch<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl Tree {
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Unsigned(value) => Unexpected::Unsigned(*value),
            Self::Signed(value) => Unexpected::Signed(*value),
            Self::Float(value) => Unexpected::Float(*value),
            Self::Text(text) => Unexpected::Str(text),
            Self::List(_) => Unexpected::Seq,
            Self::Object(_) => Unexpected::Map,
        }
    }
}

/// One of serde's complaints, with the code it stands for.
#[derive(Debug)]
struct Complaint {
    code: Code,
    field: Option<String>,
    text: String,
}

impl Complaint {
    fn new(code: Code, text: String) -> Self {
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

/// A text from a client, in quotes and not longer than a line.
fn quoted(text: &str) -> String {
    if text.chars().count() > 80 {
        format!("{:?}…", text.chars().take(80).collect::<String>())
    } else {
        format!("{text:?}")
    }
}

/// What would be right, and what was probably meant.
fn choice(given: &str, expected: &[&str]) -> String {
    let near = expected.iter().find(|known| strsim::damerau_levenshtein(known, given) <= 2);
    let list = expected.join(", ");
    match near {
        _ if expected.is_empty() => "none is expected".to_owned(),
        Some(near) => format!("did you mean {near}? Known are {list}"),
        None => format!("known are {list}"),
    }
}
