//! Running the engine with a mistake in it: a tap that changes quantities as they are computed, and knows those before.

use std::cell::RefCell;
use std::collections::HashMap;

use super::compare::{Quantity, Wanted};
use crate::engine::activation::Activation;
use crate::engine::layer::{Layer, LayerKind, NamedLayer};
use crate::engine::matrix::Matrix;
use crate::engine::model::{Model, Targets};
use crate::engine::name::LayerPath;
use crate::engine::pass::Pass;
use crate::engine::tap::ValuesMut;
use crate::engine::trace::Place;

/// A quantity that is being computed.
pub(super) struct Spot<'a> {
    /// Its pointer
    pub pointer: String,
    /// The section: forward, loss, backward or update
    pub section: &'static str,
    /// Its name: what stands behind the layer
    pub name: Vec<&'static str>,
    /// The layer, counted from below at every level, and the layer itself
    pub layer: Option<(Vec<usize>, &'a NamedLayer)>,
    /// The layers above it at its own level, and around it at each level further out, from below
    above: Vec<&'a [NamedLayer]>,
    /// Whether it belongs to the outputs: to the last dense layer, or to what stands above that, or around it
    pub output: bool,
    /// Whether it belongs to the layer that the loss looks at
    pub top: bool,
}

/// Weights that blame has come down through.
pub(super) struct Crossed {
    /// Whose weights, as a path from below
    pub layer: Vec<usize>,
    /// What of that layer's way down went through them
    pub deltas: &'static str,
}

/// What was computed before, by pointer.
#[derive(Default)]
pub(super) struct Seen(HashMap<String, Matrix>);

impl Seen {
    /// A quantity by its pointer; a vector is one row.
    pub fn get(&self, pointer: &str) -> Option<&Matrix> {
        self.0.get(pointer)
    }

    /// A quantity of the same layer and section.
    pub fn beside(&self, spot: &Spot, name: &str) -> Option<&Matrix> {
        let layer = spot.pointer.strip_suffix(&spot.name.join("/"))?;
        self.get(&format!("{layer}{name}"))
    }

    /// A quantity of a layer on its way up.
    pub fn up(&self, layer: &[usize], name: &str) -> Option<&Matrix> {
        let at = LayerPath::new(layer.iter().copied());
        self.get(&format!("/forward{at}/{name}"))
    }

    /// What came into a layer from below.
    pub fn inputs(&self, layer: &[usize]) -> Option<&Matrix> {
        match layer.split_last() {
            Some((0, [])) => self.get("/forward/inputs"),
            Some((0, outer)) => self.inputs(outer),
            Some((index, outer)) => self.up(&[outer, &[index - 1]].concat(), "outputs"),
            None => None,
        }
    }
}

/// The wanted quantities of a step in which `tamper` changes what it likes, in the loss afterwards too: who makes a
/// mistake on the way up makes it every time. Nothing where the mistake overflows; a loss afterwards that does is not a
/// number.
pub(super) fn imitate(
    pass: &Pass,
    targets: &Targets,
    wanted: &Wanted,
    tamper: &mut dyn FnMut(&Spot, &Seen, &mut ValuesMut),
) -> Option<Vec<Quantity>> {
    let layers = pass.model.layers();
    let last_dense = last_dense(layers).unwrap_or_default();
    let tamper = RefCell::new(tamper);
    let touch = |seen: &mut Seen, place: &Place, mut values: ValuesMut| {
        let spot = spot(place, layers, &last_dense);
        (tamper.borrow_mut())(&spot, seen, &mut values);
        if !spot.is_looked_at() {
            return;
        }
        let matrix = match &values {
            ValuesMut::Scalar(value) => Matrix::filled(1, 1, **value),
            ValuesMut::Vector(values) => Matrix::new(1, values.len(), values.to_vec()),
            ValuesMut::Matrix(matrix) => (**matrix).clone(),
        };
        seen.0.insert(spot.pointer, matrix);
    };
    let (mut seen, mut seen_afterwards) = (Seen::default(), Seen::default());
    let mut touch_afterwards = |place: &Place, values: ValuesMut| touch(&mut seen_afterwards, place, values);
    let trace =
        pass.wild_step_tapped(targets, &mut |place, values| touch(&mut seen, place, values), &mut touch_afterwards);
    trace.ok().map(|trace| wanted.of(&trace))
}

/// The path of the last dense layer.
fn last_dense(layers: &[NamedLayer]) -> Option<Vec<usize>> {
    layers.iter().enumerate().rev().find_map(|(index, named)| match named.layer.kind() {
        LayerKind::Dense => Some(vec![index]),
        _ => last_dense(named.layer.inner()).map(|inner| [vec![index], inner].concat()),
    })
}

fn spot<'a>(place: &Place, layers: &'a [NamedLayer], last_dense: &[usize]) -> Spot<'a> {
    let names = place.names();
    let section = names.first().copied().unwrap_or_default();
    let indices = place.layer_indices();
    let mut found: Option<(Vec<usize>, &NamedLayer)> = None;
    let (mut level, mut above) = (layers, vec![]);
    for &index in &indices {
        // The way down and the update list layers from the top.
        let from_below = if section == "forward" { index } else { level.len() - 1 - index };
        let path = found.map(|(path, _)| path).unwrap_or_default();
        found = Some((path.into_iter().chain([from_below]).collect(), &level[from_below]));
        above.insert(0, &level[from_below + 1..]);
        level = level[from_below].layer.inner();
    }
    let name = names.iter().skip(1 + indices.len()).copied().collect();
    let path = found.as_ref().map(|(path, _)| &path[..]);
    let output = path.is_some_and(|path| path >= last_dense || last_dense.starts_with(path));
    let top = path == Some(&[layers.len() - 1]);
    Spot { pointer: place.to_string(), section, name, layer: found, above, output, top }
}

/// A quantity of the way down of a layer, by its path from below.
pub(super) fn on_the_way_down<'s>(seen: &'s Seen, model: &Model, layer: &[usize], name: &str) -> Option<&'s Matrix> {
    let from_the_top = model.from_the_top(&LayerPath::new(layer.iter().copied()));
    seen.get(&format!("/backward{from_the_top}/{name}"))
}

impl Spot<'_> {
    /// The activation of the layer, where it has one that looks at each unit alone. A linear dense layer whose
    /// activation is a layer of its own has none: its slope is nobody's mistake.
    pub fn activation(&self) -> Option<Activation> {
        match &self.layer.as_ref()?.1.layer {
            Layer::Dense(dense) => {
                let above = self.above.iter().copied().flatten();
                let mut before_the_next =
                    above.take_while(|named| !matches!(named.layer, Layer::Dense(_) | Layer::Residual(_)));
                let elsewhere = before_the_next.any(|named| matches!(named.layer, Layer::Activation(_)));
                let activation = dense.activation();
                (activation != Activation::Linear || !elsewhere).then_some(activation)
            }
            other => other.activation(),
        }
    }

    /// The weights that these errors have just come through, if any.
    pub fn crossed(&self) -> Option<Crossed> {
        let (path, named) = self.layer.as_ref().filter(|_| self.section == "backward")?;
        let is_dense = |layer: &NamedLayer| layer.layer.kind() == LayerKind::Dense;
        let (index, outer) = path.split_last()?;
        match self.name[..] {
            ["errors"] if self.above.first().and_then(|above| above.first()).is_some_and(is_dense) => {
                Some(Crossed { layer: [outer, &[index + 1]].concat(), deltas: "deltas" })
            }
            ["branch_errors"] if named.layer.inner().first().is_some_and(is_dense) => {
                Some(Crossed { layer: [&path[..], &[0]].concat(), deltas: "deltas" })
            }
            // A projection takes what arrives at its block as it is.
            ["shortcut_errors"] if named.layer.size().parameters > 0 => {
                Some(Crossed { layer: path.clone(), deltas: "errors" })
            }
            _ => None,
        }
    }

    /// Whether a mistake may look at it later; all else need not be kept.
    fn is_looked_at(&self) -> bool {
        match (self.section, &self.name[..]) {
            ("forward", name) => matches!(name, ["inputs" | "outputs" | "normalized"] | ["parameters", ..]),
            ("backward", name) => matches!(name, ["errors" | "deltas"] | ["gradients", ..]),
            ("update", name) => matches!(name, [_, _, "clipped" | "decayed"] | [_, _, "state", "after", _]),
            _ => false,
        }
    }

    /// Whether it is this quantity of that section.
    pub fn is(&self, section: &str, name: &[&str]) -> bool {
        self.section == section && self.name == name
    }
}
