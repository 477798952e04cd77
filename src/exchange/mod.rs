//! Other programs' forms of data: bytes in, checked values out; and a trace out, as bytes.
//!
//! Never in here: sessions, HTTP.

pub mod csv;
pub mod npz;
pub mod safetensors;
