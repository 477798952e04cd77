//! The name of a session.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, Unexpected};

use crate::engine::name::{NotAName, check_name};

/// A name under which a session is found; checked where it comes in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct SessionName(Arc<str>);

impl SessionName {
    /// The name, where the text is one.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        check_name(text).map(|()| Self(text.into()))
    }

    /// A name made up from eight random bytes: two words and four digits that are easy to say and to type.
    pub fn made_up(random: [u8; 8]) -> Self {
        const MANNERS: [&str; 16] = [
            "brave", "calm", "clever", "eager", "fair", "gentle", "happy", "keen", "kind", "lively", "merry", "noble",
            "patient", "quick", "steady", "wise",
        ];
        const ANIMALS: [&str; 16] = [
            "badger", "crane", "dolphin", "falcon", "finch", "fox", "heron", "lynx", "marten", "otter", "owl", "raven",
            "seal", "stork", "swift", "wren",
        ];
        let word = |words: [&'static str; 16], byte: u8| words[usize::from(byte % 16)];
        let number = u32::from_le_bytes([random[2], random[3], random[4], random[5]]) % 10_000;
        Self(format!("{}-{}-{number:04}", word(MANNERS, random[0]), word(ANIMALS, random[1])).into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SessionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(|_| de::Error::invalid_value(Unexpected::Str(&text), &"a session's name"))
    }
}
