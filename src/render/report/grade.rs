//! A claim, judged.

use super::document;
use crate::insight::grade::{Grade, GradeVerdict, Sign};
use crate::render::document::{Document, Section, code, counted, text};
use crate::render::number::Digits;

/// Right, or the first wrong number and what gives exactly these.
pub fn grade(grade: &Grade, digits: Digits) -> Document {
    let value = |value: f64| digits.write(value).text();
    let mut section = Section::new(
        2,
        match grade.verdict {
            GradeVerdict::Right => "Right",
            GradeVerdict::Wrong => "Wrong",
        },
    );
    section.say(vec![text(format!(
        "{} compared.",
        if grade.compared == 1 { "1 number was".into() } else { format!("{} numbers were", grade.compared) }
    ))]);
    match grade.sign {
        Some(Sign::Downhill) => section.say(vec![text("The signs are those of the way down, −∂E, as in the trace.")]),
        Some(Sign::Gradient) => section.say(vec![text("The signs are those of the gradient, ∂E, as PyTorch's .grad.")]),
        None => {}
    }
    if let Some(wrong) = &grade.first_wrong {
        section.say(vec![
            text("The first wrong one, in the order of computation, is "),
            code(&wrong.pointer),
            text(":"),
        ]);
        let got = wrong.got.map_or_else(|| "nothing".into(), value);
        let error = wrong.relative_error.map(|error| format!(", a relative error of {}", value(error)));
        let apart = wrong.ulps.map(|apart| {
            format!(" ({} between them)", counted(usize::try_from(apart).unwrap_or(usize::MAX), "double"))
        });
        let (error, apart) = (error.unwrap_or_default(), apart.unwrap_or_default());
        section.say(vec![text(format!("{} was expected and {got} claimed{error}{apart}.", value(wrong.expected)))]);
    }
    if grade.verdict == GradeVerdict::Wrong && grade.mistakes.is_empty() {
        let words = "None of the known mistakes gives exactly these numbers.";
        section.say(vec![text(words)]);
    }
    let mut sections = vec![section];
    for mistake in &grade.mistakes {
        let mut section = Section::new(2, mistake.title);
        section.say(vec![text(mistake.explanation)]);
        section.say(vec![
            text("With this mistake the computation gives exactly the claimed numbers. Its code is "),
            code(&mistake.code),
            text("."),
        ]);
        sections.push(section);
    }
    document("Your numbers, graded", sections)
}
