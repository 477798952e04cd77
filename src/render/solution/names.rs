//! What quantities are called: as in the tutorial where the network has its shape, else systematically by layer.

use super::nodes::Node;
use crate::engine::layer::LayerForward;
use crate::engine::layer::normalization::Statistics;
use crate::render::math::{Sub, Symbol};

/// The names of one network's quantities. Units are counted from 1 in names, and from 0 here.
pub struct Names {
    tutorial: bool,
    labels: Vec<String>,
    outputs: usize,
}

impl Names {
    pub(super) fn of(nodes: &[Node], outputs: usize) -> Self {
        let dense = |node: &Node| matches!(node.up, LayerForward::Dense(_));
        let tutorial = nodes.len() == 2 && nodes.iter().all(dense) && outputs == 1;
        Self { tutorial, labels: nodes.iter().map(|node| node.label.clone()).collect(), outputs }
    }

    /// Whether the network has the tutorial's shape: one hidden layer and one output.
    pub fn is_tutorial(&self) -> bool {
        self.tutorial
    }

    fn is_top(&self, node: usize) -> bool {
        node + 1 == self.labels.len()
    }

    fn layered(&self, letter: &'static str, node: usize, sub: String) -> Symbol {
        Symbol { letter, sub: Sub::Index(sub), layer: self.labels[node].clone(), ..Symbol::default() }
    }

    /// A letter of the tutorial below and of the layer beyond it.
    fn of_unit(&self, letters: (&'static str, &'static str), node: usize, unit: &Index) -> Symbol {
        let (hidden, output) = letters;
        match (self.tutorial, node) {
            (true, 0) => Symbol::of(hidden).at(unit.text()),
            (true, _) => Symbol::of(output),
            (false, _) => self.layered(hidden, node, unit.text()),
        }
    }

    /// What a node puts out; `None` is the network's inputs.
    pub fn output(&self, node: Option<usize>, unit: &Index) -> Symbol {
        match node {
            None => Symbol::of("x").at(unit.text()),
            Some(node) if self.is_top(node) => self.prediction(unit),
            Some(_) if self.tutorial => Symbol::of("h").at(unit.text()),
            Some(node) => self.layered("h", node, unit.text()),
        }
    }

    /// ŷ
    pub fn prediction(&self, unit: &Index) -> Symbol {
        let hat = Symbol { hat: true, ..Symbol::of("y") };
        if self.outputs == 1 { hat } else { hat.at(unit.text()) }
    }

    /// y
    pub fn target(&self, unit: &Index) -> Symbol {
        if self.outputs == 1 { Symbol::of("y") } else { Symbol::of("y").at(unit.text()) }
    }

    /// a
    pub fn pre_activation(&self, node: usize, unit: &Index) -> Symbol {
        self.of_unit(("a", "b"), node, unit)
    }

    /// A quantity of a unit that the tutorial has no letter for.
    pub fn quantity(&self, letter: &'static str, node: usize, unit: &Index) -> Symbol {
        self.layered(letter, node, unit.text())
    }

    /// A mean or a variance: one of each unit over the batch, or one of all units of an example.
    pub fn statistic(&self, letter: &'static str, node: usize, unit: &Index, statistics: Option<Statistics>) -> Symbol {
        match statistics {
            Some(_) => self.quantity(letter, node, unit),
            None => Symbol { layer: self.labels[node].clone(), ..Symbol::of(letter) },
        }
    }

    /// w, from a unit below to one of the node.
    pub fn weight(&self, node: usize, from: &Index, to: &Index) -> Symbol {
        match (self.tutorial, node) {
            (true, 1) => Symbol::of("v").at(from.text()),
            (true, _) => Symbol::of("w").at(pair(from, to)),
            (false, _) => self.layered("w", node, pair(from, to)),
        }
    }

    /// The bias.
    pub fn bias(&self, node: usize, unit: &Index) -> Symbol {
        self.of_unit(("c", "d"), node, unit)
    }

    /// −∂E/∂a
    pub fn delta(&self, node: usize, unit: &Index) -> Symbol {
        self.blame("δ", node, unit)
    }

    /// −∂E/∂h
    pub fn error(&self, node: usize, unit: &Index) -> Symbol {
        self.blame("e", node, unit)
    }

    fn blame(&self, letter: &'static str, node: usize, unit: &Index) -> Symbol {
        match (self.tutorial, node) {
            (true, 0) => Symbol::of(letter).at(unit.text()),
            (true, _) => Symbol::of(letter).that_is("out"),
            (false, _) => self.layered(letter, node, unit.text()),
        }
    }
}

/// The index of a unit: a number, or a letter that stands for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// Counted from 0
    Unit(usize),
    /// i, j or k
    Any(&'static str),
}

impl Index {
    fn text(&self) -> String {
        match self {
            Self::Unit(unit) => (unit + 1).to_string(),
            Self::Any(letter) => (*letter).to_owned(),
        }
    }
}

fn pair(from: &Index, to: &Index) -> String {
    let (from, to) = (from.text(), to.text());
    if from.len() == 1 && to.len() == 1 { from + &to } else { format!("{from},{to}") }
}
