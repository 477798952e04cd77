//! How the loss of a session went, step by step.

use super::plot::Plot;
use super::svg::{Set, Svg, shortened};
use crate::render::document::counted;
use crate::render::number::Digits;

const SIZE: (f64, f64) = (750.0, 420.0);
/// The plot: its corner and its size.
const PLOT: ((f64, f64), (f64, f64)) = ((84.0, 84.0), (630.0, 270.0));
/// Steps up to which each has a dot.
const DOTTED: usize = 40;

/// A page of a session's history, step by step; what is no step, such as weights that were replaced, has no loss.
pub struct Curve<'s> {
    /// The session's name
    pub session: &'s str,
    /// Each step's number and its loss before the update
    pub steps: &'s [(u64, Option<f64>)],
    /// The step after which the next page starts, if there is one
    pub next: Option<u64>,
}

/// The picture.
pub fn draw(curve: &Curve) -> String {
    let title = format!("The loss of {}", shortened(curve.session, 320.0));
    let losses: Vec<(f64, f64)> = curve.steps.iter().filter_map(|&(step, loss)| Some((number(step), loss?))).collect();
    let description = format!(
        "A line through the loss of {} of session {}, each before its update.",
        counted(losses.len(), "step"),
        curve.session
    );
    let mut svg = Svg::new(SIZE, &title, description);
    svg.text((16.0, 26.0), Set::Start, "head", &title);
    let (Some(first), Some(last)) = (losses.first(), losses.last()) else {
        svg.text((16.0, 56.0), Set::Start, "soft", "There is no step with a loss here.");
        return svg.finish();
    };
    let digits = Digits::default();
    let loss = |value: f64| digits.write(value).text();
    let more = curve.next.map(|next| format!("; more with after={next}")).unwrap_or_default();
    let end = if losses.len() > 1 { format!("; step {}: {}", last.0, loss(last.1)) } else { String::new() };
    let words = format!("step {}: {}{end}{more}", first.0, loss(first.1));
    svg.text((16.0, 48.0), Set::Start, "soft small", &words);
    let up = Plot::around(losses.iter().map(|(_, loss)| *loss).chain([0.0]));
    let plot = Plot::new(PLOT.0, PLOT.1, (first.0, last.0), up).counting();
    plot.scales(&mut svg, "step", "loss before the update");
    // A step without a loss parts the line.
    for piece in curve.steps.split(|(_, loss)| loss.is_none()) {
        let places: Vec<_> = piece.iter().filter_map(|&(step, loss)| Some(plot.place((number(step), loss?)))).collect();
        if places.len() > 1 {
            svg.path(&places, "series d1 whole", 2.0);
        }
        if losses.len() <= DOTTED || places.len() == 1 {
            for place in places {
                svg.circle(place, 3.0, "dot");
            }
        }
    }
    svg.finish()
}

#[allow(clippy::cast_precision_loss, reason = "steps are limited far below 2^53")]
fn number(step: u64) -> f64 {
    step as f64
}
