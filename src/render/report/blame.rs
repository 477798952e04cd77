//! How the error of one example was shared.

use super::{ROWS, document, number, number_if, say_if_cut};
use crate::insight::blame::{Blame, LayerBlame, UnitBlame};
use crate::render::document::{Cell, Document, Section, code, text};
use crate::render::math::{Equation, Math, Symbol};
use crate::render::number::Digits;

/// Units of a layer whose parts are shown.
const UNITS: usize = 4;

/// What each unit received, from the outputs down.
pub fn blame(blame: &Blame, digits: Digits) -> Document {
    let mut first = Section::new(2, "How to read it");
    first.say(vec![text(format!(
        "Example {}. A unit receives from each unit above that unit's delta times the weight between the two. What it \
         receives adds up to its error; its local slope makes the delta of it.",
        blame.example + 1
    ))]);
    let mut sections = vec![first];
    for layer in &blame.layers {
        of_layer(layer, digits, &mut sections);
    }
    document("Who is to blame", sections)
}

fn of_layer(layer: &LayerBlame, digits: Digits, sections: &mut Vec<Section>) {
    let mut section = Section::new(2, format!("Layer {}", layer.name));
    let rows = layer.units.iter().take(ROWS).map(|unit| {
        let cells = vec![
            number(digits, unit.error),
            number(digits, unit.error_share),
            number_if(digits, unit.slope),
            number(digits, unit.delta),
            number(digits, unit.delta_share),
        ];
        (format!("unit {}", unit.unit + 1), cells)
    });
    section.table(&["", "error", "its share", "slope", "δ", "its share of δ"], rows.collect());
    say_if_cut(&mut section, layer.units.len().min(ROWS), layer.units.len(), "the first ones");
    sections.push(section);
    let below_others = layer.units.iter().filter(|unit| !unit.received.is_empty());
    for unit in below_others.take(UNITS) {
        sections.push(of_unit(unit, digits));
    }
}

fn of_unit(unit: &UnitBlame, digits: Digits) -> Section {
    let mut section = Section::new(3, format!("What unit {} received", unit.unit + 1));
    let received = &unit.received;
    let rows = received.iter().take(ROWS).map(|part| {
        let from = format!("{}, unit {}", part.layer, part.from + 1);
        let cells = [part.delta, part.weight, part.term, part.share].map(|value| number(digits, value));
        (from, cells.to_vec())
    });
    section.table(
        &["from", "δ", "weight", "δ · weight", "share of what it passes down"],
        rows.collect::<Vec<(String, Vec<Cell>)>>(),
    );
    say_if_cut(&mut section, received.len().min(ROWS), received.len(), "the first ones");
    let product = |at: usize| {
        let part = &received[at];
        let value = |value: f64| Math::Number(digits.write(value)).grouped();
        value(part.delta).times(value(part.weight))
    };
    let error = Symbol::of("e").at((unit.unit + 1).to_string());
    section.equation(Equation::of(error).is(Math::sum_of(received.len(), product)).comes_to(digits.write(unit.error)));
    if let Some(part) = received.first().filter(|_| received.len() == 1) {
        section.say(vec![text("Nothing else comes down to it but from "), code(&part.layer), text(".")]);
    }
    section
}
