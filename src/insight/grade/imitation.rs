//! Running the engine with a mistake in it: a tap that changes quantities as they are computed, and knows those before.

use std::cell::RefCell;
use std::collections::HashMap;

use super::compare::{Quantity, quantities};
use crate::engine::activation::Activation;
use crate::engine::layer::{Layer, NamedLayer};
use crate::engine::matrix::Matrix;
use crate::engine::model::Targets;
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
    /// Whether it belongs to the last layer of the network
    pub last: bool,
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

/// The quantities of a step in which `tamper` changes what it wants, in the loss afterwards too: who makes a mistake on
/// the way up makes it every time. Nothing where the mistake overflows; a loss afterwards that does is not a number.
pub(super) fn imitate(
    pass: &Pass,
    targets: &Targets,
    tamper: &mut dyn FnMut(&Spot, &Seen, &mut ValuesMut),
) -> Option<Vec<Quantity>> {
    let layers = pass.model.layers();
    let tamper = RefCell::new(tamper);
    let touch = |seen: &mut Seen, place: &Place, mut values: ValuesMut| {
        let spot = spot(place, layers);
        (tamper.borrow_mut())(&spot, seen, &mut values);
        let matrix = match &values {
            ValuesMut::Scalar(value) => Matrix::filled(1, 1, **value),
            ValuesMut::Vector(values) => Matrix::new(1, values.len(), values.to_vec()),
            ValuesMut::Matrix(matrix) => (**matrix).clone(),
        };
        seen.0.insert(spot.pointer, matrix);
    };
    let (mut seen, mut seen_afterwards) = (Seen::default(), Seen::default());
    let step = pass.step_tapped(targets, &mut |place, values| touch(&mut seen, place, values), &mut |place, values| {
        touch(&mut seen_afterwards, place, values);
    });
    if let Ok((trace, _)) = step {
        return Some(quantities(&trace));
    }
    // A step too wild to have a loss afterwards has all other numbers.
    let mut seen = Seen::default();
    let trace = pass.backward_tapped(targets, &mut |place, values| touch(&mut seen, place, values)).ok()?;
    let loss_after = Quantity { pointer: LOSS_AFTER.into(), shape: vec![], values: vec![f64::NAN] };
    Some(quantities(&trace).into_iter().chain([loss_after]).collect())
}

/// The last quantity of a step.
const LOSS_AFTER: &str = "/update/loss_after";

fn spot<'a>(place: &Place, layers: &'a [NamedLayer]) -> Spot<'a> {
    let names = place.names();
    let section = names.first().copied().unwrap_or_default();
    let indices = place.layer_indices();
    let mut found: Option<(Vec<usize>, &NamedLayer)> = None;
    let mut level = layers;
    for &index in &indices {
        // The way down and the update list layers from the top.
        let from_below = if section == "forward" { index } else { level.len() - 1 - index };
        let path = found.map(|(path, _)| path).unwrap_or_default();
        found = Some((path.into_iter().chain([from_below]).collect(), &level[from_below]));
        level = level[from_below].layer.inner();
    }
    let name = names.iter().skip(1 + indices.len()).copied().collect();
    let last = found.as_ref().is_some_and(|(path, _)| path[..] == [layers.len() - 1]);
    Spot { pointer: place.to_string(), section, name, layer: found, last }
}

impl Spot<'_> {
    /// The activation of the layer, where it has one that looks at each unit alone.
    pub fn activation(&self) -> Option<Activation> {
        let activation = match &self.layer.as_ref()?.1.layer {
            Layer::Dense(dense) => dense.activation(),
            Layer::Activation(layer) => layer.activation(),
            _ => return None,
        };
        Some(activation)
    }

    /// Whether it is this quantity of the way down of a layer that has an activation.
    pub fn is(&self, section: &str, name: &[&str]) -> bool {
        self.section == section && self.name == name
    }
}
