//! How blame depends on the distance from the outputs.

use super::{ROWS, document, number, number_if, say_if_cut, whole};
use crate::engine::telephone::Variant;
use crate::insight::depth::{Depth, LayerDepth, Verdict};
use crate::render::document::{Document, Section, code, text};
use crate::render::number::Digits;

/// One network of the telephone game.
pub struct Player<'a> {
    /// Which one it is
    pub variant: Variant,
    /// Its dense layers from the outputs down
    pub layers: &'a [LayerDepth],
    /// Whether the first layer still hears of the error
    pub verdict: Option<Verdict>,
    /// Why
    pub because: &'a str,
}

/// What a session's network does to the blame.
pub fn depth(depth: &Depth, digits: Digits) -> Document {
    let mut section = Section::new(2, "Layer by layer, from the outputs down");
    of_network(&mut section, (&depth.layers, depth.verdict, &depth.because), digits);
    document("How blame fades with the distance", vec![section])
}

/// The telephone game: networks side by side.
pub fn telephone(depth: u64, players: &[Player], digits: Digits) -> Document {
    let sections = players.iter().map(|player| {
        let mut section = Section::new(2, player.variant.as_str());
        section.say(vec![text(player.variant.story())]);
        of_network(&mut section, (player.layers, player.verdict, player.because), digits);
        section
    });
    document(format!("The telephone game through {depth} layers"), sections.collect())
}

fn of_network(
    section: &mut Section,
    (layers, verdict, because): (&[LayerDepth], Option<Verdict>, &str),
    digits: Digits,
) {
    let verdict = match verdict {
        None => "There is no error to hear of",
        Some(Verdict::Vanishing) => "Vanishing",
        Some(Verdict::Healthy) => "Healthy",
        Some(Verdict::Exploding) => "Exploding",
    };
    section.say(vec![text(format!("{verdict}: {because}."))]);
    let rows = layers.iter().take(ROWS).map(|layer| {
        let cells = vec![
            whole(layer.distance),
            number(digits, layer.mean_abs_delta),
            number_if(digits, layer.ratio_to_output),
            number_if(digits, layer.log10_ratio),
            number(digits, layer.bound),
            number_if(digits, layer.mean_slope),
            number_if(digits, layer.saturated),
            number(digits, layer.gradient_norm),
            number(digits, layer.change_norm),
        ];
        (layer.name.to_string(), cells)
    });
    let head = [
        "layer",
        "distance",
        "mean |δ|",
        "against the output's",
        "its log10",
        "0.25 to the distance",
        "mean slope",
        "saturated",
        "size of the gradient",
        "size of the change",
    ];
    section.table(&head, rows.collect());
    say_if_cut(section, layers.len().min(ROWS), layers.len(), "the highest ones");
    if let Some(lowest) = layers.last().filter(|_| layers.len() > ROWS) {
        section.say(vec![
            text("The lowest, "),
            code(&lowest.name),
            text(format!(
                ", {} layers away, has a mean |δ| of {}.",
                lowest.distance,
                digits.write(lowest.mean_abs_delta).text()
            )),
        ]);
    }
}
