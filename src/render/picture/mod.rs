//! Pictures of a trace: the network with its numbers on it, and the blame that flows back through it; as SVG, and its
//! structure as Mermaid. And how blame fades with the distance from the output.
//!
//! A large network is not dumped: of a layer with many units the first ones are drawn, of a deep network the lowest and
//! the highest layers, and what is left out is said in the picture.

#![allow(clippy::disallowed_methods, reason = "places in a picture: it does not matter which zero")]

pub mod chart;
mod columns;
mod mermaid;
mod network;
pub mod svg;

use super::number::Digits;
use crate::engine::trace::Trace;
use crate::insight::blame::blame;

/// What is drawn of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Units with what they put out, joined by their weights
    Network,
    /// The same with the blame that goes back
    Backward,
}

/// What is to be shown, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// What
    pub picture: Picture,
    /// Significant digits
    pub digits: Digits,
    /// The example of the batch, counted from 0
    pub example: usize,
}

impl Drawing {
    fn within(self, trace: &Trace) -> Self {
        Self { example: self.example.min(trace.forward.inputs.rows() - 1), ..self }
    }
}

/// The picture as SVG. Blame that no double can hold is not drawn.
pub fn draw(trace: &Trace, drawing: Drawing) -> String {
    let drawing = drawing.within(trace);
    network::draw(trace, blame(trace, drawing.example).ok().as_ref(), drawing)
}

/// The picture as a Mermaid flowchart.
pub fn flowchart(trace: &Trace, drawing: Drawing) -> String {
    let drawing = drawing.within(trace);
    mermaid::write(trace, blame(trace, drawing.example).ok().as_ref(), drawing)
}
