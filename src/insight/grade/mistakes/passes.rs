//! Mistakes of the two passes: on the way up, in the loss, and on the way down.

use super::{Scene, WHERE, Way, replace, scale};
use crate::engine::activation::Activation;
use crate::engine::loss::Loss;
use crate::engine::math::ln;
use crate::engine::matrix::{Matrix, sum};
use crate::engine::model::Model;
use crate::engine::spec::{LayerKindSpec, ModelSpec};
use crate::engine::tap::ValuesMut;
use crate::insight::grade::compare::Quantity;
use crate::insight::grade::imitation::{Seen, Spot, on_the_way_down};

pub(super) fn sign_flipped<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let change = scene.imitate(|spot, _, values| {
        if spot.section == "update" && spot.name.last() == Some(&"change") {
            scale(values, -1.0);
        }
    });
    let from_the_loss = scene.imitate(|spot, _, values| {
        if spot.is("backward", &["errors"]) && spot.top {
            scale(values, -1.0);
        }
    });
    let on_the_way = scene.imitate(|spot, _, values| {
        if spot.crossed().is_some() {
            scale(values, -1.0);
        }
    });
    let gradients = WHERE.map(|place| {
        scene.imitate(move |spot, _, values| {
            let gradient = spot.section == "backward" && spot.name.first() == Some(&"gradients");
            if gradient && place.holds(spot) {
                scale(values, -1.0);
            }
        })
    });
    [change, from_the_loss, on_the_way].into_iter().chain(gradients).collect()
}

/// Nothing but the signs of what is told: the step itself is right.
pub(super) fn signs_mixed<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let turned = |quantity: &Quantity| {
        let is_delta = quantity.pointer.starts_with("/backward/") && quantity.pointer.ends_with("/deltas");
        let sign = if is_delta { -1.0 } else { 1.0 };
        Quantity { values: quantity.values.iter().map(|value| sign * value).collect(), ..quantity.clone() }
    };
    vec![Box::new(move || Some(scene.right.iter().map(turned).collect()))]
}

/// What stands in the place of a slope, made of the activation and h; nothing where there is no such thing.
type Slope = fn(Activation, f64) -> Option<f64>;

/// The slope replaced by something else: in δ alone, or as the derivative itself.
pub(super) fn slopes<'s>(scene: &'s Scene<'s>, slope: Slope) -> Vec<Way<'s>> {
    let mut ways = vec![];
    for place in WHERE {
        ways.push(scene.imitate(move |spot, seen, values| {
            if spot.is("backward", &["deltas"]) && place.holds(spot) {
                let errors = seen.beside(spot, "errors");
                replace_by(values, spot, seen, |activation, h, at| {
                    errors.and_then(|errors| slope(activation, h).map(|slope| errors.values()[at] * slope))
                });
            }
        }));
        ways.push(scene.imitate(move |spot, seen, values| {
            if spot.is("forward", &["derivatives"]) && place.holds(spot) {
                replace_by(values, spot, seen, |activation, h, _| slope(activation, h));
            }
        }));
    }
    ways
}

/// Puts what is made of the activation, h and the place in the place of a layer's numbers.
fn replace_by(values: &mut ValuesMut, spot: &Spot, seen: &Seen, make: impl Fn(Activation, f64, usize) -> Option<f64>) {
    let (Some((layer, _)), Some(activation)) = (&spot.layer, spot.activation()) else { return };
    let Some(h) = seen.up(layer, "outputs") else { return };
    for (at, (value, &h)) in values.all().iter_mut().zip(h.values()).enumerate() {
        *value = make(activation, h, at).unwrap_or(*value);
    }
}

pub(super) fn half_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    if scene.pass.model.loss() != Loss::HalfSquaredError {
        return vec![];
    }
    let doubled = |loss: bool, errors: bool| {
        scene.imitate(move |spot, _, values| {
            let in_loss = loss && spot.is("loss", &["per_example"]);
            let in_errors = errors && spot.is("backward", &["errors"]) && spot.top;
            if in_loss || in_errors {
                scale(values, 2.0);
            }
        })
    };
    vec![doubled(true, false), doubled(false, true), doubled(true, true)]
}

#[allow(clippy::cast_precision_loss, reason = "examples are limited far below 2^53")]
pub(super) fn sum_instead_of_mean<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let examples = scene.pass.inputs.matrix().rows() as f64;
    if examples < 2.0 {
        return vec![];
    }
    let summed = |loss: bool, gradients: bool| {
        scene.imitate(move |spot, _, values| {
            let in_loss = loss && spot.is("loss", &["value"]);
            let in_gradients = gradients && spot.section == "backward" && spot.name.first() == Some(&"gradients");
            if in_loss || in_gradients {
                scale(values, examples);
            }
        })
    };
    vec![summed(true, false), summed(false, true), summed(true, true)]
}

#[allow(clippy::cast_precision_loss, reason = "sizes are limited far below 2^53")]
pub(super) fn mean_in_deltas<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let examples = scene.pass.inputs.matrix().rows() as f64;
    if examples < 2.0 {
        return vec![];
    }
    // Then the gradients are sums, or the mean is taken a second time.
    let divided = |summed: bool| {
        scene.imitate(move |spot, _, values| {
            if spot.top && spot.is("backward", &["errors"]) {
                scale(values, 1.0 / examples);
            } else if summed && spot.section == "backward" && spot.name.first() == Some(&"gradients") {
                scale(values, examples);
            }
        })
    };
    vec![divided(true), divided(false)]
}

pub(super) fn weights_transposed<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let written = |quantity: &Quantity| match quantity.shape[..] {
        [rows, columns] if quantity.pointer.contains("/weights") => {
            let matrix = Matrix::new(rows, columns, quantity.values.clone()).transposed();
            let pointer = quantity.pointer.clone();
            Quantity { pointer, shape: vec![columns, rows], values: matrix.values().to_vec() }
        }
        _ => quantity.clone(),
    };
    let layout: Way = Box::new(move || Some(scene.right.iter().map(written).collect()));
    let model = scene.pass.model;
    let up = scene.imitate(transpose_on_the_way_up);
    let down = scene.imitate(move |spot, seen, values| transpose_on_the_way_down(model, spot, seen, values));
    // As if the matrix were given the other way round: both, and the gradient comes out that way too.
    let read = scene.imitate(move |spot, seen, values| {
        transpose_on_the_way_up(spot, seen, values);
        transpose_on_the_way_down(model, spot, seen, values);
        if spot.is("backward", &["gradients", "weights"])
            && let ValuesMut::Matrix(gradient) = values
            && gradient.rows() == gradient.columns()
        {
            **gradient = gradient.transposed();
        }
    });
    vec![layout, up, down, read]
}

/// Through square matrices alone: others would not fit.
fn transpose_on_the_way_up(spot: &Spot, seen: &Seen, values: &mut ValuesMut) {
    // A projection has weights too, and nothing added to them.
    let projected = spot.is("forward", &["shortcut"]);
    let through_weights = projected || spot.is("forward", &["pre_activations"]);
    let Some((layer, _)) = spot.layer.as_ref().filter(|_| through_weights) else { return };
    let (Some(inputs), Some(weights)) = (seen.inputs(layer), seen.up(layer, "parameters/weights")) else { return };
    if weights.rows() == weights.columns() {
        let mut a = inputs.product(&weights.transposed());
        if let Some(bias) = seen.up(layer, "parameters/bias") {
            a = a.map_at(|(_, unit), a| a + bias.at(0, unit));
        }
        replace(values, &a);
    }
}

fn transpose_on_the_way_down(model: &Model, spot: &Spot, seen: &Seen, values: &mut ValuesMut) {
    let Some(crossed) = spot.crossed() else { return };
    let deltas = on_the_way_down(seen, model, &crossed.layer, crossed.deltas);
    let (Some(deltas), Some(weights)) = (deltas, seen.up(&crossed.layer, "parameters/weights")) else { return };
    if weights.rows() == weights.columns() {
        replace(values, &deltas.product(weights));
    }
}

pub(super) fn bias_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let up = WHERE.map(|place| {
        scene.imitate(move |spot, seen, values| {
            let Some((layer, _)) = spot.layer.as_ref().filter(|_| spot.is("forward", &["pre_activations"])) else {
                return;
            };
            if let (true, Some(inputs), Some(weights)) =
                (place.holds(spot), seen.inputs(layer), seen.up(layer, "parameters/weights"))
            {
                replace(values, &inputs.product(weights));
            }
        })
    });
    let never_learns = scene.imitate(|spot, _, values| {
        if spot.is("update", &["parameters", "bias", "change"]) {
            values.all().fill(0.0);
        }
    });
    up.into_iter().chain([never_learns]).collect()
}

pub(super) fn softmax_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    if scene.pass.model.loss() != Loss::CrossEntropy {
        return vec![];
    }
    // With linear outputs and half the squared error δ is y − a: what the rule for softmax gives without softmax.
    let linear = |spec: &mut ModelSpec| {
        spec.loss = Loss::HalfSquaredError;
        if let Some(last) = spec.network.layers.last_mut() {
            match &mut last.kind {
                LayerKindSpec::Dense(dense) => dense.activation = Activation::Linear,
                LayerKindSpec::Activation(activation) => *activation = Activation::Linear,
                _ => {}
            }
        }
    };
    let targets = scene.targets.matrix();
    let way = |divided: bool| {
        scene.with_model(linear, move |spot, seen, values| {
            let Some(outputs) = seen.get("/forward/outputs") else { return };
            if spot.is("loss", &["per_example"]) {
                let rows = targets.iter_rows().zip(outputs.iter_rows());
                let term = |y: f64, a: f64| if y == 0.0 { 0.0 } else { y * ln(a) };
                let losses: Vec<f64> =
                    rows.map(|(y, a)| 0.0 - sum(y.iter().zip(a).map(|(&y, &a)| term(y, a)))).collect();
                if losses.iter().all(|loss| loss.is_finite()) {
                    values.all().copy_from_slice(&losses);
                }
            }
            // Or with cross-entropy's own derivative, which is no longer y − ŷ.
            if divided && spot.is("backward", &["errors"]) && spot.top {
                replace(values, &targets.zip(outputs, |y, a| if y == 0.0 { 0.0 } else { y / a }));
            }
        })
    };
    // Linear outputs have derivatives that softmax does not, and softmax has sums that they do not: only what both have
    // can have been claimed and be right.
    let merge = |way: Vec<Quantity>| {
        let of = |quantity: &Quantity| {
            way.iter().find(|other| other.pointer == quantity.pointer).unwrap_or(quantity).clone()
        };
        scene.right.iter().map(of).collect()
    };
    let merged = |way: Way<'s>| -> Way<'s> { Box::new(move || way().map(merge)) };
    vec![merged(way(false)), merged(way(true))]
}
