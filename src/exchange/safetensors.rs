//! A trace as safetensors: each quantity a tensor of doubles, named by its JSON pointer, and what stands above the trace as
//! the file's metadata, in one entry, since the order of several is left to chance. `safetensors.numpy.load` reads it.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, View};

use crate::engine::trace::{Trace, Values};

/// A quantity: its shape and its numbers, the last index moving fastest, each of eight bytes, the lowest first.
struct Quantity {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl View for Quantity {
    fn dtype(&self) -> Dtype {
        Dtype::F64
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        (&self.bytes).into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// The name of the entry of the metadata.
const ABOUT: &str = "chainrule";

/// The file, with a text about the trace. It is refused where a header cannot be written, which a trace's never is.
pub fn write(trace: &Trace, about: String) -> Result<Vec<u8>, SafeTensorError> {
    let mut quantities = vec![];
    trace.walk(&mut |place, values| {
        let (shape, numbers) = match values {
            Values::Scalar(value) => (vec![], &[value][..]),
            Values::Vector(values) => (vec![values.len()], values),
            Values::Matrix(matrix) => (vec![matrix.rows(), matrix.columns()], matrix.values()),
        };
        let mut bytes = Vec::with_capacity(size_of_val(numbers));
        for number in numbers {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        quantities.push((place.to_string(), Quantity { shape, bytes }));
    });
    safetensors::serialize(quantities, Some(HashMap::from([(ABOUT.to_owned(), about)])))
}
