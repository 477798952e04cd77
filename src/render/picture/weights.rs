//! The weights of each dense layer as a heat map: a cell a weight, blue above zero and orange below, as strong as it is
//! large within its layer.

use super::network::of;
use super::svg::{Set, Svg, shortened, sign_of_area, width_of};
use crate::engine::layer::LayerForward;
use crate::engine::matrix::Matrix;
use crate::engine::trace::Trace;
use crate::render::document::counted;
use crate::render::number::Digits;
use crate::render::solution::nodes::nodes;

/// Rows and columns of a map that are drawn, at the most.
const CELLS: usize = 48;
/// Rows and columns up to which each cell has its number.
const NUMBERED: usize = 6;
/// Maps that are drawn, at the most: the lowest ones.
const MAPS: usize = 12;
/// The side of a cell without a number, and of one with a number at least.
const SIDE: (f64, f64) = (7.0, 7.0);
const SIDE_NUMBERED: (f64, f64) = (84.0, 34.0);
/// The strip of colour beside a number
const BESIDE: f64 = 11.0;
const NARROWEST: f64 = 190.0;
const MARGIN: (f64, f64) = (24.0, 96.0);

/// The picture.
pub(super) fn draw(trace: &Trace, digits: Digits) -> String {
    let all = nodes(trace);
    let dense = all.iter().filter_map(|node| match node.up {
        LayerForward::Dense(layer) => Some((layer.name.to_string(), layer.parameters.weights())),
        _ => None,
    });
    let maps: Vec<(String, &Matrix)> = dense.collect();
    let size = |weights: &Matrix| {
        let (rows, columns) = (weights.rows().min(CELLS), weights.columns().min(CELLS));
        let side = side(weights, digits);
        (side.0 * of(columns), side.1 * of(rows))
    };
    let drawn = &maps[..maps.len().min(MAPS)];
    let width: f64 = drawn.iter().map(|(_, weights)| size(weights).0.max(NARROWEST) + MARGIN.0).sum();
    let height = drawn.iter().map(|(_, weights)| size(weights).1).fold(0.0, f64::max);
    let title = "Weights";
    let description = format!(
        "A heat map of the weights of each of {}: a row for each unit below, a column for each unit of the layer, blue \
         above zero and orange below, as strong as it is large within its layer.",
        counted(maps.len(), "dense layer")
    );
    let mut svg = Svg::new(((width + MARGIN.0).max(600.0), MARGIN.1 + height + 40.0), title, description);
    svg.text((MARGIN.0, 26.0), Set::Start, "head", title);
    let mut x = MARGIN.0;
    for (name, weights) in drawn {
        map(&mut svg, x, name, weights, digits);
        x += size(weights).0.max(NARROWEST) + MARGIN.0;
    }
    let left_out = maps.len() - drawn.len();
    let words = "rows: units below, columns: units of the layer; blue above zero, orange below";
    let words =
        if left_out > 0 { format!("{} above; {words}", counted(left_out, "more layer")) } else { words.to_owned() };
    svg.text((MARGIN.0, MARGIN.1 + height + 26.0), Set::Start, "soft small", &words);
    svg.finish()
}

fn map(svg: &mut Svg, x: f64, name: &str, weights: &Matrix, digits: Digits) {
    let (rows, columns) = (weights.rows(), weights.columns());
    let largest = weights.values().iter().fold(0.0, |most: f64, weight| most.max(weight.abs()));
    svg.text((x, 52.0), Set::Start, "", &shortened(name, NARROWEST));
    let cut = if rows.max(columns) > CELLS {
        format!(", {} × {} drawn", rows.min(CELLS), columns.min(CELLS))
    } else {
        String::new()
    };
    svg.text((x, 68.0), Set::Start, "soft small", &format!("{rows} × {columns}{cut}"));
    let most = digits.write(largest).text();
    svg.text((x, 84.0), Set::Start, "soft small", &format!("largest |w| = {most}"));
    let side = side(weights, digits);
    for row in 0..rows.min(CELLS) {
        for column in 0..columns.min(CELLS) {
            let weight = weights.at(row, column);
            let strength = if largest > 0.0 { weight.abs() / largest } else { 0.0 };
            let place = (x + side.0 * of(column), MARGIN.1 + side.1 * of(row));
            if is_numbered(weights) {
                // A number is read on paper: its colour stands beside it.
                svg.rect(place, side, "unit", 0.0);
                svg.rect((place.0 + 1.0, place.1 + 1.0), (10.0, side.1 - 2.0), sign_of_area(weight), strength);
                let middle = (place.0 + f64::midpoint(BESIDE, side.0), place.1 + side.1 / 2.0 + 4.5);
                svg.text(middle, Set::Middle, "", &digits.write(weight).text());
            } else {
                svg.rect(place, side, sign_of_area(weight), strength);
            }
        }
    }
}

/// Of a cell: as wide as the widest number needs.
fn side(weights: &Matrix, digits: Digits) -> (f64, f64) {
    if !is_numbered(weights) {
        return SIDE;
    }
    let widest = weights.values().iter().map(|&weight| width_of(&digits.write(weight).text()));
    let (least, high) = SIDE_NUMBERED;
    (widest.fold(least - BESIDE, |most, width| if width > most { width } else { most }) + BESIDE, high)
}

fn is_numbered(weights: &Matrix) -> bool {
    weights.rows().max(weights.columns()) <= NUMBERED
}
