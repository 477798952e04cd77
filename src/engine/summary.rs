//! A trace without its matrices: what is left when a client asks for less.

use serde::Serialize;
use utoipa::ToSchema;

use super::layer::{LayerBackward, LayerKind};
use super::loss::Loss;
use super::matrix::{self, Matrix};
use super::name::LayerName;
use super::non_finite::NonFinite;
use super::optimizer::Optimizer;
use super::pass::gradients;
use super::schema;
use super::tensor::{Named, Tensor};
use super::trace::{LayerUpdate, LossTrace, Trace};
use std::sync::Arc;

/// Outputs, loss, and one norm a layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TraceSummary {
    /// The outputs alone; left out of `trace=none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardSummary>,
    /// The loss, where there are targets
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossSummary>,
    /// The size of each layer's gradient; left out of `trace=none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backward: Option<BackwardSummary>,
    /// The size of each layer's change
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateSummary>,
}

/// The forward pass in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ForwardSummary {
    /// ŷ, `[examples][outputs]`
    #[schema(value_type = schema::Matrix)]
    pub outputs: Arc<Matrix>,
}

/// The loss in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LossSummary {
    /// Which loss
    pub kind: Loss,
    /// The mean over the examples
    #[schema(value_type = schema::Number)]
    pub value: f64,
}

/// The backward pass in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BackwardSummary {
    /// The layers from the outputs down
    pub layers: Vec<LayerGradientNorm>,
}

/// One layer's gradient in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LayerGradientNorm {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// The layer's kind
    pub kind: LayerKind,
    /// √(Σ g²) over all its own parameters
    #[schema(value_type = schema::Number)]
    pub gradient_norm: f64,
    /// The layers inside, the top one first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, no_recursion)]
    pub layers: Vec<LayerGradientNorm>,
}

/// The update in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UpdateSummary {
    /// The optimizer with the settings that this step used; left out of `trace=none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
    /// The layers from the outputs down; left out of `trace=none`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<LayerChangeNorm>>,
    /// The same batch's loss with the parameters after the step; only where the step was made
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = schema::Number, required = false)]
    pub loss_after: Option<f64>,
}

/// One layer's change in short.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LayerChangeNorm {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// √(Σ Δ²) over all its own parameters
    #[schema(value_type = schema::Number)]
    pub change_norm: f64,
    /// The layers inside, the top one first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, no_recursion)]
    pub layers: Vec<LayerChangeNorm>,
}

impl TraceSummary {
    /// Outputs, loss, and the norms of each layer's gradient and change.
    pub fn of(trace: &Trace) -> Self {
        Self {
            forward: Some(ForwardSummary { outputs: Arc::clone(&trace.forward.outputs) }),
            loss: trace.loss.as_ref().map(LossSummary::of),
            backward: trace
                .backward
                .as_ref()
                .map(|backward| BackwardSummary { layers: gradient_norms(&backward.layers) }),
            update: trace.update.as_ref().map(|update| UpdateSummary {
                optimizer: Some(update.optimizer.clone()),
                layers: Some(change_norms(&update.layers)),
                loss_after: update.loss_after,
            }),
        }
    }

    /// The loss alone, before and after.
    pub fn loss_of(trace: &Trace) -> Self {
        let after = trace.update.as_ref().and_then(|update| update.loss_after);
        Self {
            forward: None,
            loss: trace.loss.as_ref().map(LossSummary::of),
            backward: None,
            update: after.map(|after| UpdateSummary { optimizer: None, layers: None, loss_after: Some(after) }),
        }
    }
}

/// The first norm of a trace's summary that passes the largest double, though every number of the trace is finite.
pub fn first_overflow(trace: &Trace) -> Option<NonFinite> {
    fn gradient(layers: &[LayerGradientNorm]) -> Option<&LayerName> {
        layers
            .iter()
            .find_map(|layer| if layer.gradient_norm.is_finite() { gradient(&layer.layers) } else { Some(&layer.name) })
    }
    fn change(layers: &[LayerChangeNorm]) -> Option<&LayerName> {
        layers.iter().find_map(
            |layer| {
                if layer.change_norm.is_finite() { change(&layer.layers) } else { Some(&layer.name) }
            },
        )
    }
    let gradients = trace.backward.as_ref().map(|backward| gradient_norms(&backward.layers)).unwrap_or_default();
    let changes = trace.update.as_ref().map(|update| change_norms(&update.layers)).unwrap_or_default();
    let found = gradient(&gradients).map(|layer| ("backward", "gradient_norm", layer));
    let (section, quantity, layer) =
        found.or_else(|| change(&changes).map(|layer| ("update", "change_norm", layer)))?;
    Some(NonFinite::of_a_result(format!("/{section}/layers"), layer, quantity, f64::INFINITY))
}

/// √(Σ g²) over the parameters of each layer that has some, from the inputs up, those inside of others behind those that
/// hold them; one whose square passes the largest double is left out.
pub fn gradient_norms_by_layer(trace: &Trace) -> Vec<(LayerName, f64)> {
    fn collect(layers: &[LayerBackward], all: &mut Vec<(LayerName, f64)>) {
        for layer in layers.iter().rev() {
            if let Some(gradients) = layer.gradients() {
                let tensors: Vec<&Tensor> = gradients.iter().map(|(_, tensor)| tensor).collect();
                let norm = norm(tensors.into_iter());
                all.extend(norm.is_finite().then(|| (layer.name().clone(), norm)));
            }
            collect(layer.inner(), all);
        }
    }
    let mut all = vec![];
    trace.backward.iter().for_each(|backward| collect(&backward.layers, &mut all));
    all
}

/// A step in three numbers, for a history. A norm whose square passes the largest double is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sizes {
    /// The mean loss over the batch
    pub loss: Option<f64>,
    /// √(Σ g²) over all parameters
    pub gradient_norm: Option<f64>,
    /// √(Σ Δ²) over all parameters
    pub change_norm: Option<f64>,
}

impl Sizes {
    /// Of a trace, as far as it goes.
    pub fn of(trace: &Trace) -> Self {
        let mut changes = vec![];
        trace.update.iter().for_each(|update| all_changes(&update.layers, &mut changes));
        let finite = |value: f64| value.is_finite().then_some(value);
        Self {
            loss: trace.loss.as_ref().map(|loss| loss.value),
            gradient_norm: trace.backward.as_ref().and_then(|down| finite(norm(gradients(&down.layers).into_iter()))),
            change_norm: trace.update.as_ref().and_then(|_| finite(norm(changes.into_iter()))),
        }
    }
}

fn all_changes<'t>(layers: &'t [LayerUpdate], all: &mut Vec<&'t Tensor>) {
    for layer in layers {
        all.extend(layer.parameters.iter().map(|(_, update)| &update.change));
        all_changes(&layer.layers, all);
    }
}

impl LossSummary {
    fn of(loss: &LossTrace) -> Self {
        Self { kind: loss.kind, value: loss.value }
    }
}

/// The Euclidean norm over all of a layer's tensors.
fn norm<'t>(tensors: impl Iterator<Item = &'t Tensor> + Clone) -> f64 {
    matrix::norm(tensors.flat_map(Tensor::values).copied())
}

fn gradient_norms(layers: &[LayerBackward]) -> Vec<LayerGradientNorm> {
    let of = |layer: &LayerBackward| LayerGradientNorm {
        name: layer.name().clone(),
        kind: layer.kind(),
        gradient_norm: norm(
            layer
                .gradients()
                .into_iter()
                .flat_map(Named::iter)
                .map(|(_, tensor)| tensor)
                .collect::<Vec<_>>()
                .into_iter(),
        ),
        layers: gradient_norms(layer.inner()),
    };
    layers.iter().map(of).collect()
}

fn change_norms(layers: &[LayerUpdate]) -> Vec<LayerChangeNorm> {
    let of = |layer: &LayerUpdate| LayerChangeNorm {
        name: layer.name.clone(),
        change_norm: norm(layer.parameters.iter().map(|(_, update)| &update.change).collect::<Vec<_>>().into_iter()),
        layers: change_norms(&layer.layers),
    };
    layers.iter().map(of).collect()
}
