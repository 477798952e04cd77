//! Formulas in MathML Core, which browsers draw by themselves.

use super::math::{Before, Equation, Math, Sub, Symbol};
use super::number::Written;

/// An equation as a block: its forms one under the other.
pub(super) fn equation(equation: &Equation) -> String {
    let left = row(&equation.left);
    let rows = equation.forms.iter().enumerate().map(|(at, (sign, form))| {
        let left = if at == 0 { left.as_str() } else { "" };
        format!("<mtr><mtd>{left}</mtd><mtd><mo>{sign}</mo></mtd><mtd>{}</mtd></mtr>", row(form))
    });
    format!("<math display=\"block\"><mtable displaystyle=\"true\">{}</mtable></math>", rows.collect::<String>())
}

/// A formula inside a sentence.
pub(super) fn inline(math: &Math) -> String {
    format!("<math>{}</math>", row(math))
}

/// A number inside of a table.
pub(super) fn number(number: &Written) -> String {
    format!("<math><mrow>{}</mrow></math>", digits(number))
}

fn row(math: &Math) -> String {
    format!("<mrow>{}</mrow>", piece(math))
}

fn piece(math: &Math) -> String {
    match math {
        Math::Number(number) => digits(number),
        Math::Whole(number) => format!("<mn>{number}</mn>"),
        Math::Symbol(symbol) => named(symbol),
        Math::Operator(sign) => format!("<mo>{sign}</mo>"),
        Math::Row(pieces) => pieces.iter().map(piece).collect(),
        Math::Fraction(top, bottom) => format!("<mfrac>{}{}</mfrac>", row(top), row(bottom)),
        Math::Root(inner) => format!("<msqrt>{}</msqrt>", row(inner)),
        Math::Power(base, power) => format!("<msup>{}{}</msup>", row(base), row(power)),
        Math::Group(inner) => format!("<mo stretchy=\"false\">(</mo>{}<mo stretchy=\"false\">)</mo>", piece(inner)),
        Math::Sum(index, inner) => format!("<munder><mo>∑</mo><mi>{index}</mi></munder>{}", piece(inner)),
        Math::Function(name, of) => {
            format!("<mi>{name}</mi><mo stretchy=\"false\">(</mo>{}<mo stretchy=\"false\">)</mo>", piece(of))
        }
        Math::Dots => "<mo>⋯</mo>".into(),
    }
}

fn named(symbol: &Symbol) -> String {
    let mut text = format!("<mi>{}</mi>", symbol.letter);
    if symbol.hat {
        text = format!("<mover>{text}<mo>^</mo></mover>");
    }
    if symbol.prime {
        // Fonts have raised the prime already: as a superscript it would be raised twice, and float.
        text = format!("<mrow>{text}<mo>′</mo></mrow>");
    }
    let layer = format!("<mrow><mo>(</mo><mn>{}</mn><mo>)</mo></mrow>", symbol.layer);
    text = match (below(&symbol.sub), symbol.layer.is_empty()) {
        (Some(sub), true) => format!("<msub>{text}{sub}</msub>"),
        (None, false) => format!("<msup>{text}{layer}</msup>"),
        (Some(sub), false) => format!("<msubsup>{text}{sub}{layer}</msubsup>"),
        (None, true) => text,
    };
    match symbol.before {
        Before::Nothing => text,
        Before::Change => format!("<mi mathvariant=\"normal\">Δ</mi>{text}"),
        Before::Gradient => {
            format!("<mfrac><mrow><mo>∂</mo><mi>E</mi></mrow><mrow><mo>∂</mo>{text}</mrow></mfrac>")
        }
    }
}

/// What stands below a letter, as one element: of an index each letter stands for any number, as a letter alone does.
fn below(sub: &Sub) -> Option<String> {
    let index = match sub {
        Sub::Nothing => return None,
        Sub::Words(words) => return Some(format!("<mtext>{words}</mtext>")),
        Sub::Index(index) => index,
    };
    if index.chars().any(char::is_alphabetic) {
        let letters: Vec<_> = index.chars().map(|letter| format!("<mi>{letter}</mi>")).collect();
        let row = letters.concat();
        return Some(if letters.len() == 1 { row } else { format!("<mrow>{row}</mrow>") });
    }
    Some(format!("<mn>{index}</mn>"))
}

fn digits(number: &Written) -> String {
    let sign = if number.negative { "<mo form=\"prefix\">−</mo>" } else { "" };
    match number.exponent {
        Some(power) => {
            let below = if power < 0 { "<mo>−</mo>" } else { "" };
            let power = format!("<mrow>{below}<mn>{}</mn></mrow>", power.unsigned_abs());
            format!("{sign}<mn>{}</mn><mo>·</mo><msup><mn>10</mn>{power}</msup>", number.digits)
        }
        None => format!("{sign}<mn>{}</mn>", number.digits),
    }
}
