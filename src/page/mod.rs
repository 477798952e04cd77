//! The page's files, out of the binary. They show what the API answers; no number of a network stands in them.

use std::borrow::Cow;

use rust_embed::RustEmbed;

/// The file that the page opens with.
pub const INDEX: &str = "index.html";

#[derive(RustEmbed)]
#[folder = "src/page/files"]
struct Files;

/// A file of the page.
pub struct PageFile {
    /// What is in it
    pub bytes: Cow<'static, [u8]>,
    /// Its media type
    pub media_type: &'static str,
    /// The SHA-256 of its bytes, in hexadecimal digits
    pub hash: String,
}

impl PageFile {
    /// The file of that name, if the page has one.
    pub fn find(name: &str) -> Option<Self> {
        let media_type = media_type(name)?;
        let file = Files::get(name)?;
        let hash = const_hex::encode(file.metadata.sha256_hash());
        Some(Self { bytes: file.data, media_type, hash })
    }

    /// The names of all files.
    pub fn names() -> impl Iterator<Item = Cow<'static, str>> {
        Files::iter()
    }
}

/// By the name's ending; a file of another kind is not served.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}
