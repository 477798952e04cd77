//! Formulas as values: what LaTeX and MathML are written from.

use super::number::Written;

/// A piece of a formula.
#[derive(Clone, Debug, PartialEq)]
pub enum Math {
    /// A number of the trace
    Number(Written),
    /// A whole number that belongs to the formula, as the 2 in h²
    Whole(u32),
    /// A named quantity
    Symbol(Symbol),
    /// Between two pieces: + − · = ≈
    Operator(&'static str),
    /// One piece after the other
    Row(Vec<Math>),
    /// (top)/(bottom)
    Fraction(Box<Math>, Box<Math>),
    /// √
    Root(Box<Math>),
    /// Something to a power
    Power(Box<Math>, Box<Math>),
    /// In parentheses
    Group(Box<Math>),
    /// Σ over an index
    Sum(&'static str, Box<Math>),
    /// A function of something
    Function(&'static str, Box<Math>),
    /// Terms that are left out
    Dots,
}

/// A named quantity: a letter and what stands around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Symbol {
    /// One letter, Latin or Greek
    pub letter: &'static str,
    /// What stands before it: Δ or ∂E/∂
    pub before: Before,
    /// Below on the right
    pub sub: Sub,
    /// Above on the right, in parentheses: the layer
    pub layer: String,
    /// ŷ
    pub hat: bool,
    /// w′: after the step
    pub prime: bool,
}

/// What stands below a letter on its right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sub {
    /// Nothing
    #[default]
    Nothing,
    /// Which one of many: numbers, or letters that stand for any
    Index(String),
    /// Words, set as words
    Words(&'static str),
}

/// What stands before a letter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Before {
    /// Nothing
    #[default]
    Nothing,
    /// Δ: a change
    Change,
    /// ∂E/∂: a gradient
    Gradient,
}

/// Something that is equal to one form after the other, the last of which is its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Equation {
    /// What it is about
    pub left: Math,
    /// Each with the sign before it, = or ≈
    pub forms: Vec<(&'static str, Math)>,
}

impl Symbol {
    /// A letter alone.
    pub fn of(letter: &'static str) -> Self {
        Self { letter, ..Self::default() }
    }

    /// The same with an index.
    #[must_use]
    pub fn at(self, index: impl Into<String>) -> Self {
        Self { sub: Sub::Index(index.into()), ..self }
    }

    /// The same that some words tell from others.
    #[must_use]
    pub fn that_is(self, words: &'static str) -> Self {
        Self { sub: Sub::Words(words), ..self }
    }

    /// Its change.
    #[must_use]
    pub fn change(self) -> Self {
        Self { before: Before::Change, ..self }
    }

    /// Its gradient.
    #[must_use]
    pub fn gradient(self) -> Self {
        Self { before: Before::Gradient, ..self }
    }

    /// What it is after the step.
    #[must_use]
    pub fn after(self) -> Self {
        Self { prime: true, ..self }
    }
}

impl From<Symbol> for Math {
    fn from(symbol: Symbol) -> Self {
        Self::Symbol(symbol)
    }
}

impl Math {
    /// Pieces in a row.
    pub fn row(pieces: impl IntoIterator<Item = Math>) -> Self {
        Self::Row(pieces.into_iter().collect())
    }

    /// a·b
    #[must_use]
    pub fn times(self, other: impl Into<Math>) -> Self {
        Self::row([self, Self::Operator("·"), other.into()])
    }

    /// a + b
    #[must_use]
    pub fn plus(self, other: impl Into<Math>) -> Self {
        Self::row([self, Self::Operator("+"), other.into()])
    }

    /// a − b
    #[must_use]
    pub fn minus(self, other: impl Into<Math>) -> Self {
        Self::row([self, Self::Operator("−"), other.into()])
    }

    /// a/b
    #[must_use]
    pub fn over(self, other: impl Into<Math>) -> Self {
        Self::Fraction(Box::new(self), Box::new(other.into()))
    }

    /// a²
    #[must_use]
    pub fn squared(self) -> Self {
        Self::Power(Box::new(self), Box::new(Self::Whole(2)))
    }

    /// −a
    #[must_use]
    pub fn negated(self) -> Self {
        Self::row([Self::Operator("−"), self])
    }

    /// In parentheses, where it would be read wrongly without: a number below zero, a row.
    #[must_use]
    pub fn grouped(self) -> Self {
        match self {
            Self::Row(_) | Self::Number(Written { negative: true, .. }) => Self::Group(Box::new(self)),
            plain => plain,
        }
    }

    /// Terms joined by +; of many only the first ones and the last one.
    pub fn sum_of(count: usize, term: impl Fn(usize) -> Math) -> Self {
        let mut pieces = vec![];
        let shown = shown_terms(count);
        for (place, at) in shown.iter().enumerate() {
            if place > 0 {
                pieces.push(Self::Operator("+"));
            }
            match at {
                Some(at) => pieces.push(term(*at)),
                None => pieces.push(Self::Dots),
            }
        }
        if pieces.len() == 1 { pieces.remove(0) } else { Self::Row(pieces) }
    }
}

/// Terms of a sum that are shown whole.
pub const TERMS: usize = 6;

/// Which terms of a sum are shown; nothing where some are left out.
fn shown_terms(count: usize) -> Vec<Option<usize>> {
    if count <= TERMS {
        return (0..count).map(Some).collect();
    }
    vec![Some(0), Some(1), None, Some(count - 1)]
}

impl Equation {
    /// One side of it.
    pub fn of(left: impl Into<Math>) -> Self {
        Self { left: left.into(), forms: vec![] }
    }

    /// Equal to that.
    #[must_use]
    pub fn is(mut self, form: impl Into<Math>) -> Self {
        self.forms.push(("=", form.into()));
        self
    }

    /// As one formula, in a row.
    pub fn row(self) -> Math {
        let forms = self.forms.into_iter().flat_map(|(sign, form)| [Math::Operator(sign), form]);
        Math::row([self.left].into_iter().chain(forms))
    }

    /// Equal to a number, or to one that was rounded. Where that number stands there already it is not said again.
    #[must_use]
    pub fn comes_to(mut self, number: Written) -> Self {
        let sign = if number.exact { "=" } else { "≈" };
        if let Some((before, Math::Number(last))) = self.forms.last_mut()
            && *last == number
        {
            *before = sign;
            return self;
        }
        self.forms.push((sign, Math::Number(number)));
        self
    }
}
