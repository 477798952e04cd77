//! How much blame is left, by the distance from the output: a line a network, on a logarithmic scale.

use super::svg::{Set, Svg};
use crate::insight::depth::LayerDepth;
use crate::render::number::raised;

/// One network.
pub struct Series<'d> {
    /// What it is called
    pub name: &'d str,
    /// Its layers from the output down
    pub layers: &'d [LayerDepth],
}

const SIZE: (f64, f64) = (750.0, 420.0);
/// Around the plot: left, above, right, below.
const MARGIN: (f64, f64, f64, f64) = (76.0, 56.0, 180.0, 56.0);
/// Ways to draw a line, told apart without colour.
const DASHES: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// Powers of ten that are marked, at the most.
const MARKS: f64 = 8.0;

/// The lines, and what a sigmoid's slopes alone would leave.
pub fn draw(title: &str, series: &[Series]) -> String {
    let points = |series: &Series| -> Vec<(f64, f64)> {
        series.layers.iter().filter_map(|layer| Some((distance(layer), layer.log10_ratio?))).collect()
    };
    let bound: Vec<(f64, f64)> = series
        .iter()
        .max_by_key(|series| series.layers.len())
        .map(|series| series.layers.iter().map(|layer| (distance(layer), layer.log10_bound)).collect())
        .unwrap_or_default();
    let lines: Vec<(&str, Vec<(f64, f64)>)> = series.iter().map(|series| (series.name, points(series))).collect();
    let all = || lines.iter().flat_map(|(_, points)| points).chain(&bound);
    let farthest = all().map(|(x, _)| *x).fold(1.0, f64::max);
    let low = all().map(|(_, y)| *y).fold(-1.0, f64::min).floor();
    let high = all().map(|(_, y)| *y).fold(0.0, f64::max).ceil();
    let (left, above, right, below) = MARGIN;
    let (width, height) = (SIZE.0 - left - right, SIZE.1 - above - below);
    let place = |(x, y): (f64, f64)| (left + width * x / farthest, above + height * (high - y) / (high - low));
    let description = format!(
        "The mean size of delta of each dense layer against the output layer's, by its distance from the output, for {}. \
         A dashed grey line shows 0.25 to the power of the distance.",
        lines.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    );
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
    svg.text((left, above - 10.0), Set::Start, "soft small", "mean |δ| against the output's");
    let bound: Vec<_> = bound.into_iter().map(place).collect();
    svg.path(&bound, "grid dashed", 1.5);
    let mut ends = vec![];
    if let Some(end) = bound.last() {
        ends.push((end.1, "grid dashed".to_owned(), "0.25^distance".to_owned()));
    }
    for (at, (name, points)) in lines.iter().enumerate() {
        let placed: Vec<_> = points.iter().copied().map(place).collect();
        let class = DASHES[at % DASHES.len()];
        svg.path(&placed, &format!("series {class}"), 2.5);
        if placed.len() <= 12 {
            for &point in &placed {
                svg.circle(point, 3.5, "dot");
            }
        }
        if let Some(end) = placed.last() {
            ends.push((end.1, format!("series {class}"), (*name).to_owned()));
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
