//! The gradients against central differences, on random networks of every kind of layer: those over h and over 2h
//! together, so that the error is of the order h⁴. Training, so that batch normalization takes its own statistics and
//! dropout drops.

use chainrule::engine::layer::LayerBackward;
use chainrule::engine::loss::Loss;
use chainrule::engine::mode::Mode;
use chainrule::engine::pass::Pass;
use chainrule::engine::tap::ValuesMut;
use chainrule::engine::tensor::{Named, WireName};
use chainrule::engine::trace::{Trace, Values};
use proptest::prelude::*;

use crate::networks::case;

/// Which side of zero every number lies on that an activation may look at: where that changes, a difference
/// straddles a kink.
fn sides(trace: &Trace) -> Vec<bool> {
    let mut sides = Vec::new();
    trace.walk(&mut |place, values| {
        let looked_at = place.to_string();
        let looked_at = looked_at.ends_with("pre_activations") || looked_at.ends_with("outputs");
        if let (true, Values::Matrix(matrix)) = (looked_at, values) {
            sides.extend(matrix.values().iter().map(|a| *a > 0.0));
        }
    });
    sides
}

/// Every gradient with the place of its parameter on the way up.
fn gradients(layers: &[LayerBackward], within: &str) -> Vec<(String, Vec<f64>)> {
    let mut all = vec![];
    for (index, layer) in layers.iter().rev().enumerate() {
        let place = format!("{within}/layers/{index}");
        for (name, tensor) in layer.gradients().into_iter().flat_map(Named::iter) {
            all.push((format!("{place}/parameters/{}", name.as_str()), tensor.values().to_vec()));
        }
        all.extend(gradients(layer.inner(), &place));
    }
    all
}

/// Biases, offsets and factors away from where they start, and one number moved.
fn touch(place: &str, mut values: ValuesMut, moved: Option<(&str, usize, f64)>) {
    let shifted = ["/parameters/bias", "/parameters/beta", "/parameters/gamma"];
    if place.starts_with("/forward/") && shifted.iter().any(|parameter| place.ends_with(parameter)) {
        for (index, value) in values.all().iter_mut().enumerate() {
            *value += 0.3 - 0.2 * (index % 4) as f64;
        }
    }
    if let Some((at, index, by)) = moved
        && at == place
    {
        values.all()[index] += by;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_gradient_is_the_slope_of_the_loss(case in case()) {
        const H: f64 = 1e-4;
        let model = case.model();
        let (inputs, targets) = case.batch(&model);
        let state = model.start();
        let pass = Pass { model: &model, state: &state, inputs: &inputs, mode: Mode::Train, learning_rate: None };
        let trace =
            pass.backward_tapped(&targets, &mut |place, values| touch(&place.to_string(), values, None)).unwrap();
        // Near 0 and 1 the loss itself has lost the digits that a difference of losses needs.
        let logarithms = matches!(case.loss, Loss::BinaryCrossEntropy | Loss::CrossEntropy);
        let sure = trace.forward.outputs.values().iter().any(|h| logarithms && h.min(1.0 - h) < 1e-3);
        // A softmax of one unit is sure by nature, and its loss is flat.
        prop_assume!(!sure || trace.forward.outputs.columns() == 1 && case.loss == Loss::CrossEntropy);
        let all = gradients(&trace.backward.as_ref().unwrap().layers, "/forward");
        // What a difference of losses shows of a gradient that is smaller.
        let least = 1e-4 * (1.0 + trace.loss.as_ref().unwrap().value.abs());
        let mut compared = 0;
        for (place, gradient) in &all {
            let largest = gradient.iter().fold(least, |largest, g| largest.max(g.abs()));
            for (index, analytic) in gradient.iter().enumerate() {
                let at = |by| {
                    let moved = Some((place.as_str(), index, by));
                    pass.forward_tapped(Some(&targets), &mut |place, values| touch(&place.to_string(), values, moved)).unwrap()
                };
                let [above, below, far_above, far_below] = [H, -H, 2.0 * H, -2.0 * H].map(at);
                if sides(&far_above) != sides(&far_below) {
                    continue;
                }
                let loss = |trace: Trace| trace.loss.unwrap().value;
                let (near, far) = (loss(above) - loss(below), loss(far_above) - loss(far_below));
                let numeric = (8.0 * near - far) / (12.0 * H);
                let relative = (analytic - numeric).abs() / largest;
                prop_assert!(relative < 1e-6, "{place}/{index}: {analytic} against {numeric}");
                compared += 1;
            }
        }
        prop_assume!(compared > 0);
    }
}
