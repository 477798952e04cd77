//! The chain rule for one weight.

use super::{document, number, place, whole};
use crate::engine::tensor::WireName as _;
use crate::insight::chain::{Chain, ChainRequest, Path};
use crate::render::document::{Cell, Document, Section, code, text};
use crate::render::math::{Equation, Math, Symbol};
use crate::render::number::Digits;

/// Factors of a path that are written as one product.
const PRODUCT: usize = 12;

/// What was found for the weight that was asked about.
pub fn chain(chain: &Chain, asked: &ChainRequest, digits: Digits) -> Document {
    let weight = place(format_args!("{} {}", asked.layer, asked.parameter.as_str()), &asked.index);
    let value = |value: f64| digits.write(value);
    let mut first = Section::new(2, "The gradient");
    first.say(vec![
        text("How the loss changes with "),
        code(&weight),
        text(format!(", for example {}:", asked.example + 1)),
    ]);
    let gradient = || Symbol::of("w").gradient();
    first.equation(Equation::of(gradient()).comes_to(value(chain.gradient)));
    first.say(vec![text("And of the batch's mean loss:")]);
    first.equation(Equation::of(gradient()).comes_to(value(chain.batch_gradient)));
    let (paths, sum) = (&chain.paths, value(chain.paths.sum));
    let ways = if paths.count.is_one() { "1 path leads".into() } else { format!("{} paths lead", paths.count) };
    first.say(vec![text(format!(
        "{ways} from the loss down to the weight; each contributes the product of its factors. All of them together come \
         to {}.",
        sum.text()
    ))]);
    let mut sections = vec![first];
    for (at, path) in paths.heaviest.iter().enumerate() {
        sections.push(of_path(at, path, digits));
    }
    let mut letters = Section::new(2, "The letters");
    letters.say(vec![text(
        "ŷ is an output and y its target, K the number of outputs; a is what enters an activation and h what leaves it; \
         w is a weight, x what comes to it from below; x̂ is normalized and γ the factor that follows; N is the number \
         of examples; [k = j] is 1 where both are the same, and 0 elsewhere.",
    )]);
    sections.push(letters);
    document(format!("The chain rule for {weight}"), sections)
}

fn of_path(at: usize, path: &Path, digits: Digits) -> Section {
    let mut section = Section::new(2, format!("Path {}", at + 1));
    let share = digits.write(path.share).text();
    section.say(vec![text(format!("A part of {share} of all that comes down, by absolute value."))]);
    let rows = path.factors.iter().map(|factor| {
        let unit = match (&factor.layer, factor.unit, factor.example) {
            (Some(layer), Some(unit), Some(example)) => {
                Cell::Words(format!("{layer}, unit {}, example {}", unit + 1, example + 1))
            }
            (Some(layer), Some(unit), None) => Cell::Words(format!("{layer}, unit {}", unit + 1)),
            (Some(layer), ..) => whole(layer),
            _ => Cell::Nothing,
        };
        let formula = Cell::Words(factor.formula.to_owned());
        (factor.name.clone(), vec![unit, formula, number(digits, factor.value), number(digits, factor.running)])
    });
    section.table(&["factor", "where", "formula", "value", "product so far"], rows.collect());
    if path.factors.len() <= PRODUCT {
        let factors = path.factors.iter().map(|factor| Math::Number(digits.write(factor.value)).grouped());
        if let Some(product) = factors.reduce(Math::times) {
            let name = Symbol::of("p").at((at + 1).to_string());
            section.equation(Equation::of(name).is(product).comes_to(digits.write(path.value)));
        }
    }
    match path.log10 {
        Some(power) if path.value == 0.0 => section.say(vec![text(format!(
            "That is below every double: its decimal logarithm is {}.",
            digits.write(power).text()
        ))]),
        _ => {}
    }
    section
}
