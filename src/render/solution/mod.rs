//! The worked solution of a trace: the sections of a textbook's, each formula once in symbols and once with this
//! network's numbers put in.
//!
//! A large network is not dumped: of a layer with many units one is shown, of a batch one example, and it is said which
//! and how to ask for another.

mod backward;
mod forward;
mod names;
pub(super) mod nodes;
mod optimizer;
mod update;

use super::document::{Block, Document, Section, code, counted_doing, math, text};
use super::math::Math;
use super::number::{Digits, Written};
use crate::engine::name::LayerName;
use crate::engine::trace::Trace;
use names::Names;
use nodes::{Node, nodes};

/// What is to be shown, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Significant digits
    pub digits: Digits,
    /// The unit of a layer that has too many to be all shown, counted from 0
    pub unit: usize,
    /// The example of the batch, counted from 0
    pub example: usize,
    /// The layer of a deep network that is shown, too
    pub layer: Option<LayerName>,
    /// Who tells it
    pub voice: Voice,
}

/// How the numbers are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voice {
    /// As a textbook does
    #[default]
    Textbook,
    /// As a production line: a worker a layer, and an inspector who finds the defect
    Factory,
}

/// Units of a layer, or weights of a unit, that are all shown.
const ALL_SHOWN: usize = 3;
/// Layers of a network that are all shown, and of a deeper one how many at each end.
const ALL_LAYERS: usize = 10;
const END_LAYERS: usize = 2;

/// What a solution is made of.
struct Sheet<'t> {
    trace: &'t Trace,
    nodes: Vec<Node<'t>>,
    names: Names,
    options: Options,
    example: usize,
}

/// The solution of a trace, as far as it goes.
pub fn solution(trace: &Trace, options: Options) -> Document {
    let nodes = nodes(trace);
    let names = Names::of(&nodes, trace.forward.outputs.columns());
    let example = options.example.min(trace.forward.inputs.rows() - 1);
    let title = match options.voice {
        Voice::Textbook => "A worked solution".into(),
        Voice::Factory => "A day on the production line".into(),
    };
    let sheet = Sheet { trace, nodes, names, options, example };
    let mut sections = vec![sheet.network()];
    sections.extend(sheet.forward());
    sections.extend(sheet.loss());
    sections.extend(sheet.backward());
    sections.extend(sheet.update());
    Document { title, sections }
}

impl Sheet<'_> {
    fn number(&self, value: f64) -> Written {
        self.options.digits.write(value)
    }

    fn value(&self, value: f64) -> Math {
        Math::Number(self.number(value))
    }

    fn tells(&self, textbook: &str, factory: &str) -> String {
        match self.options.voice {
            Voice::Textbook => textbook.to_owned(),
            Voice::Factory => factory.to_owned(),
        }
    }

    fn rows(&self) -> usize {
        self.trace.forward.inputs.rows()
    }

    /// Those of so many units that are shown.
    fn shown(&self, units: usize) -> Vec<usize> {
        if units <= ALL_SHOWN { (0..units).collect() } else { vec![self.options.unit.min(units - 1)] }
    }

    /// Whether a layer is shown: of a deep network the ends are, and the one that was asked for.
    fn shows(&self, at: usize) -> bool {
        let all = self.nodes.len();
        let asked = || self.options.layer.as_ref() == Some(self.nodes[at].up.name());
        all <= ALL_LAYERS || at < END_LAYERS || at + END_LAYERS >= all || asked()
    }

    /// Which layers are not shown, and how to see one.
    fn left_out(&self) -> Option<Block> {
        let hidden: Vec<usize> = (0..self.nodes.len()).filter(|&at| !self.shows(at)).collect();
        let label = |at: &usize| &self.nodes[*at].label;
        let (first, last) = (label(hidden.first()?), label(hidden.last()?));
        let asked = (0..self.nodes.len()).find(|at| self.shows(*at) && hidden[0] < *at && hidden.contains(&(at + 1)));
        let but = asked.map(|at| format!(" but for layer {}", self.nodes[at].label)).unwrap_or_default();
        Some(Block::Paragraph(vec![
            text(format!("Layers {first} to {last} are left out{but}; layer=")),
            code(self.nodes[hidden[hidden.len() / 2]].up.name()),
            text(" in the query, or another name, shows one of them."),
        ]))
    }

    /// Which unit of many is shown.
    fn which(&self, units: usize, section: &mut Section) {
        if units > ALL_SHOWN {
            let unit = self.shown(units)[0];
            section.say(vec![text(format!(
                "Unit {} of {units} is shown; unit=1 to unit={units} in the query show another.",
                unit + 1
            ))]);
        }
    }

    fn network(&self) -> Section {
        let mut section = Section::new(2, self.tells("The network", "The factory"));
        let inputs = self.trace.forward.inputs.columns();
        section.say(vec![text(self.tells(
            &counted_doing(inputs, "number", ("goes in at the bottom.", "go in at the bottom.")),
            &counted_doing(inputs, "kind", ("of raw material comes in.", "of raw material come in.")),
        ))]);
        section.blocks.extend(self.left_out());
        for (at, node) in self.nodes.iter().enumerate().filter(|(at, _)| self.shows(*at)) {
            let worker = match self.options.voice {
                Voice::Textbook => String::new(),
                Voice::Factory => format!("{}: ", worker(at)),
            };
            section.say(vec![
                text(format!("{worker}layer {}, ", node.label)),
                code(node.up.name()),
                text(format!(": {}", node.described())),
            ]);
        }
        if self.names.is_tutorial() {
            section.say(vec![
                text("Weights into the hidden units are called "),
                math(super::math::Symbol::of("w").at("ij")),
                text(" and those into the output "),
                math(super::math::Symbol::of("v").at("i")),
                text("; pre-activations "),
                math(super::math::Symbol::of("a").at("j")),
                text(" and "),
                math(super::math::Symbol::of("b")),
                text(", hidden outputs "),
                math(super::math::Symbol::of("h").at("j")),
                text("."),
            ]);
        }
        if self.rows() > 1 {
            section.say(vec![text(format!(
                "The batch has {} examples. Example {} is shown; example=1 to example={} in the query show another.",
                self.rows(),
                self.example + 1,
                self.rows()
            ))]);
        }
        section
    }
}

/// Worker A, B, C … from below.
fn worker(at: usize) -> String {
    match char::from_digit(u32::try_from(at).unwrap_or(99) + 10, 36).filter(|_| at < 26) {
        Some(letter) => format!("Worker {}", letter.to_ascii_uppercase()),
        None => format!("Worker {}", at + 1),
    }
}
