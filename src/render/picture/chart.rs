//! How much is left, by the distance from the output: a line a network, or a line a quantity, on a logarithmic scale.

use super::svg::{Set, Svg};
use crate::engine::math::log10;
use crate::engine::trace::Trace;
use crate::insight::depth::{LayerDepth, depth};
use crate::render::number::raised;

/// A line: how much of what the output layer has is left at each distance.
pub struct Series<'d> {
    name: &'d str,
    /// The distance, and the decimal logarithm of what is left
    points: Vec<(f64, f64)>,
}

impl<'d> Series<'d> {
    /// The blame of a network, whose layers are given from the output down.
    pub fn of_blame(name: &'d str, layers: &[LayerDepth]) -> Self {
        Self { name, points: layers.iter().filter_map(|layer| Some((distance(layer), layer.log10_ratio?))).collect() }
    }

    /// The size of a network's changes.
    fn of_change(name: &'d str, layers: &[LayerDepth]) -> Self {
        let logarithms = layers.iter().filter(|layer| layer.change_norm > 0.0);
        let logarithms: Vec<_> = logarithms.map(|layer| (distance(layer), log10(layer.change_norm))).collect();
        let first = logarithms.first().map_or(0.0, |(_, first)| *first);
        Self { name, points: logarithms.into_iter().map(|(at, logarithm)| (at, logarithm - first)).collect() }
    }
}

/// What is drawn.
pub struct Words<'d> {
    /// Above it
    pub title: &'d str,
    /// Beside its scale
    pub scale: &'d str,
    /// For who cannot see it
    pub description: String,
}

impl<'d> Words<'d> {
    /// Of the blame in some networks.
    pub fn of_blame(title: &'d str, series: &[Series]) -> Self {
        let names: Vec<_> = series.iter().map(|series| series.name).collect();
        let description = format!(
            "The mean size of delta of each dense layer against the output layer's, by its distance from the output, for \
             {}.",
            names.join(", ")
        );
        Self { title, scale: "mean |δ| against the output's", description }
    }
}

const SIZE: (f64, f64) = (750.0, 420.0);
/// Around the plot: left, above, right, below.
const MARGIN: (f64, f64, f64, f64) = (76.0, 56.0, 180.0, 56.0);
/// Ways to draw a line, told apart without colour.
const DASHES: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// Powers of ten that are marked, at the most.
const MARKS: f64 = 8.0;

/// How blame and change fade in the network of a trace. A trace whose blame no double can hold has no lines.
pub(super) fn of_trace(trace: &Trace) -> String {
    let layers = depth(trace).map(|depth| depth.layers).unwrap_or_default();
    let description = "The mean size of delta of each dense layer, and the size of its change, against the output \
                       layer's, by its distance from the output.";
    let title = "How blame and change fade with the distance";
    let words = Words { title, scale: "against the output layer's", description: description.into() };
    let series = [Series::of_blame("mean |δ|", &layers), Series::of_change("size of change", &layers)];
    draw(&words, &series, &layers)
}

/// The lines, and what a sigmoid's slopes alone would leave through these layers.
pub fn draw(words: &Words, series: &[Series], layers: &[LayerDepth]) -> String {
    let bound: Vec<(f64, f64)> = layers.iter().map(|layer| (distance(layer), layer.log10_bound)).collect();
    let all = || series.iter().flat_map(|series| &series.points).chain(&bound);
    let farthest = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let low = all().map(|(_, y)| *y).fold(-1.0, f64::min).floor();
    let high = all().map(|(_, y)| *y).fold(0.0, f64::max).ceil();
    let (left, above, right, below) = MARGIN;
    let (width, height) = (SIZE.0 - left - right, SIZE.1 - above - below);
    let place = |(x, y): (f64, f64)| (left + width * x / farthest, above + height * (high - y) / (high - low));
    let description = format!("{} A dashed grey line shows 0.25 to the power of the distance.", words.description);
    let title = words.title;
    let mut svg = Svg::new(SIZE, title, description);
    svg.text((16.0, 26.0), Set::Start, "head", title);
    let step = ((high - low) / MARKS).ceil().max(1.0);
    let mut mark = high;
    while mark >= low {
        let (x, y) = place((0.0, mark));
        svg.line((x, y), (left + width, y), "grid", 1.0);
        svg.text((x - 8.0, y + 4.0), Set::End, "soft small", &power(mark));
        mark -= step;
    }
    let middle = Some((farthest / 2.0).floor()).filter(|middle| *middle > 0.0);
    for distance in [Some(0.0), middle, Some(farthest)].into_iter().flatten() {
        let (x, _) = place((distance, high));
        svg.text((x, above + height + 20.0), Set::Middle, "soft small", &format!("{distance}"));
    }
    svg.text((left + width / 2.0, SIZE.1 - 14.0), Set::Middle, "soft", "layers between it and the loss");
    svg.text((left, above - 10.0), Set::Start, "soft small", words.scale);
    let bound: Vec<_> = bound.into_iter().map(place).collect();
    svg.path(&bound, "grid dashed", 1.5);
    let mut ends = vec![];
    if let Some(end) = bound.last() {
        ends.push((end.1, "grid dashed".to_owned(), "0.25^distance".to_owned()));
    }
    for (at, line) in series.iter().enumerate() {
        let placed: Vec<_> = line.points.iter().copied().map(place).collect();
        let class = DASHES[at % DASHES.len()];
        svg.path(&placed, &format!("series {class}"), 2.5);
        if placed.len() <= 12 {
            for &point in &placed {
                svg.circle(point, 3.5, "dot");
            }
        }
        if let Some(end) = placed.last() {
            ends.push((end.1, format!("series {class}"), line.name.to_owned()));
        }
    }
    // Names that would meet are moved apart, in the order of their lines.
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut last = f64::NEG_INFINITY;
    for (y, class, name) in ends {
        let y = (y + 4.0).max(last + 17.0);
        last = y;
        let (from, to) = (left + width + 12.0, left + width + 46.0);
        svg.line((from, y - 4.0), (to, y - 4.0), &class, 2.5);
        svg.text((to + 8.0, y), Set::Start, "", &name);
    }
    svg.finish()
}

#[allow(clippy::cast_precision_loss, reason = "layers are limited far below 2^53")]
fn distance(layer: &LayerDepth) -> f64 {
    layer.distance as f64
}

/// 10⁻³
#[allow(clippy::cast_possible_truncation, reason = "logarithms of doubles, rounded to whole numbers")]
fn power(exponent: f64) -> String {
    format!("10{}", raised(exponent as i32))
}
