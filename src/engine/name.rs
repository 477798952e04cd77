//! The name of a layer, and which names are names at all.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, Unexpected};
use thiserror::Error;

use crate::limits::NAME_CHARACTERS;

/// The form of every name, as a regular expression for the API's description.
pub const NAME_PATTERN: &str = "^[a-z0-9][a-z0-9._-]{0,62}$";

/// A text that is no name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error(
    "a name has 1 to {NAME_CHARACTERS} characters out of a-z, 0-9, '.', '_' and '-', and starts with a letter or a digit"
)]
pub struct NotAName;

/// Whether a text has the form of a name.
pub fn check_name(text: &str) -> Result<(), NotAName> {
    let letter_or_digit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let starts_well = text.starts_with(letter_or_digit);
    let goes_on_well = text.chars().all(|c| letter_or_digit(c) || matches!(c, '.' | '_' | '-'));
    if starts_well && goes_on_well && text.len() <= NAME_CHARACTERS { Ok(()) } else { Err(NotAName) }
}

/// The name of a layer: given, or `layer1`, `layer2`, … by its place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct LayerName(Arc<str>);

impl LayerName {
    /// The name, where the text is one.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        check_name(text).map(|()| Self(text.into()))
    }

    /// The name of a layer that was given none, by its index among its neighbours: `layer2`, or `block.2` inside of
    /// `block`. Deep inside of long names there is no room for it.
    pub fn by_place(index: usize, inside: Option<&Self>) -> Result<Self, NotAName> {
        match inside {
            None => Ok(Self(format!("layer{}", index + 1).into())),
            Some(outer) => Self::parse(&format!("{outer}.{}", index + 1)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LayerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|_| de::Error::invalid_value(Unexpected::Str(&text), &"a layer's name"))
    }
}

/// Where a layer stands: its index among the layers of the network, then its index inside of that one, and so on. It
/// displays as the end of an RFC 6901 pointer, `/layers/2/layers/0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerPath(Vec<usize>);

impl LayerPath {
    /// From indices, the outermost first.
    pub fn new(indices: impl IntoIterator<Item = usize>) -> Self {
        Self(indices.into_iter().collect())
    }

    /// The layer of that index in the layer at this path.
    #[must_use]
    pub fn inside(&self, index: usize) -> Self {
        Self(self.0.iter().copied().chain([index]).collect())
    }

    /// The indices, the outermost first.
    pub fn indices(&self) -> &[usize] {
        &self.0
    }
}

impl fmt::Display for LayerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|index| write!(f, "/layers/{index}"))
    }
}
