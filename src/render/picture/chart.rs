//! How much is left, by the distance from the output: a line a network, or a line a quantity, on a logarithmic scale.

use super::network::of;
use super::svg::{Set, Svg, shortened};
use crate::engine::math::log10;
use crate::engine::trace::Trace;
use crate::insight::depth::{Depth, LayerDepth, depth};
use crate::render::number::raised;

/// A line: how much of what the output layer has is left at each distance.
pub struct Series<'d> {
    name: &'d str,
    /// The distance, and the decimal logarithm of what is left
    points: Vec<(f64, f64)>,
    /// Where nothing is left, in words, if that is anywhere: it has no logarithm
    zeros: Option<String>,
}

impl<'d> Series<'d> {
    /// The blame of a network, whose layers are given from the output down.
    pub fn of_blame(name: &'d str, layers: &[LayerDepth]) -> Self {
        let points = layers.iter().filter_map(|layer| Some((distance(layer), layer.log10_ratio?))).collect();
        Self { name, points, zeros: zeros(name, layers, |layer| layer.mean_abs_delta) }
    }

    /// The size of a network's changes.
    fn of_change(name: &'d str, layers: &[LayerDepth]) -> Self {
        let logarithms = layers.iter().filter(|layer| layer.change_norm > 0.0);
        let logarithms: Vec<_> = logarithms.map(|layer| (distance(layer), log10(layer.change_norm))).collect();
        let first = logarithms.first().map_or(0.0, |(_, first)| *first);
        let points = logarithms.into_iter().map(|(at, logarithm)| (at, logarithm - first)).collect();
        Self { name, points, zeros: zeros(name, layers, |layer| layer.change_norm) }
    }
}

/// In which layers something is 0.
fn zeros(name: &str, layers: &[LayerDepth], value: impl Fn(&LayerDepth) -> f64) -> Option<String> {
    /// Layers that are named.
    const NAMED: usize = 2;
    let name = shortened(name, LEGEND);
    let zeros: Vec<_> = layers.iter().filter(|layer| value(layer) == 0.0).map(|layer| layer.name.as_str()).collect();
    if zeros.is_empty() {
        return None;
    }
    if zeros.len() == layers.len() {
        return Some(format!("{name}: 0 in every layer"));
    }
    let mut named: Vec<_> = zeros.iter().take(NAMED).map(|zero| shortened(zero, LEGEND)).collect();
    if zeros.len() > NAMED {
        named.push(format!("{} more", zeros.len() - NAMED));
    }
    Some(format!("{name}: 0 in {}, which a logarithmic scale cannot show", named.join(", ")))
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
/// Room for a line's name beside the plot.
const LEGEND: f64 = 122.0;
/// From one line of words to the next.
const LINE: f64 = 18.0;
/// Ways to draw a line, told apart without colour.
const DASHES: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// Powers of ten that are marked, at the most.
const MARKS: f64 = 8.0;

/// How blame and change fade in the network of a trace.
pub(super) fn of_trace(trace: &Trace) -> String {
    let description = "The mean size of delta of each dense layer, and the size of its change, against the output \
                       layer's, by its distance from the output.";
    let title = "How blame and change fade with the distance";
    let words = Words { title, scale: "against the output layer's", description: description.into() };
    let Ok(Depth { layers, .. }) = depth(trace) else {
        return blank(&words, &["There is no picture of it: no double can hold all of these numbers."]);
    };
    let series = [Series::of_blame("mean |δ|", &layers), Series::of_change("size of change", &layers)];
    draw(&words, &series, &layers)
}

/// What is said where there is no line to draw.
fn blank(words: &Words, lines: &[&str]) -> String {
    let mut svg = Svg::new(SIZE, words.title, format!("{} {}.", words.description, lines.join("; ")));
    svg.text((16.0, 26.0), Set::Start, "head", words.title);
    for (at, line) in lines.iter().enumerate() {
        svg.text((16.0, 56.0 + LINE * of(at)), Set::Start, "soft", line);
    }
    svg.finish()
}

/// The lines, and what a sigmoid's slopes alone would leave through these layers.
pub fn draw(words: &Words, series: &[Series], layers: &[LayerDepth]) -> String {
    let zeros: Vec<&str> = series.iter().filter_map(|series| series.zeros.as_deref()).collect();
    if layers.is_empty() {
        return blank(words, &["The network has no dense layer."]);
    }
    if series.iter().all(|series| series.points.is_empty()) {
        return blank(words, &zeros);
    }
    let bound: Vec<(f64, f64)> = layers.iter().map(|layer| (distance(layer), layer.log10_bound)).collect();
    let all = || series.iter().flat_map(|series| &series.points).chain(&bound);
    let farthest = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let low = all().map(|(_, y)| *y).fold(-1.0, f64::min).floor();
    let high = all().map(|(_, y)| *y).fold(0.0, f64::max).ceil();
    let (left, above, right, below) = MARGIN;
    let (width, height) = (SIZE.0 - left - right, SIZE.1 - above - below);
    let place = |(x, y): (f64, f64)| (left + width * x / farthest, above + height * (high - y) / (high - low));
    let grey = "A dashed grey line shows 0.25 to the power of the distance.";
    let told: Vec<_> = zeros.iter().map(|line| format!(" {line}.")).collect();
    let title = words.title;
    let size = (SIZE.0, SIZE.1 + LINE * of(zeros.len()));
    let mut svg = Svg::new(size, title, format!("{} {grey}{}", words.description, told.concat()));
    svg.text((16.0, 26.0), Set::Start, "head", title);
    for (at, line) in zeros.iter().enumerate() {
        svg.text((16.0, SIZE.1 + 8.0 + LINE * of(at)), Set::Start, "soft small", line);
    }
    let step = ((high - low) / MARKS).ceil().max(1.0);
    // Multiples of the step, so that 10⁰, against which everything is measured, is one of them.
    let mut mark = (high / step).floor() * step;
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
        let class = format!("series {}", DASHES[at % DASHES.len()]);
        svg.path(&placed, &class, 2.5);
        for &point in placed.iter().filter(|_| placed.len() <= 12) {
            svg.circle(point, 3.5, "dot");
        }
        if let Some(end) = placed.last() {
            ends.push((end.1, class, shortened(line.name, LEGEND)));
        }
    }
    legend(&mut svg, left + width + 12.0, ends);
    svg.finish()
}

/// Beside each line's end its name. Names that would meet are moved apart, in the order of their lines.
fn legend(svg: &mut Svg, from: f64, mut ends: Vec<(f64, String, String)>) {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut last = f64::NEG_INFINITY;
    for (y, class, name) in ends {
        let y = (y + 4.0).max(last + 17.0);
        last = y;
        let to = from + 34.0;
        svg.line((from, y - 4.0), (to, y - 4.0), &class, 2.5);
        svg.text((to + 8.0, y), Set::Start, "", &name);
    }
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
