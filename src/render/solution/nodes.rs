//! The layers of a trace in one line, those inside of residual blocks in their place: each on its way up, on its way
//! down, and in the update.

use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::matrix::Matrix;
use crate::engine::trace::{LayerUpdate, Trace};
use crate::render::document::counted;

/// A layer. A residual block stands behind the layers inside of it, where its sum is made.
pub struct Node<'t> {
    /// Its place: `2`, or `2.1` inside of the second layer
    pub label: String,
    pub up: &'t LayerForward,
    pub down: Option<&'t LayerBackward>,
    pub update: Option<&'t LayerUpdate>,
    /// What it was given, `[examples][inputs]`, and the node that put it out; none is the network's inputs
    pub inputs: &'t Matrix,
    pub below: Option<usize>,
    /// The node that it gives its outputs to; none at the top of the network, or of a block
    pub above: Option<usize>,
}

/// Every layer, from below.
pub fn nodes(trace: &Trace) -> Vec<Node<'_>> {
    let mut found = vec![];
    let downs = trace.backward.as_ref().map(|backward| &backward.layers[..]);
    let updates = trace.update.as_ref().map(|update| &update.layers[..]);
    add(&trace.forward.layers, downs, updates, &trace.forward.inputs, (None, ""), &mut found);
    found
}

fn add<'t>(
    ups: &'t [LayerForward],
    downs: Option<&'t [LayerBackward]>,
    updates: Option<&'t [LayerUpdate]>,
    mut inputs: &'t Matrix,
    (mut below, prefix): (Option<usize>, &str),
    found: &mut Vec<Node<'t>>,
) {
    let mut last: Option<usize> = None;
    for (at, up) in ups.iter().enumerate() {
        // What goes down is listed from the top.
        let from_the_top = ups.len() - 1 - at;
        let (down, update) = (downs.map(|downs| &downs[from_the_top]), updates.map(|updates| &updates[from_the_top]));
        let label = format!("{prefix}{}", at + 1);
        if !up.inner().is_empty() {
            let (downs, updates) = (down.map(LayerBackward::inner), update.map(|update| &update.layers[..]));
            add(up.inner(), downs, updates, inputs, (below, &format!("{label}.")), found);
        }
        let here = found.len();
        if let Some(last) = last {
            found[last].above = Some(here);
        }
        found.push(Node { label, up, down, update, inputs, below, above: None });
        (inputs, below, last) = (up.outputs(), Some(here), Some(here));
    }
}

impl Node<'_> {
    /// Units that it puts out.
    pub fn units(&self) -> usize {
        self.up.outputs().columns()
    }

    /// What it is, in a few words.
    pub fn short(&self) -> String {
        match self.up {
            LayerForward::Dense(layer) => format!("{} {}", self.units(), word(layer.activation)),
            LayerForward::Activation(layer) => word(layer.activation),
            _ => word(self.up.kind()),
        }
    }

    /// What it is, in words.
    pub fn described(&self) -> String {
        let units = self.units();
        let count = |what: &str| counted(units, what);
        match self.up {
            LayerForward::Dense(layer) => count(&format!("{} unit", word(layer.activation))),
            LayerForward::Activation(layer) => format!("{} of {}", word(layer.activation), count("number")),
            LayerForward::Normalization(layer) => format!("{} of {}", word(layer.kind), count("number")),
            LayerForward::Dropout(layer) => format!("dropout with the rate {} of {}", layer.rate, count("number")),
            LayerForward::Residual(_) => {
                format!("a residual block: a way around {}", counted(self.up.inner().len(), "layer"))
            }
        }
    }

    /// −∂E/∂h, `[examples][units]`.
    pub fn errors(&self) -> Option<&Matrix> {
        Some(match self.down? {
            LayerBackward::Dense(down) => &down.errors,
            LayerBackward::Activation(down) => &down.errors,
            LayerBackward::Normalization(down) => &down.errors,
            LayerBackward::Dropout(down) => &down.errors,
            LayerBackward::Residual(down) => &down.errors,
        })
    }

    /// What is shown of its units on the way down, a number each: δ, and of a block, whose δ is of what goes in, e.
    pub fn blame(&self) -> Option<(&'static str, &Matrix)> {
        match self.down? {
            LayerBackward::Residual(down) => Some(("e", &down.errors)),
            _ => Some(("δ", self.deltas()?)),
        }
    }

    /// −∂E/∂a of a dense layer; of any other one what it passes down.
    pub fn deltas(&self) -> Option<&Matrix> {
        Some(match self.down? {
            LayerBackward::Dense(down) => &down.deltas,
            LayerBackward::Activation(down) => &down.deltas,
            LayerBackward::Normalization(down) => &down.deltas,
            LayerBackward::Dropout(down) => &down.deltas,
            LayerBackward::Residual(down) => &down.deltas,
        })
    }
}

/// A name on the wire as words.
pub fn word(name: impl serde::Serialize) -> String {
    // The names of activations and kinds are texts.
    serde_json::to_value(name)
        .ok()
        .and_then(|name| name.as_str().map(|name| name.replace('_', " ")))
        .unwrap_or_default()
}
