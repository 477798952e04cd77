//! What differs: between two states of a network, and between what is and what would be.

use super::{ROWS, document, number, number_if, place, say_if_cut, whole};
use crate::engine::tensor::WireName as _;
use crate::insight::diff::LayerDiff;
use crate::insight::difference::Difference;
use crate::insight::what_if::Override;
use crate::render::document::{Cell, Document, Section, code, counted_doing, text};
use crate::render::number::Digits;

/// One side of a comparison.
pub struct Side {
    /// The session
    pub session: String,
    /// Its step
    pub step: u64,
    /// The hash of its state
    pub state: String,
}

/// Two states of networks with the same layers.
pub fn diff(sides: &[Side; 2], same: bool, layers: &[LayerDiff], digits: Digits) -> Document {
    let mut first = Section::new(2, "What is compared");
    let rows = sides
        .iter()
        .zip(["this", "with"])
        .map(|(side, name)| (name.to_owned(), vec![whole(&side.session), whole(side.step), whole(&side.state)]));
    first.table(&["side", "session", "step", "state"], rows.collect());
    first.say(vec![text(if same {
        "Both are the same to the bit."
    } else {
        "Below stands what is to be added to this side's parameters to get the other side's."
    })]);
    let mut sections = vec![first];
    for layer in layers {
        of_layer(layer, digits, &mut sections);
    }
    document("What differs", sections)
}

fn of_layer(layer: &LayerDiff, digits: Digits, sections: &mut Vec<Section>) {
    let mut section = Section::new(2, format!("Layer {}", layer.name));
    match layer.norm {
        Some(norm) => section.say(vec![text(format!("√(Σ Δ²) is {}.", digits.write(norm).text()))]),
        None => section.say(vec![text("√(Σ Δ²) passes the largest double.")]),
    }
    let all: usize = layer.parameters.iter().map(|(_, tensor)| tensor.values().len()).sum();
    let rows = layer.parameters.iter().flat_map(|(parameter, tensor)| {
        let name = parameter.as_str();
        tensor
            .values()
            .iter()
            .enumerate()
            .map(move |(at, change)| (place(name, &tensor.index(at)), vec![number(digits, *change)]))
    });
    section.table(&["parameter", "Δ"], rows.take(ROWS).collect());
    say_if_cut(&mut section, all.min(ROWS), all, "the first ones");
    sections.push(section);
    for inner in &layer.layers {
        of_layer(inner, digits, sections);
    }
}

/// What comes out otherwise with some numbers set to others.
pub fn what_if(asked: &[Override], differences: &[Difference], digits: Digits) -> Document {
    let mut first = Section::new(2, "What would be otherwise");
    for wanted in asked {
        first.say(match wanted {
            Override::Number { at, set } => vec![code(at), text(format!(" is {}.", digits.write(*set).text()))],
            Override::Ablate { layer, unit } => {
                vec![text(format!("Unit {} of ", unit + 1)), code(layer), text(" puts out 0.")]
            }
        });
    }
    let mut section = Section::new(2, "What comes of it");
    section.say(vec![text(if differences.is_empty() {
        "Nothing else changes.".to_owned()
    } else {
        format!(
            "{} out otherwise, in the order of computation.",
            counted_doing(differences.len(), "number", ("comes", "come"))
        )
    })]);
    let rows = differences.iter().take(ROWS).map(|difference| {
        let cells: Vec<Cell> = vec![number_if(digits, difference.was), number_if(digits, difference.is)];
        (difference.pointer.clone(), cells)
    });
    section.table(&["number", "was", "would be"], rows.collect());
    say_if_cut(&mut section, differences.len().min(ROWS), differences.len(), "the first ones");
    document("What if", vec![first, section])
}
