//! The network as a Mermaid flowchart: its structure with the weights, or the way of the blame.

use std::fmt::Write as _;

use super::columns::{Column, columns};
use super::{Drawing, Flow};
use crate::engine::trace::Trace;
use crate::insight::blame::Blame;
use crate::render::document::counted;

/// Units of a layer up to which each is a node of its own.
const UNITS: usize = 3;

/// The flowchart.
pub fn write(trace: &Trace, blame: Option<&Blame>, drawing: Drawing) -> String {
    let (columns, left_out) = columns(trace);
    let each =
        columns.iter().all(|column| column.units() <= UNITS && (column.node.is_none() || column.weights().is_some()));
    let mut text = String::from("flowchart LR\n");
    // Writing to a text cannot fail.
    if each && left_out.is_none() {
        units(&mut text, &columns, blame, drawing);
    } else {
        layers(&mut text, &columns, left_out, drawing.flow);
    }
    text
}

fn units(text: &mut String, columns: &[Column], blame: Option<&Blame>, drawing: Drawing) {
    let (n, digits) = (drawing.example, drawing.digits);
    let number = |value: f64| digits.write(value).text();
    for (at, column) in columns.iter().enumerate() {
        let name = column.node.as_ref().map_or_else(|| "inputs".to_owned(), |node| node.up.name().to_string());
        let _ = writeln!(text, "  subgraph c{at}[\"{name}\"]");
        for unit in 0..column.units() {
            let (letter, value) = match (drawing.flow, &column.node) {
                (Flow::Backward, Some(node)) => match node.blame() {
                    Some((letter, numbers)) => (letter, Some(numbers.at(n, unit))),
                    None => ("δ", None),
                },
                (_, None) => ("x", Some(column.outputs.at(n, unit))),
                _ if at + 1 == columns.len() => ("ŷ", Some(column.outputs.at(n, unit))),
                _ => ("h", Some(column.outputs.at(n, unit))),
            };
            let value = value.map(|value| format!(" = {}", number(value))).unwrap_or_default();
            let _ = writeln!(text, "    u{at}_{unit}[\"{letter}{}{value}\"]", unit + 1);
        }
        text.push_str("  end\n");
    }
    for (at, pair) in columns.windows(2).enumerate() {
        let (Some(weights), [below, here]) = (pair[1].weights(), pair) else { continue };
        for from in 0..below.units() {
            for to in 0..here.units() {
                let (left, right) = (format!("u{at}_{from}"), format!("u{}_{to}", at + 1));
                match drawing.flow {
                    Flow::Network => {
                        let _ = writeln!(text, "  {left} -- \"{}\" --> {right}", number(weights.at(from, to)));
                    }
                    Flow::Backward => {
                        let Some(term) = received(blame, below, here, (from, to)) else { continue };
                        let _ = writeln!(text, "  {right} -. \"{}\" .-> {left}", number(term));
                    }
                }
            }
        }
    }
}

fn received(blame: Option<&Blame>, below: &Column, here: &Column, (from, to): (usize, usize)) -> Option<f64> {
    let (below, here) = (below.node.as_ref()?, here.node.as_ref()?);
    let layer = blame?.layers.iter().find(|layer| layer.name == *below.up.name())?;
    let received = &layer.units.get(from)?.received;
    received.iter().find(|part| part.from == to && part.layer == *here.up.name()).map(|part| part.term)
}

fn layers(text: &mut String, columns: &[Column], left_out: Option<(usize, usize)>, flow: Flow) {
    for (at, column) in columns.iter().enumerate() {
        let (name, what) = match &column.node {
            None => ("inputs".to_owned(), column.units().to_string()),
            Some(node) => (node.up.name().to_string(), node.described()),
        };
        let _ = writeln!(text, "  c{at}[\"{name}<br/>{what}\"]");
    }
    for at in 1..columns.len() {
        let arrow = if flow == Flow::Network { "-->" } else { "-.->" };
        let (mut from, mut to) = (format!("c{}", at - 1), format!("c{at}"));
        if flow == Flow::Backward {
            std::mem::swap(&mut from, &mut to);
        }
        match left_out {
            Some((behind, count)) if behind == at => {
                let _ = writeln!(text, "  gap[\"{} between\"]", counted(count, "layer"));
                let _ = writeln!(text, "  {from} {arrow} gap {arrow} {to}");
            }
            _ => {
                let _ = writeln!(text, "  {from} {arrow} {to}");
            }
        }
    }
    for (at, column) in columns.iter().enumerate() {
        // The way around a residual block.
        let Some(node) = column.node.as_ref().filter(|node| !node.up.inner().is_empty()) else { continue };
        let from = columns.iter().position(|column| column.place == node.below.map_or(0, |below| below + 1));
        if let Some(from) = from.filter(|from| from + 1 < at) {
            let (from, to) = if flow == Flow::Network { (from, at) } else { (at, from) };
            let _ = writeln!(text, "  c{from} -- \"around\" --> c{to}");
        }
    }
}
