//! Other programs' forms of data: bytes in, checked values out; and a trace out, as bytes.
//!
//! Never in here: sessions, HTTP.

pub mod csv;
pub mod npz;
pub mod safetensors;

use crate::limits::QUOTED_CHARACTERS;

/// A text from elsewhere, in quotes and not longer than a line.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
