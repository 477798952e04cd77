//! Other programs' forms of data: bytes in, checked values out.
//!
//! Never in here: sessions, HTTP.

pub mod csv;
pub mod npz;
