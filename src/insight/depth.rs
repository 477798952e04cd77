//! Depth: how large blame and change still are, the further a layer lies from the outputs.
//!
//! Through a sigmoid every layer multiplies the blame by a slope of at most ¼: after k layers at most 0.25^k of it is
//! left, if the weights do not make up for it (Hochreiter 1991; Bengio, Simard and Frasconi 1994).

use serde::Serialize;
use utoipa::ToSchema;

use super::range::{OutOfRange, finite, first_underflow};
use crate::engine::activation::Activation;
use crate::engine::layer::{LayerBackward, LayerForward};
use crate::engine::math::{log10, pow};
use crate::engine::matrix::{self, Matrix, sum};
use crate::engine::name::LayerName;
use crate::engine::schema;
use crate::engine::tensor::{Named, Tensor};
use crate::engine::trace::{LayerUpdate, Trace};

/// Blame has vanished where less than this part of the output layer's reaches the lowest layer, however many layers it
/// came through: the lowest layer then needs ten thousand steps for what the output layer does in one, which is more
/// than most trainings have.
pub const VANISHING: f64 = 1e-4;

/// Blame has exploded where more than so many times the output layer's reaches the lowest layer: a learning rate that is
/// right for the one is then ten thousand times wrong for the other.
pub const EXPLODING: f64 = 1e4;

/// A slope below this part of the steepest one that the activation has counts as saturated.
pub const SATURATED: f64 = 0.05;

/// Every dense layer's part, from the outputs down, and what to think of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Depth {
    /// The dense layers from the outputs down, those inside of residual blocks in their place
    pub layers: Vec<LayerDepth>,
    /// Whether the lowest layer still hears of the error; null where there is no error to hear of
    pub verdict: Option<Verdict>,
    /// The figure that the verdict rests on
    #[schema(value_type = schema::Prose)]
    pub because: String,
}

/// Whether blame reaches the lowest layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Less than a ten-thousandth of it arrives
    Vanishing,
    /// Something between the two arrives, so that all layers learn at once
    Healthy,
    /// More than ten thousand times as much arrives
    Exploding,
}

/// One dense layer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LayerDepth {
    /// The layer's name
    #[schema(value_type = schema::Name)]
    pub name: LayerName,
    /// Dense layers between it and the loss
    #[schema(value_type = schema::Count)]
    pub distance: usize,
    /// The mean of |delta| over its units and the batch
    #[schema(value_type = schema::Number)]
    pub mean_abs_delta: f64,
    /// √(Σ g²) over its parameters
    #[schema(value_type = schema::Number)]
    pub gradient_norm: f64,
    /// √(Σ Δ²) over its parameters
    #[schema(value_type = schema::Number)]
    pub change_norm: f64,
    /// Its mean |delta| over the output layer's; null where that is 0
    #[schema(value_type = schema::NullableNumber)]
    pub ratio_to_output: Option<f64>,
    /// The decimal logarithm of that ratio; null where it is 0
    #[schema(value_type = schema::NullableNumber)]
    pub log10_ratio: Option<f64>,
    /// The mean of f′(a), where f is its own activation, or, if that is linear, the next one above it; null for softmax
    #[schema(value_type = schema::NullableNumber)]
    pub mean_slope: Option<f64>,
    /// The part of units and examples whose slope is below a twentieth of the steepest; null as the mean slope is
    #[schema(value_type = schema::NullableNumber)]
    pub saturated: Option<f64>,
    /// 0.25^distance: what a sigmoid's slopes would leave at the most, by themselves; 0 where that is below every double
    #[schema(value_type = schema::Number)]
    pub bound: f64,
    /// The decimal logarithm of that bound, −distance·log10 4
    #[schema(value_type = schema::Number)]
    pub log10_bound: f64,
}

/// What is known of an activation above a layer.
#[derive(Clone, Copy)]
struct Slopes<'t> {
    activation: Activation,
    derivatives: &'t Matrix,
}

/// How blame and change depend on the distance. The trace has gone down to its update. Numbers that a double cannot
/// hold are refused, never silently zero.
pub fn depth(trace: &Trace) -> Result<Depth, OutOfRange> {
    if let Some(underflow) = first_underflow(trace) {
        return Err(underflow.into());
    }
    let downs = trace.backward.as_ref().map_or(&[][..], |backward| &backward.layers);
    let updates = trace.update.as_ref().map_or(&[][..], |update| &update.layers);
    let mut layers = vec![];
    add_layers(&trace.forward.layers, downs, updates, &mut None, &mut layers);
    let output = layers.first().map_or(0.0, |layer: &LayerDepth| layer.mean_abs_delta);
    for (at, layer) in layers.iter_mut().enumerate() {
        let ratio = (output > 0.0).then(|| layer.mean_abs_delta / output);
        layer.ratio_to_output = ratio;
        layer.log10_ratio = ratio.filter(|ratio| *ratio > 0.0).map(log10);
        for (name, value) in layer.numbers() {
            finite(&format!("/layers/{at}/{name}"), &layer.name, name, value)?;
        }
    }
    if layers.is_empty() {
        let because = "the network has no dense layer, so there is no depth to look through".into();
        return Ok(Depth { layers, verdict: None, because });
    }
    let (verdict, because) = judge(&layers);
    Ok(Depth { layers, verdict, because })
}

impl LayerDepth {
    /// Those of its numbers that may overflow.
    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let always = [
            ("mean_abs_delta", self.mean_abs_delta),
            ("gradient_norm", self.gradient_norm),
            ("change_norm", self.change_norm),
        ];
        let some = [("ratio_to_output", self.ratio_to_output), ("mean_slope", self.mean_slope)];
        always.into_iter().chain(some.into_iter().filter_map(|(name, value)| Some((name, value?)))).collect()
    }
}

fn judge(layers: &[LayerDepth]) -> (Option<Verdict>, String) {
    let lowest = layers.last().and_then(|layer| layer.ratio_to_output.map(|ratio| (layer, ratio)));
    let Some((lowest, ratio)) = lowest else {
        return (None, "the output layer's deltas are all zero: there is no blame to follow".into());
    };
    let verdict = if ratio < VANISHING {
        Verdict::Vanishing
    } else if ratio > EXPLODING {
        Verdict::Exploding
    } else {
        Verdict::Healthy
    };
    if ratio == 0.0 {
        let because = format!(
            "the deltas of {} are all exactly 0: nothing reaches it, for every way to it passes a slope or a weight of 0",
            lowest.name
        );
        return (Some(verdict), because);
    }
    // Four digits: in full it stands beside this sentence.
    let ratio = format!("{ratio:.3e}").parse().unwrap_or(ratio);
    let ratio = if (1e-3..1e4).contains(&ratio) { format!("{ratio}") } else { format!("{ratio:e}") };
    let because = format!(
        "the mean |delta| of {} is {ratio} times the output layer's; vanishing is below {VANISHING:e}, exploding above \
         {EXPLODING:e}",
        lowest.name
    );
    (Some(verdict), because)
}

fn add_layers<'t>(
    ups: &'t [LayerForward],
    downs: &[LayerBackward],
    updates: &[LayerUpdate],
    above: &mut Option<Slopes<'t>>,
    layers: &mut Vec<LayerDepth>,
) {
    for ((up, down), update) in ups.iter().rev().zip(downs).zip(updates) {
        match up {
            LayerForward::Activation(layer) => {
                *above = layer
                    .activated
                    .derivatives()
                    .map(|derivatives| Slopes { activation: layer.activation, derivatives });
            }
            LayerForward::Dense(layer) => {
                let derivatives = layer.activated.derivatives();
                let own = derivatives.map(|derivatives| Slopes { activation: layer.activation, derivatives });
                let slopes = if layer.activation == Activation::Linear { above.or(own) } else { own };
                layers.push(of_layer(down, update, slopes, layers.len()));
                *above = None;
            }
            _ => add_layers(up.inner(), down.inner(), &update.layers, above, layers),
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes are limited far below 2^53")]
fn of_layer(down: &LayerBackward, update: &LayerUpdate, slopes: Option<Slopes>, distance: usize) -> LayerDepth {
    let mean = |matrix: &Matrix, f: &dyn Fn(f64) -> f64| {
        sum(matrix.values().iter().map(|&value| f(value))) / matrix.values().len() as f64
    };
    let gradients: Vec<&Tensor> = down.gradients().into_iter().flat_map(Named::iter).map(|(_, g)| g).collect();
    let changes: Vec<&Tensor> = update.parameters.iter().map(|(_, update)| &update.change).collect();
    let flat = |slopes: Slopes| {
        let steepest = slopes.activation.steepest();
        mean(slopes.derivatives, &|slope| if slope.abs() < SATURATED * steepest { 1.0 } else { 0.0 })
    };
    LayerDepth {
        name: down.name().clone(),
        distance,
        mean_abs_delta: mean(down.deltas(), &f64::abs),
        gradient_norm: matrix::norm(gradients.iter().flat_map(|tensor| tensor.values()).copied()),
        change_norm: matrix::norm(changes.iter().flat_map(|tensor| tensor.values()).copied()),
        ratio_to_output: None,
        log10_ratio: None,
        mean_slope: slopes.map(|slopes| mean(slopes.derivatives, &|slope| slope)),
        saturated: slopes.map(flat),
        bound: pow(0.25, distance as f64),
        log10_bound: 0.0 - distance as f64 * log10(4.0),
    }
}
