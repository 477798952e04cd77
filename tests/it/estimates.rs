//! What a pass would take, told before it is made, is never less than what it takes: over random networks of every
//! kind of layer and every optimizer.

use chainrule::engine::activation::Activation;
use chainrule::engine::cost::{Extent, cost, parameters_bytes, spec_bytes};
use chainrule::engine::layer::LayerKind;
use chainrule::engine::loss::Loss;
use chainrule::engine::mode::Mode;
use chainrule::engine::optimizer::OptimizerKind;
use chainrule::engine::pass::Pass;
use chainrule::engine::summary::TraceSummary;
use chainrule::engine::tensor::ParameterName;
use chainrule::engine::trace::{Trace, Values};
use chainrule::insight::blame::{self, BlameError, blame};
use chainrule::insight::chain::{self, ChainLimits, ChainRequest, chain};
use chainrule::insight::what_if::{self, Override, what_if};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::Value;

use crate::networks::{Case, case};

/// Characters of the longest number, `-2.2250738585072014e-308`.
const LONGEST: usize = 24;

/// What stands above a trace: format, session and step, with the longest name and number.
const HEADING: usize = 200;

/// How long the JSON text would be if every fraction in it took as many characters as a number can.
fn longest_text(value: &impl Serialize) -> u64 {
    fn walk(value: &Value) -> usize {
        match value {
            Value::Number(number) if number.is_f64() => LONGEST,
            Value::Array(items) => 1 + items.iter().map(|item| walk(item) + 1).sum::<usize>() + 1,
            Value::Object(fields) => {
                1 + fields.iter().map(|(key, field)| key.len() + 4 + walk(field)).sum::<usize>() + 1
            }
            other => other.to_string().len(),
        }
    }
    walk(&serde_json::to_value(value).unwrap()) as u64
}

/// Numbers in the JSON's arrays. A layer's settings stand outside of them: they belong to its words.
fn numbers_in_arrays(value: &Value) -> u64 {
    match value {
        Value::Array(items) => {
            items.iter().map(|item| if item.is_number() { 1 } else { numbers_in_arrays(item) }).sum()
        }
        Value::Object(fields) => fields.values().map(numbers_in_arrays).sum(),
        _ => 0,
    }
}

/// Numbers that a trace holds.
fn numbers(trace: &Trace) -> u64 {
    let mut count = 0;
    trace.walk(&mut |_, values| {
        count += match values {
            Values::Scalar(_) => 1,
            Values::Vector(values) => values.len(),
            Values::Matrix(matrix) => matrix.values().len(),
        };
    });
    count as u64
}

/// The traces of a network that has made some steps, with how far each goes.
fn traces(case: &Case, mode: Mode) -> Vec<(Extent, Trace)> {
    let model = case.model();
    let (inputs, targets) = case.batch(&model);
    let mut state = model.start();
    for _ in 0..2 {
        let pass = Pass { model: &model, state: &state, inputs: &inputs, mode, learning_rate: None };
        match pass.step(&targets) {
            Ok((_, after)) => state = after,
            // A target of 0 met a probability of 1: there is no step to be made.
            Err(_) => break,
        }
    }
    let pass = Pass { model: &model, state: &state, inputs: &inputs, mode, learning_rate: None };
    let passes = [
        (Extent::Forward, pass.forward(None)),
        (Extent::Forward, pass.forward(Some(&targets))),
        (Extent::Backward, pass.backward(&targets)),
        (Extent::Step, pass.step(&targets).map(|(trace, _)| trace)),
    ];
    passes.into_iter().filter_map(|(extent, trace)| Some((extent, trace.ok()?))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_answer_is_never_longer_than_its_estimate(case in case()) {
        let case = case.with_long_names();
        let model = case.model();
        let mut looked_at = 0;
        for mode in [Mode::Train, Mode::Eval] {
            for (extent, trace) in traces(&case, mode) {
                let told = cost(&model, trace.forward.inputs.rows(), extent);
                let full = longest_text(&trace) + HEADING as u64;
                prop_assert!(full <= told.answer_bytes, "{extent:?}: {full} against {}", told.answer_bytes);
                let written = numbers_in_arrays(&serde_json::to_value(&trace).unwrap());
                prop_assert!(written <= told.numbers, "{extent:?}: {written} numbers written, {} told", told.numbers);
                let short = longest_text(&TraceSummary::of(&trace)) + HEADING as u64;
                prop_assert!(short <= told.summary_bytes, "{extent:?}: {short} against {}", told.summary_bytes);
                let held = numbers(&trace);
                prop_assert!(held <= told.numbers, "{extent:?}: {held} numbers held, {} told", told.numbers);
                looked_at += 1;
            }
        }
        prop_assert!(looked_at >= 4, "{looked_at} traces");
        prop_assert!(longest_text(model.spec()) + HEADING as u64 <= spec_bytes(&model));
        prop_assert!(parameters_bytes(model.layers()) >= 27 * model.parameters() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_insight_is_never_longer_than_its_estimate(case in case(), top in 1..60_usize) {
        let model = case.model();
        let found = traces(&case, Mode::Train);
        prop_assume!(found.len() == 4);
        let trace = &found[3].1;
        let limits = ChainLimits { work: u64::MAX, numbers: u64::MAX };
        for named in model.all_layers().into_iter().filter(|named| named.layer.size().parameters > 0) {
            let (parameter, index) = match named.layer.kind() {
                LayerKind::Dense | LayerKind::Residual => (ParameterName::Weights, vec![0, 0]),
                _ => (ParameterName::Gamma, vec![0]),
            };
            let request = ChainRequest { layer: named.name.clone(), parameter, index, example: 1, top };
            let (long, told) = (longest_text(&chain(trace, &request, limits).unwrap()), chain::bytes(&model, top as u64) - 9_990);
            prop_assert!(long <= told, "the chain of {}: {long} against {told}", named.name);
        }
        match blame(trace, 1) {
            // Shares of numbers that underflow would say nothing: there is no answer.
            Err(BlameError::Underflow(_)) => {}
            found => {
                let (long, told) = (longest_text(&found.unwrap()), blame::bytes(&model));
                prop_assert!(long <= told, "blame: {long} against {told}");
            }
        }
    }

    #[test]
    fn differences_are_never_longer_than_their_estimate(case in case()) {
        let model = case.model();
        let (inputs, targets) = case.batch(&model);
        let state = model.start();
        let pass = Pass { model: &model, state: &state, inputs: &inputs, mode: Mode::Train, learning_rate: None };
        let other = inputs.matrix().map(|x| 0.9 * x + 0.1);
        let places = (0..other.rows()).flat_map(|n| (0..other.columns()).map(move |i| (n, i)));
        let overrides = places.map(|(n, i)| Override::Number { at: format!("/forward/inputs/{n}/{i}"), set: other.at(n, i) });
        let overrides: Vec<_> = overrides.collect();
        let Ok(found) = what_if(&pass, Some(&targets), Extent::Step, &overrides) else { return Ok(()) };
        let told = what_if::bytes(&model, cost(&model, inputs.matrix().rows(), Extent::Step));
        // What stands around the differences, with a hundred overrides, is not among them here.
        let (long, told) = (longest_text(&found), told - 100 * 512);
        prop_assert!(long <= told, "{long} against {told}");
    }
}

/// The lists that random networks are drawn from name every kind: they are what the API's document lists.
#[test]
fn no_kind_is_left_out_of_the_lists() {
    let document: Value = serde_json::from_str(&chainrule::http::document().to_json().unwrap()).unwrap();
    for (name, listed) in [
        ("Activation", serde_json::to_value(Activation::ALL)),
        ("Loss", serde_json::to_value(Loss::ALL)),
        ("OptimizerKind", serde_json::to_value(OptimizerKind::ALL)),
        ("LayerKind", serde_json::to_value(LayerKind::ALL)),
    ] {
        assert_eq!(document["components"]["schemas"][name]["enum"], listed.unwrap(), "{name}");
    }
}
