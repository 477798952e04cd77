//! An SVG being drawn: texts, lines and shapes with two places after the point, a title, a description and a style for
//! light and dark.

use std::fmt::Write as _;

use crate::render::html::escaped;

/// Colours by what they mean; a sign is told by more than its hue: blue and orange differ in any kind of sight.
pub const STYLE: &str = "svg{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#8c959f;--wash:#f0f3f6;\
--plus:#0a5fc2;--minus:#b54708}\
@media (prefers-color-scheme:dark){svg{--ink:#e6edf3;--soft:#9da7b3;--paper:#0d1117;--line:#6e7681;--wash:#1a212b;\
--plus:#6cb6ff;--minus:#f0a35e}}\
text{font-family:system-ui,sans-serif;font-size:13px;fill:var(--ink)}\
.soft{fill:var(--soft)}.small{font-size:11px}.middle{text-anchor:middle}.end{text-anchor:end}.head{font-size:15px;font-weight:600}\
.plus{stroke:var(--plus)}.minus{stroke:var(--minus)}.line{stroke:var(--line)}.paper{fill:var(--paper)}\
.fplus{fill:var(--plus)}.fminus{fill:var(--minus)}.unit{fill:var(--wash);stroke:var(--line)}\
.grid{stroke:var(--line);stroke-opacity:.45}.dashed{stroke-dasharray:2 4;stroke-opacity:1}.dot{fill:var(--ink)}\
.series{stroke:var(--ink)}.d0{stroke:var(--minus)}.d1{stroke:var(--plus);stroke-dasharray:8 4}\
.d2{stroke-dasharray:2 3}.d3{stroke:var(--soft);stroke-dasharray:10 3 2 3}.whole{stroke-dasharray:none}\
.dashes{stroke-dasharray:6 4}.ring{fill:var(--paper);stroke:var(--ink);stroke-width:1.5}";

/// A drawing.
pub struct Svg {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// How a text is set against its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// It begins there
    Start,
    /// Its middle is there
    Middle,
    /// It ends there
    End,
}

impl Svg {
    /// An empty one.
    pub fn new((width, height): (f64, f64), title: impl Into<String>, description: impl Into<String>) -> Self {
        Self { width, height, title: title.into(), description: description.into(), body: String::new() }
    }

    /// The whole document.
    pub fn finish(self) -> String {
        let Self { width, height, title, description, body } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">{}</title>\n\
             <desc id=\"d\">{}</desc>\n<style>{STYLE}</style>\n<rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n\
             {body}</svg>\n",
            escaped(&title),
            escaped(&description)
        )
    }

    /// Room for a text whose middle is there.
    pub fn room(&self, x: f64) -> f64 {
        /// What stays free at the edge.
        const FREE: f64 = 6.0;
        2.0 * (x.min(self.width - x) - FREE)
    }

    /// A text, by its baseline.
    pub fn text(&mut self, (x, y): (f64, f64), set: Set, class: &str, words: &str) {
        let set = match set {
            Set::Start => "",
            Set::Middle => "middle",
            Set::End => "end",
        };
        let class = [class, set].iter().filter(|class| !class.is_empty()).copied().collect::<Vec<_>>().join(" ");
        // Writing to a text cannot fail.
        let _ = writeln!(self.body, "<text x=\"{x:.2}\" y=\"{y:.2}\" class=\"{class}\">{}</text>", escaped(words));
    }

    /// A number upon a line, its middle there, on paper of its own.
    pub fn label(&mut self, (x, y): (f64, f64), words: &str) {
        /// The height of a line.
        const HEIGHT: f64 = 17.0;
        let width = width_of(words);
        self.rect((x - width / 2.0, y - HEIGHT / 2.0), (width, HEIGHT), "paper", 1.0);
        self.text((x, y + 4.5), Set::Middle, "", words);
    }

    /// A line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str, width: f64) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\" class=\"{class}\" stroke-width=\"{width:.2}\"/>",
            from.0, from.1, to.0, to.1
        );
    }

    /// An arrow, in the colour of a number's sign: a line of a width, and a head that ends at the tip.
    pub fn arrow(&mut self, from: (f64, f64), tip: (f64, f64), value: f64, width: f64) {
        let (long, half) = (7.0 + width, 3.5 + width / 2.0);
        let (x, y) = (tip.0 - from.0, tip.1 - from.1);
        let length = x.hypot(y);
        let (x, y) = (x / length, y / length);
        let neck = (tip.0 - long * x, tip.1 - long * y);
        self.line(from, neck, sign(value), width);
        let _ = writeln!(
            self.body,
            "<polygon points=\"{:.2},{:.2} {:.2},{:.2} {:.2},{:.2}\" class=\"{}\"/>",
            tip.0,
            tip.1,
            neck.0 - half * y,
            neck.1 + half * x,
            neck.0 + half * y,
            neck.1 - half * x,
            sign_of_area(value)
        );
    }

    /// A line through points.
    pub fn path(&mut self, points: &[(f64, f64)], class: &str, width: f64) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.2},{y:.2}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" class=\"{class}\" stroke-width=\"{width:.2}\" fill=\"none\"/>",
            points.join(" ")
        );
    }

    /// A circle.
    pub fn circle(&mut self, (x, y): (f64, f64), radius: f64, class: &str) {
        let _ = writeln!(self.body, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius:.2}\" class=\"{class}\"/>");
    }

    /// A rectangle, of so much ink.
    pub fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str, opacity: f64) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" class=\"{class}\" \
             fill-opacity=\"{opacity:.3}\"/>"
        );
    }
}

/// About the width of a number or a name with some room around it; what is raised is narrower.
pub fn width_of(words: &str) -> f64 {
    words.chars().map(width_of_sign).sum::<f64>() + 8.0
}

fn width_of_sign(sign: char) -> f64 {
    match sign {
        'm' | 'w' | '…' => 12.5,
        'f' | 'i' | 'j' | 'l' | 'r' | 't' => 5.0,
        // As wide as in the wider ones of the usual fonts.
        '−' => 10.9,
        '0'..='9' => 8.3,
        '_' => 7.4,
        'a'..='z' | 'A'..='Z' => 8.2,
        _ => 4.9,
    }
}

/// A name that is not too long for its room.
pub fn shortened(name: &str, room: f64) -> String {
    if width_of(name) <= room {
        return name.to_owned();
    }
    let mut left = room - width_of("…");
    let fitting = name.chars().take_while(|sign| {
        left -= width_of_sign(*sign);
        left >= 0.0
    });
    format!("{}…", fitting.collect::<String>())
}

/// The class of a line by the sign of a number.
pub fn sign(value: f64) -> &'static str {
    if value < 0.0 { "minus" } else { "plus" }
}

/// The class of an area by the sign of a number.
pub fn sign_of_area(value: f64) -> &'static str {
    if value < 0.0 { "fminus" } else { "fplus" }
}
