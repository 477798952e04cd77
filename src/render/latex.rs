//! A document as a complete LaTeX document.

use std::fmt::Write as _;

use super::document::{Block, Cell, Document, Span, Table};
use super::math::Equation;
use super::tex;

const HEAD: &str = "\\documentclass{article}
\\usepackage[utf8]{inputenc}
\\usepackage[T1]{fontenc}
\\usepackage{amsmath}
\\usepackage[margin=2.5cm]{geometry}
\\usepackage{graphicx}
\\allowdisplaybreaks
\\setcounter{secnumdepth}{0}
\\newsavebox{\\measured}
\\newcommand{\\fitted}[1]{\\sbox{\\measured}{#1}\\ifdim\\wd\\measured>\\linewidth\\resizebox{\\linewidth}{!}{\\usebox{\\measured}}\\else\\usebox{\\measured}\\fi}
";

/// The document.
pub fn write(document: &Document) -> String {
    let title = escaped(&document.title);
    let mut text = format!("{HEAD}\\title{{{title}}}\n\\date{{}}\n\\begin{{document}}\n\\maketitle\n");
    for section in &document.sections {
        let command = if section.level == 2 { "section" } else { "subsection" };
        // Writing to a text cannot fail.
        let _ = write!(text, "\n\\{command}{{{}}}\n", escaped(&section.heading));
        for block in &section.blocks {
            text.push('\n');
            text.push_str(&written(block));
            text.push('\n');
        }
    }
    text.push_str("\n\\end{document}\n");
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
    // One that is wider than the line is made smaller, not cut.
    format!("\\[\\fitted{{$\\displaystyle\n{}\n$}}\\]", tex::equation(equation))
}

fn span(span: &Span) -> String {
    match span {
        Span::Text(words) => escaped(words),
        Span::Math(math) => format!("${}$", tex::formula(math)),
        Span::Code(name) => format!("\\texttt{{{}}}", escaped(name)),
    }
}

fn rows(table: &Table) -> String {
    let head: Vec<String> = table.head.iter().map(|cell| escaped(cell)).collect();
    let columns = format!("l{}", "r".repeat(head.len() - 1));
    let mut text =
        format!("\\begin{{center}}\n\\fitted{{\\begin{{tabular}}{{{columns}}}\n{} \\\\\n\\hline\n", head.join(" & "));
    for (name, cells) in &table.rows {
        let cells = cells.iter().map(|cell| match cell {
            Cell::Number(number) => format!("${}$", tex::number(number)),
            Cell::Words(words) => escaped(words),
            Cell::Nothing => "--".into(),
        });
        let _ = writeln!(text, "\\texttt{{{}}} & {} \\\\", escaped(name), cells.collect::<Vec<_>>().join(" & "));
    }
    text.push_str("\\end{tabular}}\n\\end{center}");
    text
}

/// Words in which no sign means anything to LaTeX.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        match letter {
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => text.extend(['\\', letter]),
            '\\' => text.push_str("\\textbackslash{}"),
            '~' => text.push_str("\\textasciitilde{}"),
            '^' => text.push_str("\\textasciicircum{}"),
            '<' => text.push_str("\\textless{}"),
            '>' => text.push_str("\\textgreater{}"),
            // The hat of the letter before it, as in x̂.
            '\u{302}' => {
                let letter = text.pop().unwrap_or(' ');
                text.extend(["$\\hat{", letter.encode_utf8(&mut [0; 4]), "}$"]);
            }
            '⁻' => text.push_str("$^{-}$"),
            '⁰' => text.push_str("$^{0}$"),
            '¹' => text.push_str("$^{1}$"),
            '³' => text.push_str("$^{3}$"),
            '⁴'..='⁹' => {
                // The six follow one another, as the digits do.
                let digit = char::from_digit(u32::from(letter) - 0x2070, 10).unwrap_or('?');
                text.extend(["$^{", digit.encode_utf8(&mut [0; 4]), "}$"]);
            }
            '′' => text.push_str("$'$"),
            'δ' => text.push_str("$\\delta$"),
            'γ' => text.push_str("$\\gamma$"),
            'Δ' => text.push_str("$\\Delta$"),
            'Σ' => text.push_str("$\\Sigma$"),
            '√' => text.push_str("$\\surd$"),
            '∂' => text.push_str("$\\partial$"),
            '²' => text.push_str("$^2$"),
            '|' => text.push_str("$|$"),
            '−' => text.push_str("$-$"),
            other => text.push(other),
        }
    }
    text
}
