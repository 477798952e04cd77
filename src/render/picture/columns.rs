//! The columns of a picture: the inputs, and what each layer puts out.

use crate::engine::layer::LayerForward;
use crate::engine::matrix::Matrix;
use crate::engine::trace::Trace;
use crate::render::solution::nodes::{Node, nodes};

/// Units of a layer that are drawn, at the most.
pub const UNITS: usize = 6;
/// Columns that are drawn, at the most; of more the lower and the upper half of so many.
pub const COLUMNS: usize = 12;

/// A column: units with their numbers.
pub struct Column<'t> {
    /// The layer; none for the inputs
    pub node: Option<Node<'t>>,
    /// `[examples][units]`
    pub outputs: &'t Matrix,
    /// The place among all columns
    pub place: usize,
}

/// Every column that is drawn, and how many are left out behind how many.
pub fn columns(trace: &Trace) -> (Vec<Column<'_>>, Option<(usize, usize)>) {
    let inputs = Column { node: None, outputs: &trace.forward.inputs, place: 0 };
    let mut all = vec![inputs];
    for (at, node) in nodes(trace).into_iter().enumerate() {
        all.push(Column { outputs: node.up.outputs(), place: at + 1, node: Some(node) });
    }
    if all.len() <= COLUMNS {
        return (all, None);
    }
    let half = COLUMNS / 2;
    let left_out = all.len() - COLUMNS;
    let upper = all.split_off(half + left_out);
    all.truncate(half);
    all.extend(upper);
    (all, Some((half, left_out)))
}

impl Column<'_> {
    /// Units that it has.
    pub fn units(&self) -> usize {
        self.outputs.columns()
    }

    /// Units that are drawn.
    pub fn drawn(&self) -> usize {
        if self.units() <= UNITS { self.units() } else { UNITS - 1 }
    }

    /// Its weights `[in][out]`, where it has some.
    pub fn weights(&self) -> Option<&Matrix> {
        match self.node.as_ref()?.up {
            LayerForward::Dense(layer) => Some(layer.parameters.weights()),
            _ => None,
        }
    }
}
