//! A document in Markdown, with formulas between dollar signs: as notebooks and code forges show it.

use std::fmt::Write as _;

use super::document::{Block, Cell, Document, Span, Table};
use super::math::Equation;
use super::tex;

/// The document.
pub fn write(document: &Document) -> String {
    let mut text = format!("# {}\n", document.title);
    for section in &document.sections {
        // Writing to a text cannot fail.
        let _ = write!(text, "\n{} {}\n", "#".repeat(section.level.into()), section.heading);
        for block in &section.blocks {
            text.push('\n');
            text.push_str(&written(block));
            text.push('\n');
        }
    }
    text
}

fn written(block: &Block) -> String {
    match block {
        Block::Paragraph(spans) => spans.iter().map(span).collect(),
        Block::Rule(left, right) => display(&Equation::of(left.clone()).is(right.clone())),
        Block::Equation(equation) => display(equation),
        Block::Table(table) => rows(table),
    }
}

fn display(equation: &Equation) -> String {
    format!("$$\n{}\n$$", tex::equation(equation))
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(words) => escaped(words),
        Span::Math(math) => format!("${}$", tex::formula(math)),
        Span::Code(name) => format!("`{}`", name.replace('`', "'")),
    }
}

fn rows(table: &Table) -> String {
    let head: Vec<String> = table.head.iter().map(|cell| escaped(cell)).collect();
    let mut text = format!("| {} |\n|{}", head.join(" | "), " --- |".repeat(head.len()));
    for (name, cells) in &table.rows {
        let cells = cells.iter().map(|cell| match cell {
            Cell::Number(number) => format!("${}$", tex::number(number)),
            Cell::Words(words) => escaped(words),
            Cell::Nothing => "–".into(),
        });
        let _ = write!(text, "\n| `{name}` | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    text
}

/// Words in which no sign means anything.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '$' | '&') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}
