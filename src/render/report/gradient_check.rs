//! Gradients beside the slopes of the loss.

use super::{ROWS, document, number, place, say_if_cut};
use crate::engine::tensor::WireName as _;
use crate::insight::gradient_check::{Checked, GradientCheck};
use crate::render::document::{Cell, Document, Section, counted, math, text};
use crate::render::math::{Equation, Math, Symbol};
use crate::render::number::Digits;

/// What was checked, the worst first.
pub fn gradient_check(check: &GradientCheck, digits: Digits) -> Document {
    let mut section = Section::new(2, "Every gradient, computed twice");
    let were = if check.checked == 1 { "was" } else { "were" };
    section.say(vec![
        text("By the chain rule, and as the slope of the loss itself, "),
        math(slope()),
        text(format!(". {} of {} {were} checked.", counted(check.checked, "parameter"), check.of)),
    ]);
    section.say(vec![text(match check.max_relative_error {
        Some(error) => format!("The largest relative error is {}.", digits.write(error).text()),
        None => "None of them can be told right from wrong this way.".to_owned(),
    })]);
    if check.unresolved > 0 {
        section.say(vec![text(format!(
            "Of {} the gradient is too small for a difference of losses to show six of its digits, and does not count.",
            counted(check.unresolved, "parameter")
        ))]);
    }
    let counts = |checked: &Checked| checked.resolved && !checked.kink;
    let mut worst: Vec<&Checked> = check.parameters.iter().collect();
    worst.sort_by(|a, b| counts(b).cmp(&counts(a)).then(b.relative_error.total_cmp(&a.relative_error)));
    let rows = worst.iter().take(ROWS).map(|checked| {
        let numbers = [checked.analytic, checked.numeric, checked.relative_error, checked.step];
        let mut cells = numbers.map(|value| number(digits, value)).to_vec();
        cells.push(Cell::Words(
            match (checked.kink, checked.resolved) {
                (true, _) => "a kink is near",
                (false, false) => "too small to tell",
                (false, true) => "",
            }
            .into(),
        ));
        (place(format_args!("{} {}", checked.layer, checked.parameter.as_str()), &checked.index), cells)
    });
    section.table(&["parameter", "chain rule", "slope", "relative error", "h", ""], rows.collect());
    say_if_cut(&mut section, worst.len().min(ROWS), worst.len(), "the worst ones");
    document("Gradient check", vec![section])
}

/// (E(w + h) − E(w − h)) / 2h
fn slope() -> Math {
    let symbol = |letter| Math::from(Symbol::of(letter));
    let loss = |around: Math| Math::row([symbol("E"), Math::Group(Box::new(around))]);
    let above = loss(symbol("w").plus(symbol("h")));
    let below = loss(symbol("w").minus(symbol("h")));
    let distance = Math::row([Math::Whole(2), symbol("h")]);
    Equation::of(above.minus(below).over(distance)).row()
}
