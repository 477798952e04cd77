//! CBOR (RFC 8949) for what a store keeps, with numbers as the bytes that they are.

use serde::de::{self, DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize, Serializer};

use crate::engine::matrix::Matrix;
use crate::engine::tensor::Tensor;

/// A matrix, or a vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers(Tensor);

/// Bytes that are not what they should be, or nothing that this version knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry says nothing that this version understands: {0}")]
pub struct Unreadable(pub String);

impl From<Tensor> for Numbers {
    fn from(tensor: Tensor) -> Self {
        Self(tensor)
    }
}

impl Numbers {
    /// The numbers with their shape.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// Of a matrix.
    pub fn of(matrix: &Matrix) -> Self {
        Self(Tensor::Matrix(matrix.clone()))
    }

    /// The matrix; a vector is one row.
    pub fn into_matrix(self) -> Matrix {
        match self.0 {
            Tensor::Matrix(matrix) => matrix,
            Tensor::Vector(values) => Matrix::new(1, values.len(), values),
        }
    }
}

/// A shape of one or two sizes, and the doubles.
#[derive(Serialize, Deserialize)]
struct Packed {
    shape: Vec<usize>,
    values: Bytes,
}

impl Serialize for Numbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (rows, columns) = self.0.size();
        let shape = if matches!(self.0, Tensor::Vector(_)) { vec![columns] } else { vec![rows, columns] };
        let values = self.0.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        Packed { shape, values: Bytes(values) }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Packed { shape, values: Bytes(bytes) } = Packed::deserialize(deserializer)?;
        let (chunks, rest) = bytes.as_chunks::<8>();
        let values: Vec<f64> = chunks.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        let wrong = || de::Error::custom("as many doubles as the shape says were expected");
        let fits = rest.is_empty() && !values.is_empty();
        match shape[..] {
            [columns] if fits && columns == values.len() => Ok(Self(Tensor::Vector(values))),
            [rows, columns] if fits && rows.checked_mul(columns) == Some(values.len()) => {
                Ok(Self(Tensor::Matrix(Matrix::new(rows, columns, values))))
            }
            _ => Err(wrong()),
        }
    }
}

/// Bytes as such: a list of numbers would take twice the room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A value as CBOR.
pub fn to_cbor(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = vec![];
    #[allow(clippy::expect_used, reason = "a vector takes everything, and what is written here has no other fault")]
    ciborium::into_writer(value, &mut bytes).expect("a vector takes everything");
    bytes
}

/// A value from CBOR.
pub fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    ciborium::from_reader(bytes).map_err(|error| Unreadable(error.to_string()))
}
