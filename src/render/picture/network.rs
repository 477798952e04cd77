//! The network as columns of units, from left to right; blame flows from right to left.

use super::columns::{Column, columns};
use super::svg::{Set, Svg, shortened, sign, width_of};
use super::{Drawing, Flow};
use crate::engine::layer::LayerForward;
use crate::engine::tensor::ParameterName;
use crate::engine::trace::Trace;
use crate::insight::blame::Blame;
use crate::render::document::counted;
use crate::render::solution::nodes::Node;

/// A unit's box, as wide as its numbers need, and from one to the next, as far as the lines' numbers need.
const BOX: (f64, f64) = (92.0, 46.0);
const GAP: f64 = 134.0;
const DOWN: f64 = 112.0;
const DOWN_MANY: f64 = 62.0;
/// Around the columns: left, above, right, below.
const MARGIN: (f64, f64, f64, f64) = (74.0, 104.0, 74.0, 77.0);
/// Units of a column up to which each connection has its number.
const LABELLED: usize = 3;
/// Where a connection's number stands on it, as a part of the way from where it begins: numbers of three by three
/// connections do not meet, and none covers the head of an arrow.
const LABEL_AT: f64 = 0.28;
/// How far what stands below a box may reach beyond it.
const BESIDE: f64 = 9.0;
/// From one line below a box to the next
const LINE: f64 = 15.0;
/// Room for what stands above and below the columns.
const NARROWEST: f64 = 600.0;
/// The widest line
const WIDEST: f64 = 6.0;
/// Between a number and the edges of its box
const PADDING: f64 = 6.0;
/// Connections between two columns up to which each has the head of an arrow.
const ARROWS: usize = 24;

struct Drawn<'d> {
    columns: Vec<Column<'d>>,
    drawing: Drawing,
    blame: Option<&'d Blame>,
    down: f64,
    most: usize,
    left_out: Option<(usize, usize)>,
    /// The width of a box, and from one box to the next
    wide: f64,
    gap: f64,
}

pub(super) fn draw(trace: &Trace, blame: Option<&Blame>, drawing: Drawing) -> String {
    let (columns, left_out) = columns(trace);
    let most = columns.iter().map(rows).max().unwrap_or(1);
    let down = if most <= LABELLED { DOWN } else { DOWN_MANY };
    let mut drawn = Drawn { columns, drawing, blame, down, most, left_out, wide: BOX.0, gap: GAP };
    drawn.make_room();
    let (mut left, above, mut right, below) = MARGIN;
    left += (drawn.wide - BOX.0) / 2.0;
    right += (drawn.wide - BOX.0) / 2.0;
    let count = drawn.columns.len() + usize::from(left_out.is_some());
    let width = (left + (drawn.wide + drawn.gap) * of(count - 1) + right).max(NARROWEST);
    let height = above + down * of(most - 1) + BOX.1 + below;
    let (title, description) = drawn.words(trace);
    let mut svg = Svg::new((width, height), &title, description);
    svg.text((16.0, 24.0), Set::Start, "head", &title);
    drawn.legend(trace, &mut svg, (width, height));
    for right in 1..drawn.columns.len() {
        drawn.connections(right, &mut svg);
    }
    for at in 0..drawn.columns.len() {
        drawn.column(at, trace, &mut svg);
    }
    drawn.around(&mut svg);
    drawn.gap(&mut svg);
    svg.finish()
}

#[allow(clippy::cast_precision_loss, reason = "units and layers are limited far below 2^53")]
pub(super) fn of(count: usize) -> f64 {
    count as f64
}

/// Rows that a column takes: what is left out has one.
fn rows(column: &Column) -> usize {
    column.drawn() + usize::from(column.drawn() < column.units())
}

impl Drawn<'_> {
    fn words(&self, trace: &Trace) -> (String, String) {
        let inputs = counted(trace.forward.inputs.columns(), "input");
        let layers = counted(trace.forward.layers.len(), "layer");
        let outputs = counted(trace.forward.outputs.columns(), "output");
        let title = match self.drawing.flow {
            Flow::Network => "Forward: what each unit puts out".to_owned(),
            Flow::Backward => "Backward: who is to blame".to_owned(),
        };
        let what = match self.drawing.flow {
            Flow::Network => {
                "Each box is a unit with its output; each line a weight, blue above zero and orange below."
            }
            Flow::Backward => {
                "Each box is a unit with its delta; each line is the blame that a unit receives from one above, \
                 blue above zero and orange below, as wide as it is large within its layer."
            }
        };
        let description = format!("A network of {inputs}, {layers} and {outputs}. {what}");
        (title, description)
    }

    fn legend(&self, trace: &Trace, svg: &mut Svg, (width, height): (f64, f64)) {
        let rows = trace.forward.inputs.rows();
        let which = if rows > 1 { format!("example {} of {rows}; ", self.drawing.example + 1) } else { String::new() };
        let lines = match self.drawing.flow {
            Flow::Network => "lines: weights",
            Flow::Backward => "lines: blame received, from right to left",
        };
        let blocks = match self.drawing.flow {
            Flow::Backward if self.blocks() > 0 => "; e: the error of what a block puts out",
            _ => "",
        };
        let words = format!("{which}{lines}, blue above zero, orange below{blocks}");
        svg.text((16.0, height - 12.0), Set::Start, "soft small", &words);
        if let (Flow::Network, Some(loss)) = (self.drawing.flow, &trace.loss) {
            let loss = self.drawing.digits.write(loss.value).text();
            let of_the_batch = if rows > 1 { "mean " } else { "" };
            svg.text((width - 16.0, 24.0), Set::End, "soft", &format!("{of_the_batch}loss {loss}"));
        }
    }

    /// Residual blocks that are drawn.
    fn blocks(&self) -> usize {
        let nodes = self.columns.iter().filter_map(|column| column.node.as_ref());
        nodes.filter(|node| !node.up.inner().is_empty()).count()
    }

    fn x(&self, at: usize) -> f64 {
        let behind_the_gap = self.left_out.is_some_and(|(behind, _)| at >= behind);
        self.across(at + usize::from(behind_the_gap))
    }

    /// The middle of a place on the way.
    fn across(&self, place: usize) -> f64 {
        MARGIN.0 + (self.wide - BOX.0) / 2.0 + (self.wide + self.gap) * of(place)
    }

    /// Widens boxes and gaps to what stands in them: a label begins behind what stands below its unit.
    fn make_room(&mut self) {
        let digits = self.drawing.digits;
        let width = |value: f64| width_of(&digits.write(value).text());
        let widest = |most: f64, value: f64| most.max(width(value));
        let n = self.drawing.example;
        let values = self.columns.iter().flat_map(|column| {
            let outputs = (0..column.drawn()).map(move |unit| column.outputs.at(n, unit));
            let blame = column.node.as_ref().and_then(Node::blame);
            let blame =
                blame.into_iter().flat_map(move |(_, blame)| (0..column.drawn()).map(move |unit| blame.at(n, unit)));
            outputs.chain(blame)
        });
        let wide = values.fold(BOX.0 - PADDING, widest) + PADDING;
        let labelled = (1..self.columns.len()).filter(|right| self.joined(*right) && self.is_labelled(*right));
        let label = labelled.flat_map(|right| self.values(right)).map(|(_, _, value)| value).fold(0.0, widest);
        (self.wide, self.gap) = (wide, GAP.max((label / 2.0 + BESIDE) / LABEL_AT));
    }

    /// Whether the lines to a column have their numbers: where units lie close to each other there is room for fewer.
    fn is_labelled(&self, right: usize) -> bool {
        let most = if self.down >= DOWN { LABELLED } else { LABELLED - 1 };
        self.columns[right - 1].units() <= most && self.columns[right].units() <= most
    }

    /// What stands on the lines between the units of two columns: from, to, and a number.
    fn values(&self, right: usize) -> Vec<(usize, usize, f64)> {
        let (below, here) = (&self.columns[right - 1], &self.columns[right]);
        let Some(weights) = here.weights() else { return vec![] };
        let value = |from: usize, to: usize| match self.drawing.flow {
            Flow::Network => Some(weights.at(from, to)),
            Flow::Backward => self.received(right, from, to),
        };
        let pairs = (0..below.drawn()).flat_map(|from| (0..here.drawn()).map(move |to| (from, to)));
        pairs.filter_map(|(from, to)| Some((from, to, value(from, to)?))).collect()
    }

    fn y(&self, at: usize, row: usize) -> f64 {
        let free = self.most - rows(&self.columns[at]);
        MARGIN.1 + self.down * (of(row) + of(free) / 2.0) + BOX.1 / 2.0
    }

    fn joined(&self, right: usize) -> bool {
        let (below, here) = (&self.columns[right - 1], &self.columns[right]);
        let node = here.node.as_ref();
        if node.is_some_and(|node| !node.up.inner().is_empty()) {
            // A block takes what its own last layer gives, which stands beside it.
            return below.place + 1 == here.place;
        }
        // What lies to the left may be another branch, or be left out.
        let from = node.map_or(0, |node: &Node| node.below.map_or(0, |below| below + 1));
        from == below.place
    }

    fn connections(&self, right: usize, svg: &mut Svg) {
        if !self.joined(right) {
            return;
        }
        let here = &self.columns[right];
        let (start, end) = (self.x(right - 1) + self.wide / 2.0, self.x(right) - self.wide / 2.0);
        if here.weights().is_none() {
            self.one_by_one(right, (start, end), svg);
            return;
        }
        let (labelled, values) = (self.is_labelled(right), self.values(right));
        let largest = values.iter().fold(0.0, |most: f64, (_, _, value)| most.max(value.abs()));
        let pointed = labelled || values.len() <= ARROWS;
        let mut labels = vec![];
        for (from, to, value) in values {
            let (start, end) = ((start, self.y(right - 1, from)), (end, self.y(right, to)));
            let share = if largest > 0.0 { value.abs() / largest } else { 0.0 };
            let width = if labelled { 1.0 + (WIDEST - 1.0) * share } else { thin(share) };
            let part = match self.drawing.flow {
                Flow::Backward if pointed => {
                    svg.arrow(end, start, value, width);
                    1.0 - LABEL_AT
                }
                _ => {
                    svg.line(start, end, sign(value), width);
                    LABEL_AT
                }
            };
            let place = (start.0 + part * (end.0 - start.0), start.1 + part * (end.1 - start.1));
            labels.push((place, value));
        }
        for (place, value) in labels.into_iter().filter(|_| labelled) {
            svg.label(place, &self.drawing.digits.write(value).text());
        }
    }

    /// Each unit hangs on the one beside it.
    fn one_by_one(&self, right: usize, (start, end): (f64, f64), svg: &mut Svg) {
        let units = 0..self.columns[right - 1].drawn().min(self.columns[right].drawn());
        let blame = |unit| match self.drawing.flow {
            Flow::Backward => self.received(right, unit, unit),
            Flow::Network => None,
        };
        let largest = units.clone().filter_map(blame).fold(0.0, |most: f64, value| most.max(value.abs()));
        for unit in units {
            let (start, end) = ((start, self.y(right - 1, unit)), (end, self.y(right, unit)));
            match blame(unit) {
                Some(value) if largest > 0.0 => svg.arrow(end, start, value, thin(value.abs() / largest)),
                _ => svg.line(start, end, "line", 1.0),
            }
        }
    }

    /// What a unit of the column to the left receives from one of a column.
    fn received(&self, right: usize, from: usize, to: usize) -> Option<f64> {
        let (below, here) = (self.columns[right - 1].node.as_ref()?, self.columns[right].node.as_ref()?);
        let layer = self.blame?.layers.iter().find(|layer| layer.name == *below.up.name())?;
        let received = &layer.units.get(from)?.received;
        received.iter().find(|part| part.from == to && part.layer == *here.up.name()).map(|part| part.term)
    }

    fn column(&self, at: usize, trace: &Trace, svg: &mut Svg) {
        let (column, x, n) = (&self.columns[at], self.x(at), self.drawing.example);
        let (name, what) = match &column.node {
            None => ("inputs".to_owned(), format!("{}", column.units())),
            Some(node) => (node.up.name().to_string(), node.short()),
        };
        let room = svg.room(x).min(self.wide + self.gap);
        svg.text((x, MARGIN.1 - 34.0), Set::Middle, "", &shortened(&name, room));
        svg.text((x, MARGIN.1 - 18.0), Set::Middle, "soft small", &what);
        let top = column.node.as_ref().is_some_and(|node| node.above.is_none() && at + 1 == self.columns.len());
        for unit in 0..column.drawn() {
            let y = self.y(at, unit);
            svg.rect((x - self.wide / 2.0, y - BOX.1 / 2.0), (self.wide, BOX.1), "unit", 1.0);
            let (letter, value) = match (self.drawing.flow, &column.node) {
                (_, None) => ("x", Some(column.outputs.at(n, unit))),
                (Flow::Network, Some(_)) => (if top { "ŷ" } else { "h" }, Some(column.outputs.at(n, unit))),
                (Flow::Backward, Some(node)) => match node.blame() {
                    Some((letter, numbers)) => (letter, Some(numbers.at(n, unit))),
                    None => ("δ", None),
                },
            };
            let one = column.units() == 1;
            let name = if one { letter.to_owned() } else { format!("{letter}{}", lowered(unit + 1)) };
            svg.text((x, y - 6.0), Set::Middle, "soft small", &name);
            if let Some(value) = value {
                svg.text((x, y + 13.0), Set::Middle, "", &self.drawing.digits.write(value).text());
            }
            if self.down >= DOWN {
                let mut below = y + BOX.1 / 2.0;
                for words in self.beside(column, unit) {
                    below += LINE;
                    svg.text((x, below), Set::Middle, "soft small", &words);
                }
                if let (true, Flow::Network, Some(loss)) = (top, self.drawing.flow, &trace.loss) {
                    let target = self.drawing.digits.write(loss.targets.at(n, unit)).text();
                    svg.text((x, below + LINE), Set::Middle, "soft small", &format!("target {target}"));
                }
            }
        }
        if column.drawn() < column.units() {
            let more = format!("… {} more", column.units() - column.drawn());
            svg.text((x, self.y(at, column.drawn()) + 4.0), Set::Middle, "soft", &more);
        }
    }

    /// The pre-activation and the bias, or the error, of a unit.
    fn beside(&self, column: &Column, unit: usize) -> Vec<String> {
        let (n, Some(node)) = (self.drawing.example, &column.node) else { return vec![] };
        let number = |value: f64| self.drawing.digits.write(value).text();
        match (self.drawing.flow, node.up) {
            (Flow::Network, LayerForward::Dense(layer)) => {
                let a = format!("a = {}", number(layer.pre_activations.at(n, unit)));
                let bias = layer.parameters.get(ParameterName::Bias);
                let bias = bias.map(|bias| format!("bias {}", number(bias.values()[unit])));
                [a].into_iter().chain(bias).collect()
            }
            (Flow::Backward, _) => {
                node.errors().map(|errors| format!("e = {}", number(errors.at(n, unit)))).into_iter().collect()
            }
            _ => vec![],
        }
    }

    /// The ways around residual blocks, above everything.
    fn around(&self, svg: &mut Svg) {
        for (at, column) in self.columns.iter().enumerate() {
            let Some(node) = column.node.as_ref().filter(|node| !node.up.inner().is_empty()) else { continue };
            let below = node.below.map_or(0, |below| below + 1);
            let Some(from) = self.columns.iter().position(|column| column.place == below) else { continue };
            let (left, right, top) = (self.x(from), self.x(at), MARGIN.1 - 54.0);
            let (near, far) = (MARGIN.1 - 50.0, MARGIN.1 - 50.0);
            svg.path(&[(left + 14.0, near), (left + 26.0, top), (right - 26.0, top), (right - 14.0, far)], "line", 1.5);
            let as_it_is = "around: each e as it is";
            let words = match (self.drawing.flow, node.up) {
                // Blocks beside or inside of each other leave less room.
                (Flow::Backward, LayerForward::Residual(block)) if block.parameters.is_none() && self.blocks() == 1 => {
                    as_it_is
                }
                _ => "around",
            };
            svg.text((f64::midpoint(left, right), top - 5.0), Set::Middle, "soft small", words);
        }
    }

    fn gap(&self, svg: &mut Svg) {
        let Some((behind, count)) = self.left_out else { return };
        let x = self.across(behind);
        let y = MARGIN.1 + self.down * of(self.most - 1) / 2.0 + BOX.1 / 2.0;
        svg.text((x, y - 6.0), Set::Middle, "soft", "…");
        svg.text((x, y + 14.0), Set::Middle, "soft", &format!("{} between", counted(count, "layer")));
    }
}

/// The width of a line without a number, by its part of the largest.
fn thin(share: f64) -> f64 {
    0.4 + 3.0 * share
}

/// ₁₂
fn lowered(number: usize) -> String {
    number.to_string().chars().filter_map(|digit| char::from_u32(0x2080 + digit.to_digit(10)?)).collect()
}
