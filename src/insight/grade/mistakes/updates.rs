//! Mistakes of the update: in how gradients become changes, and when.

use super::{Scene, Way, replace, scale};
use crate::engine::layer::mean_uphill;
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerPath;
use crate::engine::optimizer::{Algorithm, Before, Common, LearningRate, OptimizerKind};
use crate::engine::pass::Pass;
use crate::engine::tap::{Tap, ValuesMut};
use crate::engine::tensor::{ParameterName, Tensor};
use crate::insight::grade::imitation::{Seen, Spot, imitate, on_the_way_down};

/// The weights of each layer, or all that blame goes through: the scales of normalizations too.
pub(super) fn updated_before_blame<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let way = |scales: bool| {
        scene.imitate(move |spot, seen, values| {
            if spot.is("backward", &["normalized_errors"]) && scales {
                through_the_scale_after(scene, spot, seen, values);
            } else {
                through_the_weights_after(scene, spot, seen, values);
            }
        })
    };
    vec![way(false), way(true)]
}

/// The errors below a layer's weights, whose deltas and gradients are known by now.
fn through_the_weights_after(scene: &Scene, spot: &Spot, seen: &Seen, values: &mut ValuesMut) {
    let Some(crossed) = spot.crossed() else { return };
    let below = |name| on_the_way_down(seen, scene.pass.model, &crossed.layer, name);
    let (Some(deltas), Some(weights), Some(gradient)) =
        (below(crossed.deltas), seen.up(&crossed.layer, "parameters/weights"), below("gradients/weights"))
    else {
        return;
    };
    if let Some(after) = after(scene, &crossed.layer, ParameterName::Weights, weights, gradient.clone()) {
        replace(values, &deltas.product(&after.transposed()));
    }
}

/// What a normalization's errors become: γ comes first on its way down, and its gradient is the mean of −error·normalized.
fn through_the_scale_after(scene: &Scene, spot: &Spot, seen: &Seen, values: &mut ValuesMut) {
    let Some((layer, _)) = &spot.layer else { return };
    let (Some(errors), Some(normalized), Some(gamma)) =
        (seen.beside(spot, "errors"), seen.up(layer, "normalized"), seen.up(layer, "parameters/gamma"))
    else {
        return;
    };
    let uphill = mean_uphill(errors.rows());
    let sums = errors.zip(normalized, |error, x| error * x).column_sums();
    let gradient = Matrix::new(1, sums.len(), sums.into_iter().map(uphill).collect());
    if let Some(gamma) = after(scene, layer, ParameterName::Gamma, gamma, gradient) {
        replace(values, &errors.map_at(|(_, unit), error| error * gamma.at(0, unit)));
    }
}

/// A layer's parameter after the step, vectors as one row.
fn after(scene: &Scene, layer: &[usize], name: ParameterName, before: &Matrix, gradient: Matrix) -> Option<Matrix> {
    let Scene { pass, clip, .. } = scene;
    let own = pass.model.optimizer();
    let optimizer = pass.learning_rate.map_or_else(|| own.clone(), |rate| own.with_learning_rate(rate));
    let slots = pass.state.at(&LayerPath::new(layer.iter().copied()))?.slots.get(name)?;
    let tensor = |values: Matrix| match name {
        ParameterName::Weights => Tensor::Matrix(values),
        _ => Tensor::Vector(values.values().to_vec()),
    };
    let (parameter, gradient) = (tensor(before.clone()), tensor(gradient));
    let before = Before { parameter: &parameter, slots, gradient: &gradient };
    let common = Common { timestep: pass.state.updates() + 1, clip: *clip };
    let update = optimizer.update(&before, common, &mut Tap::none());
    Some(match &*update.after {
        Tensor::Matrix(after) => after.clone(),
        Tensor::Vector(after) => Matrix::new(1, after.len(), after.clone()),
    })
}

pub(super) fn with_learning_rate<'s>(scene: &'s Scene<'s>, rate: fn(f64) -> f64) -> Way<'s> {
    Box::new(move || {
        let learning_rate = LearningRate::new(rate(scene.learning_rate()))?;
        let pass = Pass { learning_rate: Some(learning_rate), ..*scene.pass };
        imitate(&pass, scene.targets, scene.wanted, &mut |_, _, _| {})
    })
}

pub(super) fn momentum_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let Algorithm::Sgd { momentum: Some(_) } = scene.pass.model.optimizer().algorithm else { return vec![] };
    vec![
        scene.imitate(|spot, seen, values| {
            let in_velocity = spot.section == "update" && spot.name.ends_with(&["state", "after", "velocity"]);
            if !in_velocity {
                return;
            }
            // The velocity of this step alone: its gradient.
            if let Some(gradient) = gradient_of(spot, seen) {
                replace(values, gradient);
            }
        }),
        plain_change(scene),
    ]
}

/// The change of plain gradient descent, the velocity as it should be.
fn plain_change<'s>(scene: &'s Scene<'s>) -> Way<'s> {
    let rate = scene.learning_rate();
    scene.imitate(move |spot, seen, values| {
        if spot.section == "update"
            && spot.name.last() == Some(&"change")
            && let Some(gradient) = gradient_of(spot, seen)
        {
            replace(values, &gradient.map(|g| 0.0 - rate * g));
        }
    })
}

/// The gradient that an update's quantity starts from: decayed, clipped or as it is.
fn gradient_of<'s>(spot: &Spot, seen: &'s Seen) -> Option<&'s Matrix> {
    let parameter = spot.name.get(1)?;
    let made = |name: &str| seen.beside(spot, &format!("parameters/{parameter}/{name}"));
    let layer = spot.pointer.strip_suffix(&spot.name.join("/"))?.replacen("/update/", "/backward/", 1);
    made("decayed").or_else(|| made("clipped")).or_else(|| seen.get(&format!("{layer}gradients/{parameter}")))
}

pub(super) fn bias_correction_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    if !scene.pass.model.optimizer().counts_updates() {
        return vec![];
    }
    let raw = |moments: &'static [&'static str]| {
        scene.imitate(move |spot, seen, values| {
            let [.., corrected, moment] = spot.name[..] else { return };
            if spot.section == "update" && corrected == "corrected" && moments.contains(&moment) {
                let parameter = spot.name[1];
                let name = format!("parameters/{parameter}/state/after/{moment}");
                if let Some(moment) = seen.beside(spot, &name) {
                    replace(values, moment);
                }
            }
        })
    };
    vec![raw(&["first_moment", "second_moment"]), raw(&["first_moment"]), raw(&["second_moment"])]
}

pub(super) fn weight_decay_forgotten<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let optimizer = scene.pass.model.optimizer();
    if optimizer.weight_decay == 0.0 {
        return vec![];
    }
    if optimizer.kind() == OptimizerKind::Adamw {
        return vec![scene.with_model(|spec| spec.optimizer.weight_decay = 0.0, |_, _, _| {})];
    }
    // The decayed gradient stays a quantity of the trace: it is the gradient itself.
    vec![scene.imitate(|spot, seen, values| {
        if spot.section == "update" && spot.name.last() == Some(&"decayed") {
            let parameter = spot.name[1];
            let layer = spot.pointer.strip_suffix(&spot.name.join("/")).unwrap_or_default();
            let gradient = seen
                .beside(spot, &format!("parameters/{parameter}/clipped"))
                .or_else(|| seen.get(&format!("{}gradients/{parameter}", layer.replacen("/update/", "/backward/", 1))));
            if let Some(gradient) = gradient {
                replace(values, gradient);
            }
        }
    })]
}

#[allow(clippy::cast_precision_loss, reason = "units are limited far below 2^53")]
pub(super) fn bias_updated_per_weight<'s>(scene: &'s Scene<'s>) -> Vec<Way<'s>> {
    let times_inputs = |section: &'static str, name: &'static [&'static str]| {
        scene.imitate(move |spot, _, values| {
            if let Some((_, named)) = spot.layer.as_ref().filter(|_| spot.is(section, name)) {
                scale(values, named.layer.size().inputs as f64);
            }
        })
    };
    vec![times_inputs("backward", &["gradients", "bias"]), times_inputs("update", &["parameters", "bias", "change"])]
}
