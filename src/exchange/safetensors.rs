//! A trace as safetensors: each quantity a tensor of doubles, named by its JSON pointer, and what stands above the trace as
//! the file's metadata, in one entry, since the order of several is left to chance. `safetensors.numpy.load` reads it.

use std::borrow::Cow;
use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensorError, View};
use zerocopy::IntoBytes;

use crate::engine::trace::{Trace, Values};

/// A quantity: its shape and its numbers, the last index moving fastest.
struct Quantity<'t> {
    shape: Vec<usize>,
    numbers: Cow<'t, [f64]>,
}

impl View for Quantity<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F64
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Of each number eight bytes, the lowest first: as it lies on all but the rarest machines.
    fn data(&self) -> Cow<'_, [u8]> {
        if cfg!(target_endian = "little") {
            return self.numbers.as_bytes().into();
        }
        self.numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<_>>().into()
    }

    fn data_len(&self) -> usize {
        size_of_val(&*self.numbers)
    }
}

/// The name of the entry of the metadata.
const ABOUT: &str = "chainrule";

/// The file, with a text about the trace. It is refused where a header cannot be written, which a trace's never is.
pub fn write(trace: &Trace, about: String) -> Result<Vec<u8>, SafeTensorError> {
    let mut quantities = vec![];
    trace.walk(&mut |place, values| {
        let (shape, numbers) = match values {
            Values::Scalar(value) => (vec![], vec![value].into()),
            Values::Vector(values) => (vec![values.len()], values.into()),
            Values::Matrix(matrix) => (vec![matrix.rows(), matrix.columns()], matrix.values().into()),
        };
        quantities.push((place.to_string(), Quantity { shape, numbers }));
    });
    safetensors::serialize(quantities, Some(HashMap::from([(ABOUT.to_owned(), about)])))
}
