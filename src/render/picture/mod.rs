//! Pictures of a trace: the network with its numbers on it, and the blame that flows back through it, as SVG, and its
//! structure as Mermaid; its weights; its activations; how blame fades with the distance from the output. And of a
//! session: how its loss went.
//!
//! A large network is not dumped: of a layer with many units the first ones are drawn, of a deep network the lowest and
//! the highest layers, and what is left out is said in the picture.

#![allow(clippy::disallowed_methods, reason = "places in a picture: it does not matter which zero")]

pub mod chart;
mod columns;
pub mod curve;
pub mod loss;
mod mermaid;
mod network;
mod plot;
pub mod svg;
mod weights;

use super::number::Digits;
use crate::engine::name::LayerName;
use crate::engine::trace::Trace;
use crate::insight::blame::blame;

/// What is drawn of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Units joined by their weights
    Flow(Flow),
    /// The weights of every layer as heat maps
    Weights,
    /// A layer's activation and its slope, and where its units stand on them
    Activation(LayerName),
    /// How blame and change fade with the distance from the output
    Distance,
}

/// Which way numbers flow through the units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Forward: units with what they put out
    Network,
    /// Backward: with the blame that goes back
    Backward,
}

/// What is to be shown of the flow, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Drawing {
    flow: Flow,
    digits: Digits,
    /// The example of the batch, counted from 0
    example: usize,
}

/// The picture as SVG, of one example of the batch where it shows one, counted from 0. Blame that no double can hold is
/// not drawn.
pub fn draw(trace: &Trace, picture: &Picture, digits: Digits, example: usize) -> String {
    let example = example.min(trace.forward.inputs.rows() - 1);
    match picture {
        Picture::Flow(flow) => {
            let blame = blame(trace, example).ok();
            network::draw(trace, blame.as_ref(), Drawing { flow: *flow, digits, example })
        }
        Picture::Weights => weights::draw(trace, digits),
        Picture::Activation(layer) => curve::draw(trace, layer, digits, example),
        Picture::Distance => chart::of_trace(trace),
    }
}

/// The flow as a Mermaid flowchart.
pub fn flowchart(trace: &Trace, flow: Flow, digits: Digits, example: usize) -> String {
    let example = example.min(trace.forward.inputs.rows() - 1);
    mermaid::write(trace, blame(trace, example).ok().as_ref(), Drawing { flow, digits, example })
}
