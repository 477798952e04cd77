//! Formulas in LaTeX's language, which Markdown shares.

use std::fmt::Write as _;

use super::math::{Before, Equation, Math, Sub, Symbol};
use super::number::Written;

/// A formula.
pub(super) fn formula(math: &Math) -> String {
    let mut text = String::new();
    write(&mut text, math);
    text
}

/// An equation, one form under the other.
pub(super) fn equation(equation: &Equation) -> String {
    let left = formula(&equation.left);
    if let [(sign, form)] = &equation.forms[..] {
        return format!("{left} {} {}", operator(sign), formula(form));
    }
    let forms = equation.forms.iter().map(|(sign, form)| format!("&{} {}", operator(sign), formula(form)));
    format!("\\begin{{aligned}}\n{left} {}\n\\end{{aligned}}", forms.collect::<Vec<_>>().join(" \\\\\n"))
}

fn write(text: &mut String, math: &Math) {
    // Writing to a text cannot fail.
    let _ = match math {
        Math::Number(number) => write!(text, "{}", self::number(number)),
        Math::Whole(number) => write!(text, "{number}"),
        Math::Symbol(symbol) => write!(text, "{}", named(symbol)),
        Math::Operator(sign) => write!(text, " {} ", operator(sign)),
        Math::Row(pieces) => {
            for piece in pieces {
                self::write(text, piece);
            }
            Ok(())
        }
        Math::Fraction(top, bottom) => write!(text, "\\frac{{{}}}{{{}}}", formula(top), formula(bottom)),
        Math::Root(inner) => write!(text, "\\sqrt{{{}}}", formula(inner)),
        Math::Power(base, power) => write!(text, "{{{}}}^{{{}}}", formula(base), formula(power)),
        Math::Group(inner) => write!(text, "\\left({}\\right)", formula(inner)),
        Math::Sum(index, inner) => write!(text, "\\sum_{{{index}}} {}", formula(inner)),
        Math::Function(name, of) => write!(text, "{}\\left({}\\right)", function(name), formula(of)),
        Math::Dots => write!(text, "\\cdots"),
    };
}

fn operator(sign: &str) -> &str {
    match sign {
        "−" => "-",
        "·" => "\\cdot",
        "≈" => "\\approx",
        "←" => "\\leftarrow",
        "," => ",\\ ",
        other => other,
    }
}

fn function(name: &str) -> String {
    match name {
        "σ" | "σ′" => name.replace('σ', "\\sigma ").replace('′', "'"),
        "Φ" => "\\Phi ".into(),
        "exp" | "tanh" | "ln" | "max" => format!("\\{name} "),
        other => format!("\\operatorname{{{}}}", other.replace('_', "\\_").replace('′', "'")),
    }
}

fn letter(letter: &str) -> &str {
    match letter {
        "δ" => "\\delta",
        "η" => "\\eta",
        "λ" => "\\lambda",
        "μ" => "\\mu",
        "γ" => "\\gamma",
        "β" => "\\beta",
        "ε" => "\\varepsilon",
        "α" => "\\alpha",
        other => other,
    }
}

fn named(symbol: &Symbol) -> String {
    let mut text = letter(symbol.letter).to_owned();
    if symbol.hat {
        text = format!("\\hat{{{text}}}");
    }
    if symbol.prime {
        text.push('\'');
    }
    // Writing to a text cannot fail.
    let _ = match &symbol.sub {
        Sub::Nothing => Ok(()),
        Sub::Index(index) => write!(text, "_{{{index}}}"),
        Sub::Words(words) => write!(text, "_{{\\text{{{words}}}}}"),
    };
    if !symbol.layer.is_empty() {
        // A prime and a superscript cannot both be superscripts.
        text = if symbol.prime {
            format!("{{{text}}}^{{({})}}", symbol.layer)
        } else {
            format!("{text}^{{({})}}", symbol.layer)
        };
    }
    match symbol.before {
        Before::Nothing => text,
        Before::Change => format!("\\Delta {text}"),
        Before::Gradient => format!("\\frac{{\\partial E}}{{\\partial {text}}}"),
    }
}

/// A number.
pub(super) fn number(number: &Written) -> String {
    let sign = if number.negative { "-" } else { "" };
    match number.exponent {
        Some(power) => format!("{sign}{} \\cdot 10^{{{power}}}", number.digits),
        None => format!("{sign}{}", number.digits),
    }
}
