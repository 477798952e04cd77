//! The search for the heaviest paths, and the sum over all of them: from each number to those below it.

use super::graph::{Edge, Graph, Node};
use super::wide::Wide;
use super::{Factor, Last, Path};
use crate::insight::range::{OutOfRange, finite, has_faded};

/// What is known of one number: all paths from the loss down to it.
#[derive(Clone, Default)]
pub(super) struct Known {
    pub sum: f64,
    /// Whether the sum is 0, or has lost digits, only because a double holds nothing smaller
    pub faded: bool,
    pub absolute: Wide,
    pub heaviest: Vec<Step>,
}

/// The last step of a path, and where it came from.
#[derive(Clone)]
pub(super) struct Step {
    /// The size of the product up to here, for the ranking
    size: Wide,
    factor: f64,
    upper: usize,
    edge: usize,
    node: Node,
    rank: usize,
}

/// All variables down to one, by dynamic programming: each number from those above it.
pub(super) struct Search<'g, 't> {
    graph: &'g Graph<'t>,
    crosses: bool,
    /// For each variable, for each example (those that matter), for each unit
    known: Vec<Vec<Vec<Known>>>,
}

impl<'g, 't> Search<'g, 't> {
    pub fn new(graph: &'g Graph<'t>, rows: &[usize], examples: usize, down_to: usize, top: usize) -> Self {
        let mut search = Self { graph, crosses: rows.len() > 1, known: Vec::with_capacity(down_to + 1) };
        for (at, variable) in graph.variables[..=down_to].iter().enumerate() {
            let mut known = vec![vec![]; examples];
            for &row in rows {
                let of = |unit| if at == 0 { start() } else { search.know(&variable.uppers, (row, unit), top) };
                known[row] = (0..variable.units).map(of).collect();
            }
            search.known.push(known);
        }
        search
    }

    pub fn at(&self, variable: usize, (row, unit): Node) -> &Known {
        &self.known[variable][row][unit]
    }

    fn know(&self, uppers: &[(usize, Edge<'t>)], node: Node, top: usize) -> Known {
        let mut known = Known::default();
        let mut sum: Option<f64> = None;
        for (edge_index, (upper, edge)) in uppers.iter().enumerate() {
            // A branch is summed up by itself before what goes around it is added, as the backward pass does.
            let mut part: Option<f64> = None;
            edge.factors(node, |above, factor| {
                let from = self.at(*upper, above);
                known.absolute = known.absolute.plus(from.absolute.times(factor));
                let term = from.sum * factor;
                known.faded |= (from.faded && factor != 0.0) || has_faded(term, from.sum, factor);
                part = Some(part.map_or(term, |part| part + term));
                for (rank, step) in from.heaviest.iter().enumerate() {
                    let size = step.size.times(factor);
                    known.heaviest.push(Step { size, factor, upper: *upper, edge: edge_index, node: above, rank });
                }
                if known.heaviest.len() > 4 * top + 16 {
                    keep(&mut known.heaviest, top);
                }
            });
            sum = part.map(|part| sum.map_or(part, |sum| sum + part)).or(sum);
        }
        keep(&mut known.heaviest, top);
        known.heaviest.shrink_to_fit();
        known.sum = sum.unwrap_or(0.0);
        // Beside larger terms what has faded is less than their rounding.
        known.faded &= known.sum.abs() < f64::MIN_POSITIVE;
        known
    }

    /// A path from the loss down to a node and into the parameter.
    pub fn path(
        &self,
        variable: usize,
        node: Node,
        rank: usize,
        last: &Last,
        absolute: Wide,
    ) -> Result<Path, OutOfRange> {
        let mut steps = vec![];
        let (mut at, mut place, mut index) = (variable, node, rank);
        while at != 0 {
            let step = &self.at(at, place).heaviest[index];
            steps.push((at, place, step));
            (at, place, index) = (step.upper, step.node, step.rank);
        }
        let mut running = 1.0;
        let mut factors = Vec::with_capacity(steps.len() + 1);
        for (number, (at, (row, unit), step)) in steps.into_iter().rev().enumerate() {
            running = if number == 0 { step.factor } else { running * step.factor };
            let (upper, lower) = (&self.graph.variables[step.upper], &self.graph.variables[at]);
            factors.push(Factor {
                name: format!("∂{}/∂{}", upper.symbol, lower.symbol),
                formula: lower.uppers[step.edge].1.formula(),
                value: step.factor,
                running,
                layer: lower.layer.clone(),
                unit: Some(unit),
                example: self.crosses.then_some(row),
            });
        }
        let entered = &self.graph.variables[variable];
        running *= last.value;
        factors.push(Factor {
            name: format!("∂{}/∂{}", entered.symbol, last.name),
            formula: last.formula,
            value: last.value,
            running,
            layer: entered.layer.clone(),
            unit: None,
            example: None,
        });
        for (at, factor) in factors.iter().enumerate() {
            let layer = factor.layer.as_ref().or(entered.layer.as_ref());
            if let Some(layer) = layer {
                finite(&format!("/paths/heaviest/{rank}/factors/{at}/running"), layer, "running", factor.running)?;
            }
        }
        let size = self.at(variable, node).heaviest[rank].size.times(last.value);
        Ok(Path { value: running, log10: size.log10(), share: size.part_of(absolute), factors })
    }
}

/// The loss itself: one path, nothing multiplied yet.
fn start() -> Known {
    let step = Step { size: Wide::new(1.0), factor: 1.0, upper: 0, edge: 0, node: (0, 0), rank: 0 };
    Known { sum: 1.0, faded: false, absolute: Wide::new(1.0), heaviest: vec![step] }
}

/// The heaviest ones, the earlier first among equals.
fn keep(steps: &mut Vec<Step>, top: usize) {
    steps.sort_by(|a, b| b.size.total_cmp(&a.size));
    steps.truncate(top);
}
