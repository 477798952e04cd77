//! A document as a page of its own: MathML, no script, no outside font, in light and dark.

use std::fmt::Write as _;

use super::document::{Block, Cell, Document, Span, Table};
use super::math::Equation;
use super::mathml;

/// The style of every page that is made here. A policy names it by its hash.
pub const STYLE: &str = include_str!("page.css");

/// The document.
pub fn write(document: &Document) -> String {
    let mut body = format!("<h1>{}</h1>\n", escaped(&document.title));
    let contents = document.sections.iter().enumerate().filter(|(_, section)| section.level == 2);
    let entries =
        contents.map(|(at, section)| format!("<li><a href=\"#s{at}\">{}</a></li>", escaped(&section.heading)));
    // Writing to a text cannot fail.
    let _ = writeln!(body, "<nav aria-label=\"Contents\"><ol>{}</ol></nav>", entries.collect::<String>());
    for (at, section) in document.sections.iter().enumerate() {
        let level = section.level;
        let _ = writeln!(body, "<h{level} id=\"s{at}\">{}</h{level}>", escaped(&section.heading));
        for block in &section.blocks {
            body.push_str(&written(block));
            body.push('\n');
        }
    }
    page(&document.title, &body)
}

/// A page around a body that is HTML already.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} – chainrule</title>\n<style>{STYLE}</style>\n\
         </head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escaped(title)
    )
}

fn written(block: &Block) -> String {
    match block {
        Block::Paragraph(spans) => format!("<p>{}</p>", spans.iter().map(span).collect::<String>()),
        Block::Rule(left, right) => display("rule", &Equation::of(left.clone()).is(right.clone())),
        Block::Equation(equation) => display("equation", equation),
        Block::Table(table) => rows(table),
    }
}

fn display(class: &str, equation: &Equation) -> String {
    format!("<div class=\"{class}\" tabindex=\"0\">{}</div>", mathml::equation(equation))
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(words) => escaped(words),
        Span::Math(math) => mathml::inline(math),
        Span::Code(name) => format!("<code>{}</code>", escaped(name)),
    }
}

fn rows(table: &Table) -> String {
    let head = table.head.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escaped(cell)));
    let row = |(name, cells): &(String, Vec<Cell>)| {
        let cells = cells.iter().map(|cell| match cell {
            Cell::Number(number) => format!("<td>{}</td>", mathml::number(number)),
            Cell::Words(words) => format!("<td class=\"words\">{}</td>", escaped(words)),
            Cell::Nothing => "<td>–</td>".into(),
        });
        format!("<tr><th scope=\"row\"><code>{}</code></th>{}</tr>", escaped(name), cells.collect::<String>())
    };
    format!(
        "<div class=\"table\" tabindex=\"0\"><table><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        head.collect::<String>(),
        table.rows.iter().map(row).collect::<String>()
    )
}

/// Text in which no sign means anything to HTML.
pub fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
