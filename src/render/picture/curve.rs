//! An activation and its slope, and where the units of a layer stand on them.

use thiserror::Error;

use super::plot::Plot;
use super::svg::{Set, Svg, shortened, width_of};
use crate::engine::activation::Activation;
use crate::engine::layer::{LayerForward, NamedLayer};
use crate::engine::matrix::Matrix;
use crate::engine::name::LayerName;
use crate::engine::trace::Trace;
use crate::insight::names;
use crate::render::document::counted;
use crate::render::number::Digits;
use crate::render::solution::nodes::{nodes, word};

/// Pre-activations that are marked, at the most.
const POINTS: usize = 400;
/// Units whose numbers stand beside the plot, at the most.
const LISTED: usize = 7;
/// Pieces of which a curve is drawn.
const PIECES: u32 = 240;
/// What is drawn at least, of pre-activations.
const LEAST: f64 = 4.0;
const SIZE: (f64, f64) = (780.0, 430.0);
/// The plot: its corner and its size.
const PLOT: ((f64, f64), (f64, f64)) = ((70.0, 84.0), (430.0, 280.0));

/// Where the numbers beside the plot begin.
const BESIDE: f64 = PLOT.0.0 + PLOT.1.0 + 28.0;

/// Why a layer has no curve.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum CurveError {
    #[error("the network has no layer {layer}; those with a curve are {}", names(.curved))]
    Unknown { layer: LayerName, curved: Vec<LayerName> },
    #[error("layer {layer} has no curve: {why}; those with one are {}", names(.curved))]
    Straight { layer: LayerName, why: &'static str, curved: Vec<LayerName> },
    #[error("no layer of this network has a curve: softmax looks at a whole row, and the others have no activation")]
    NoLayer,
}

/// The layer that is drawn: the wanted one, or else the lowest that is bent, or else the lowest with a curve.
pub fn layer_of(layers: &[&NamedLayer], wanted: Option<&LayerName>) -> Result<LayerName, CurveError> {
    let curved =
        |named: &&&NamedLayer| named.layer.activation().is_some_and(|activation| activation != Activation::Softmax);
    let Some(wanted) = wanted else {
        let bent = layers.iter().filter(curved).find(|named| named.layer.activation() != Some(Activation::Linear));
        let found = bent.or_else(|| layers.iter().find(curved));
        return found.map(|named| named.name.clone()).ok_or(CurveError::NoLayer);
    };
    let curved = || layers.iter().filter(curved).map(|named| named.name.clone()).collect();
    let layer = wanted.clone();
    let Some(named) = layers.iter().find(|named| named.name == layer) else {
        return Err(CurveError::Unknown { layer, curved: curved() });
    };
    let why = match named.layer.activation() {
        Some(Activation::Softmax) => "softmax looks at a whole row, not at one number",
        Some(_) => return Ok(layer),
        None => "it has no activation",
    };
    Err(CurveError::Straight { layer, why, curved: curved() })
}

/// A layer's pre-activations, outputs and slopes.
struct Curve<'t> {
    activation: Activation,
    inputs: &'t Matrix,
    outputs: &'t Matrix,
    slopes: &'t Matrix,
}

fn curve<'t>(trace: &'t Trace, layer: &LayerName) -> Option<Curve<'t>> {
    let node = nodes(trace).into_iter().find(|node| node.up.name() == layer)?;
    let (activation, inputs, activated) = match node.up {
        LayerForward::Dense(dense) => (dense.activation, &dense.pre_activations, &dense.activated),
        LayerForward::Activation(layer) => (layer.activation, node.inputs, &layer.activated),
        _ => return None,
    };
    Some(Curve { activation, inputs, outputs: activated.outputs(), slopes: activated.derivatives()? })
}

/// The picture; empty but for its words where the trace has no such curve.
pub(super) fn draw(trace: &Trace, layer: &LayerName, digits: Digits, example: usize) -> String {
    let found = curve(trace, layer);
    let name = found.as_ref().map(|curve| word(curve.activation)).unwrap_or_default();
    let title = format!("{name}, and where the units of {} stand on it", shortened(layer.as_str(), 200.0));
    let description = format!(
        "The activation {name} as a line and its slope as a dashed line, with a dot on each for the pre-activation of \
         each unit of layer {layer}."
    );
    let lines = found.as_ref().map(|curve| curve.lines(digits, example)).unwrap_or_default();
    let widest = lines.iter().flatten().map(|line| width_of(line)).fold(0.0, f64::max);
    let mut svg = Svg::new((SIZE.0.max(BESIDE + widest), SIZE.1), &title, description);
    svg.text((16.0, 26.0), Set::Start, "head", &title);
    if let Some(curve) = found {
        curve.draw(&mut svg, &lines, example);
    }
    svg.finish()
}

impl Curve<'_> {
    /// The numbers of the first units, two lines each.
    fn lines(&self, digits: Digits, example: usize) -> Vec<[String; 2]> {
        let line = |unit: usize| {
            let of = |matrix: &Matrix| digits.write(matrix.at(example, unit)).text();
            let above = format!("unit {}: a = {}", unit + 1, of(self.inputs));
            [above, format!("f = {}, f′ = {}", of(self.outputs), of(self.slopes))]
        };
        (0..self.inputs.columns().min(LISTED)).map(line).collect()
    }

    fn draw(&self, svg: &mut Svg, lines: &[[String; 2]], example: usize) {
        let (rows, units) = (self.inputs.rows(), self.inputs.columns());
        let shown = self.inputs.values().len().min(POINTS);
        let points = || self.inputs.values().iter().zip(self.outputs.values()).zip(self.slopes.values()).take(shown);
        let across = Plot::around(points().map(|((a, _), _)| *a).chain([-LEAST, LEAST]));
        let mut places: Vec<f64> = (0..=PIECES)
            .map(|at| f64::from(at) / f64::from(PIECES))
            .map(|part| across.0 * (1.0 - part) + across.1 * part)
            // Both sides of zero, where some slopes jump.
            .chain([0.0, f64::MIN_POSITIVE])
            .collect();
        places.sort_by(f64::total_cmp);
        let line: Vec<(f64, f64, f64)> =
            places.into_iter().filter_map(|a| self.activation.of(a).map(|(h, slope)| (a, h, slope))).collect();
        let heights = line.iter().flat_map(|(_, h, slope)| [*h, *slope]);
        let plot = Plot::new(PLOT.0, PLOT.1, across, Plot::around(heights.chain([0.0])));
        plot.scales(svg, "pre-activation a", "f(a), and its slope f′(a)");
        for (value, class) in [(1, "series d1 whole"), (2, "series d0 dashes")] {
            let places: Vec<_> =
                line.iter().map(|&(a, h, slope)| plot.place((a, if value == 1 { h } else { slope }))).collect();
            svg.path(&places, class, 2.0);
        }
        for (at, ((a, h), slope)) in points().enumerate() {
            // The example that is shown is larger than the others.
            let radius = if at / units == example { 4.5 } else { 2.5 };
            svg.circle(plot.place((*a, *h)), radius, "dot");
            svg.circle(plot.place((*a, *slope)), radius, "ring");
        }
        let left = BESIDE;
        for (y, class, words) in [(84.0, "series d1 whole", "f"), (106.0, "series d0 dashes", "f′, the slope")] {
            svg.line((left, y - 4.0), (left + 34.0, y - 4.0), class, 2.0);
            svg.text((left + 44.0, y), Set::Start, "", words);
        }
        if rows > 1 {
            let which = format!("example {} of {rows}, the large dots", example + 1);
            svg.text((left, 132.0), Set::Start, "soft small", &which);
        }
        let mut y = 152.0;
        for [above, below] in lines {
            svg.text((left, y), Set::Start, "", above);
            svg.text((left, y + 16.0), Set::Start, "soft small", below);
            y += 37.0;
        }
        if units > LISTED {
            let more = format!("and {}", counted(units - LISTED, "more unit"));
            svg.text((left, y), Set::Start, "soft small", &more);
        }
        if shown < self.inputs.values().len() {
            let words = format!("dots: {shown} of {}, the first ones", self.inputs.values().len());
            svg.text((PLOT.0.0, 50.0), Set::Start, "soft small", &words);
        }
    }
}
