//! A solution as a complete LaTeX document.

use std::fmt::Write as _;

use super::math::Equation;
use super::solution::{Block, Solution, Span, Table};
use super::tex;

const HEAD: &str = "\\documentclass{article}
\\usepackage[utf8]{inputenc}
\\usepackage[T1]{fontenc}
\\usepackage{amsmath}
\\usepackage[margin=2.5cm]{geometry}
\\allowdisplaybreaks
\\setcounter{secnumdepth}{0}
";

/// The document.
pub fn write(solution: &Solution) -> String {
    let title = escaped(&solution.title);
    let mut text = format!("{HEAD}\\title{{{title}}}\n\\date{{}}\n\\begin{{document}}\n\\maketitle\n");
    for section in &solution.sections {
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
    format!("\\[\n{}\n\\]", tex::equation(equation))
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
    let mut text = format!("\\begin{{center}}\n\\begin{{tabular}}{{{columns}}}\n{} \\\\\n\\hline\n", head.join(" & "));
    for (name, cells) in &table.rows {
        let cells = cells
            .iter()
            .map(|cell| cell.as_ref().map_or_else(|| "--".into(), |cell| format!("${}$", tex::number(cell))));
        let _ = writeln!(text, "\\texttt{{{}}} & {} \\\\", escaped(name), cells.collect::<Vec<_>>().join(" & "));
    }
    text.push_str("\\end{tabular}\n\\end{center}");
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
