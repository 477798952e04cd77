//! What differs between two states of networks with the same layers.

use serde::Serialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::engine::layer::NamedLayer;
use crate::engine::matrix::norm;
use crate::engine::model::Model;
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::state::{LayerState, State};
use crate::engine::tensor::{Gradients, Named, Tensor};

/// One layer's parameters, the other side's minus this side's.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LayerDiff {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// √(Σ Δ²) over all its own parameters; left out where its square passes the largest double
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    pub norm: Option<f64>,
    /// Each of its parameters
    #[serde(skip_serializing_if = "Named::is_empty")]
    #[schema(value_type = Gradients, required = false)]
    pub parameters: Named<Tensor>,
    /// The layers inside, from below
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, no_recursion)]
    pub layers: Vec<LayerDiff>,
}

/// Why two states cannot be compared.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DiffError {
    /// Another number of layers, or layers of other shapes.
    #[error("the two networks differ at layer {0}: only networks with the same layers and units are compared")]
    Networks(LayerName),
    /// A difference passes the largest double.
    #[error("a difference in layer {0} passes the largest double")]
    Overflow(LayerName),
}

/// The difference of two states, layer by layer from the inputs up. Layers are compared by their places, whatever
/// their names: this side's are given.
pub fn diff(this: (&Model, &State), with: (&Model, &State)) -> Result<Vec<LayerDiff>, DiffError> {
    let ((model, state), (other_model, other)) = (this, with);
    compare((model.layers(), state.layers()), (other_model.layers(), other.layers()))
}

type Side<'a> = (&'a [NamedLayer], &'a [LayerState]);

fn compare(this: Side, with: Side) -> Result<Vec<LayerDiff>, DiffError> {
    let longer = if this.0.len() > with.0.len() { this.0 } else { with.0 };
    if let Some(named) = longer.get(this.0.len().min(with.0.len())) {
        return Err(DiffError::Networks(named.name.clone()));
    }
    let layers = this.0.iter().zip(this.1).zip(with.0.iter().zip(with.1));
    layers.map(|(this, with)| of_layer(this, with)).collect()
}

fn of_layer(
    (named, state): (&NamedLayer, &LayerState),
    (other_named, other): (&NamedLayer, &LayerState),
) -> Result<LayerDiff, DiffError> {
    let name = &named.name;
    let same_sizes = named.layer.kind() == other_named.layer.kind() && named.layer.size() == other_named.layer.size();
    if !same_sizes {
        return Err(DiffError::Networks(name.clone()));
    }
    let differ = || DiffError::Networks(name.clone());
    let mut parameters = vec![];
    for (parameter, tensor) in state.parameters.iter() {
        let other = other.parameters.get(parameter).ok_or_else(differ)?;
        let difference = other.zip(tensor, |with, this| with - this);
        if difference.values().iter().any(|value| !value.is_finite()) {
            return Err(DiffError::Overflow(name.clone()));
        }
        parameters.push((parameter, difference));
    }
    let total = norm(parameters.iter().flat_map(|(_, tensor)| tensor.values()).copied());
    let inner = (named.layer.inner(), state.layers.as_slice());
    Ok(LayerDiff {
        name: name.clone(),
        norm: total.is_finite().then_some(total),
        parameters: Named::new(parameters),
        layers: compare(inner, (other_named.layer.inner(), other.layers.as_slice()))?,
    })
}
