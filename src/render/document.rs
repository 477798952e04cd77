//! A document as a value: headings, sentences, formulas and tables. Each form writes it down.

use super::math::{Equation, Math};
use super::number::Written;

/// A document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is about
    pub title: String,
    /// In order
    pub sections: Vec<Section>,
}

/// Some of it under a heading.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// How deep the heading is: 2 or 3
    pub level: u8,
    /// The heading
    pub heading: String,
    /// In order
    pub blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Sentences
    Paragraph(Vec<Span>),
    /// A formula in symbols
    Rule(Math, Math),
    /// The same with numbers
    Equation(Equation),
    /// Rows under a head
    Table(Table),
}

/// A table: every row has as many cells as the head, its name counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns
    pub head: Vec<String>,
    /// A name, and then what there is to say
    pub rows: Vec<(String, Vec<Cell>)>,
}

/// A place in a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A number
    Number(Written),
    /// Words
    Words(String),
    /// There is none
    Nothing,
}

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Span {
    /// Words
    Text(String),
    /// A formula
    Math(Math),
    /// What is typed, as a name
    Code(String),
}

impl From<Option<Written>> for Cell {
    fn from(number: Option<Written>) -> Self {
        number.map_or(Self::Nothing, Self::Number)
    }
}

impl Section {
    /// Under a heading.
    pub fn new(level: u8, heading: impl Into<String>) -> Self {
        Self { level, heading: heading.into(), blocks: vec![] }
    }

    /// Adds sentences.
    pub fn say(&mut self, spans: Vec<Span>) {
        self.blocks.push(Block::Paragraph(spans));
    }

    /// Adds a formula in symbols.
    pub fn rule(&mut self, left: impl Into<Math>, right: impl Into<Math>) {
        self.blocks.push(Block::Rule(left.into(), right.into()));
    }

    /// Adds a formula with numbers.
    pub fn equation(&mut self, equation: Equation) {
        self.blocks.push(Block::Equation(equation));
    }

    /// Adds a table, unless it has no rows.
    pub fn table(&mut self, head: &[&str], rows: Vec<(String, Vec<Cell>)>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table(Table { head: head.iter().map(ToString::to_string).collect(), rows }));
        }
    }
}

/// Words.
pub fn text(words: impl Into<String>) -> Span {
    Span::Text(words.into())
}

/// A formula in a sentence.
pub fn math(formula: impl Into<Math>) -> Span {
    Span::Math(formula.into())
}

/// A name in a sentence.
pub fn code(name: &impl ToString) -> Span {
    Span::Code(name.to_string())
}

/// So many of something.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// So many of something, and what one or many of it do.
pub fn counted_doing(count: usize, what: &str, (one, many): (&str, &str)) -> String {
    format!("{} {}", counted(count, what), if count == 1 { one } else { many })
}
