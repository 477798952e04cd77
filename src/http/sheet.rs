//! Worked solutions and pictures going out: what a query may say of one, and the answer.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use utoipa::openapi::Object;

use super::App;
use super::code::Code;
use super::format::{self, Format, negotiate, varied};
use super::problem::Problem;
use super::report::Report;
use crate::engine::model::Model;
use crate::engine::name::LayerName;
use crate::engine::trace::Trace;
use crate::insight::names;
use crate::limits::DIGITS_MOST;
use crate::render::document::Document;
use crate::render::number::Digits;
use crate::render::picture::{Flow, Picture, curve, draw, flowchart, svg};
use crate::render::solution::{Options, Voice, solution};
use crate::render::{html, latex, markdown};
use crate::session::{Detail, Length, Work};

/// Who tells a worked solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoiceName {
    /// As a textbook does
    Textbook,
    /// As a production line
    Factory,
}

/// What a picture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PictureName {
    /// What each unit puts out
    Network,
    /// The blame that goes back
    Backward,
    /// The weights as heat maps; not as Mermaid
    Weights,
    /// An activation, and where a layer's units stand on it; not as Mermaid
    Activation,
    /// How blame and change fade with the distance from the output; not as Mermaid
    Distance,
}

/// What a query says of a worked solution or of a picture.
#[derive(Clone, Default)]
pub struct Wishes {
    /// The form that is asked for, if one is
    pub format: Option<Format>,
    /// Significant digits
    pub digits: Option<u64>,
    /// A unit, counted from 1
    pub unit: Option<u64>,
    /// An example, counted from 1
    pub example: Option<u64>,
    /// Who tells it
    pub voice: Option<VoiceName>,
    /// What is drawn
    pub picture: Option<PictureName>,
    /// The layer whose activation is drawn
    pub layer: Option<String>,
}

/// How a trace is to be answered, whatever network it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    wish: Wish,
    /// Whether JSON will do, too
    json_too: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Json,
    Tensors,
    Solution(Format, Options),
    Picture { name: PictureName, layer: Option<LayerName>, paper: Paper },
}

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paper {
    format: Format,
    digits: Digits,
    /// The example of the batch, counted from 0
    example: usize,
}

/// How a trace of a network is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// As JSON
    Json,
    /// As safetensors
    Tensors,
    /// To be read or looked at
    Sheet(Sheet),
}

/// What a trace becomes for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sheet {
    /// A worked solution
    Solution(Format, Options),
    /// A picture
    Picture(Picture, Paper),
}

/// The schema of a query's `format` where a trace is answered.
pub fn trace_formats() -> Object {
    format::schema(&Format::ALL)
}

impl Wishes {
    /// How a trace of that detail is answered; settled before it is computed.
    pub fn wanted(self, headers: &HeaderMap, detail: Option<Detail>) -> Result<Wanted, Problem> {
        let format = negotiate(self.format, headers, &Format::ALL)?;
        let json_too = self.format.is_none() && negotiate(None, headers, &[Format::Json]).is_ok();
        Ok(Wanted { wish: self.wish(format, detail)?, json_too })
    }

    fn wish(self, format: Format, detail: Option<Detail>) -> Result<Wish, Problem> {
        let Self { digits, unit, example, voice, picture, layer, .. } = self;
        let drawn = matches!(format, Format::Svg | Format::Mermaid);
        let told = matches!(format, Format::Markdown | Format::Latex | Format::Html);
        let given = [
            ("digits", digits.is_some() && !drawn && !told),
            ("example", example.is_some() && !drawn && !told),
            ("unit", unit.is_some() && !told),
            ("voice", voice.is_some() && !told),
            ("picture", picture.is_some() && !drawn),
            ("layer", layer.is_some() && !told && picture != Some(PictureName::Activation)),
        ];
        if let Some((name, _)) = given.iter().find(|(_, misplaced)| *misplaced) {
            let forms = match *name {
                "picture" => "a picture; add format=svg or mermaid",
                "layer" => {
                    "a worked solution, or the picture of an activation; add format=markdown, latex or html, or picture=activation"
                }
                "unit" | "voice" => "a worked solution; add format=markdown, latex or html",
                _ => "a worked solution or a picture; add format=markdown, latex, html, svg or mermaid",
            };
            return Err(Problem::new(Code::ConflictingFields, format!("the query's {name} is for {forms}")));
        }
        if format == Format::Json {
            return Ok(Wish::Json);
        }
        if detail.is_some_and(|detail| detail != Detail::Full) {
            let detail = "this form is made of the whole trace; leave trace out, or ask for format=json";
            return Err(Problem::new(Code::ConflictingFields, detail));
        }
        if format == Format::Safetensors {
            return Ok(Wish::Tensors);
        }
        let digits = self::digits(digits)?;
        let place = |name: &str, value: Option<u64>| match value {
            Some(0) => Err(Problem::new(Code::NumberOutOfRange, format!("the query's {name} is counted from 1"))),
            value => Ok(value.map_or(0, |value| usize::try_from(value - 1).unwrap_or(usize::MAX))),
        };
        let layer = layer.as_deref().map(LayerName::parse).transpose();
        let layer = layer.map_err(|error| Problem::new(Code::InvalidName, format!("the query's layer: {error}")))?;
        if drawn {
            let name = picture.unwrap_or(PictureName::Network);
            if format == Format::Mermaid && !matches!(name, PictureName::Network | PictureName::Backward) {
                let detail = "the query's picture: a flowchart shows network or backward; ask for format=svg";
                return Err(Problem::new(Code::ConflictingFields, detail));
            }
            let paper = Paper { format, digits, example: place("example", example)? };
            return Ok(Wish::Picture { name, layer, paper });
        }
        let voice = if voice == Some(VoiceName::Factory) { Voice::Factory } else { Voice::Textbook };
        let (unit, example) = (place("unit", unit)?, place("example", example)?);
        let options = Options { digits, unit, example, layer, voice };
        Ok(Wish::Solution(format, options))
    }
}

impl Wanted {
    /// As JSON.
    pub const JSON: Self = Self { wish: Wish::Json, json_too: true };

    /// Whether it is as JSON.
    pub fn is_json(&self) -> bool {
        self.wish == Wish::Json
    }

    /// Whether JSON is as good, where there is nothing else.
    pub fn json_will_do(&self) -> bool {
        self.json_too
    }

    /// The form of an insight in place of the trace.
    pub fn report(self) -> Result<Report, Problem> {
        let (code, detail) = match self.wish {
            Wish::Json => return Ok(Report::new(Format::Json, Digits::default())),
            Wish::Solution(format, options)
                if options == (Options { digits: options.digits, ..Options::default() }) =>
            {
                return Ok(Report::new(format, options.digits));
            }
            Wish::Solution(..) => {
                let detail = "unit, example, layer and voice are for a whole trace; what_if is answered as the differences to one";
                (Code::ConflictingFields, detail)
            }
            Wish::Tensors | Wish::Picture { .. } => {
                let detail = "what_if is answered as the differences to a trace; there is \
                    format=json, markdown, latex and html";
                (Code::NotAcceptable, detail)
            }
        };
        Err(Problem::new(code, detail))
    }

    /// The form of a trace of that network and of so many examples, if it has what is to be shown. Where the examples
    /// are not known, the pass is refused for that.
    pub fn of(self, model: &Model, examples: Option<usize>) -> Result<Form, Problem> {
        let example = |example: usize| match examples {
            Some(examples) if example >= examples => Err(too_far("example", example, "the batch", examples)),
            _ => Ok(()),
        };
        let (name, layer, paper) = match self.wish {
            Wish::Json => return Ok(Form::Json),
            Wish::Tensors => return Ok(Form::Tensors),
            Wish::Solution(format, options) => {
                example(options.example)?;
                let units = model.all_layers().iter().map(|named| named.layer.size().outputs).max().unwrap_or(1);
                if options.unit >= units {
                    return Err(too_far("unit", options.unit, "the widest layer", units));
                }
                if let Some(layer) = options.layer.as_ref().filter(|layer| !model.names().any(|name| name == *layer)) {
                    let all: Vec<LayerName> = model.names().cloned().collect();
                    let detail = format!("the network has no layer {layer}; there is {}", names(&all));
                    return Err(Problem::new(Code::UnknownLayer, detail));
                }
                return Ok(Form::Sheet(Sheet::Solution(format, options)));
            }
            Wish::Picture { name, layer, paper } => (name, layer, paper),
        };
        example(paper.example)?;
        let picture = match name {
            PictureName::Network => Picture::Flow(Flow::Network),
            PictureName::Backward => Picture::Flow(Flow::Backward),
            PictureName::Weights => Picture::Weights,
            PictureName::Distance => Picture::Distance,
            PictureName::Activation => {
                let layer = curve::layer_of(&model.all_layers(), layer.as_ref());
                Picture::Activation(layer.map_err(|error| Problem::new(Code::UnknownLayer, error.to_string()))?)
            }
        };
        Ok(Form::Sheet(Sheet::Picture(picture, paper)))
    }
}

/// The refusal of a place behind the last one; the place is counted from 0 here, and from 1 in the query.
fn too_far(name: &str, place: usize, of: &str, count: usize) -> Problem {
    let detail = format!("the query's {name} is {}, and {of} has {count}", place.saturating_add(1));
    Problem::new(Code::NumberOutOfRange, detail)
}

/// So many significant digits, or as many as there are if nothing is said.
pub fn digits(asked: Option<u64>) -> Result<Digits, Problem> {
    let Some(asked) = asked else { return Ok(Digits::default()) };
    Digits::new(asked).ok_or_else(|| {
        let detail = format!("the query's digits: 1 to {DIGITS_MOST} were expected");
        Problem::new(Code::NumberOutOfRange, detail)
    })
}

/// A document in one of its forms.
pub fn written(document: &Document, format: Format) -> String {
    match format {
        Format::Latex => latex::write(document),
        Format::Html => html::write(document),
        _ => markdown::write(document),
    }
}

/// A trace as a worked solution or as a picture; written off the async threads where it is long.
pub async fn answer(app: &App, size: u64, trace: Trace, sheet: Sheet) -> Response {
    let length = Length::of(size, app.limits().inline_answer_bytes);
    let format = match &sheet {
        Sheet::Solution(format, _) | Sheet::Picture(_, Paper { format, .. }) => *format,
    };
    let of_the_way_back = matches!(sheet, Sheet::Picture(Picture::Flow(Flow::Backward) | Picture::Distance, _));
    if of_the_way_back && trace.backward.is_none() {
        let detail = "the query's picture: there is no way back in this trace; ask backward, step or explain";
        return Problem::new(Code::ConflictingFields, detail).into_response();
    }
    let write = move || match sheet {
        Sheet::Solution(format, options) => written(&solution(&trace, options), format),
        Sheet::Picture(Picture::Flow(flow), Paper { format: Format::Mermaid, digits, example }) => {
            flowchart(&trace, flow, digits, example)
        }
        Sheet::Picture(picture, Paper { digits, example, .. }) => draw(&trace, &picture, digits, example),
    };
    document(StatusCode::OK, format, app.registry.compute().run(Work::Text, length, write).await)
}

/// A drawing.
pub fn drawing(text: String) -> Response {
    document(StatusCode::OK, Format::Svg, text)
}

/// A text in a form.
pub fn document(status: StatusCode, format: Format, text: String) -> Response {
    let media_type = HeaderValue::from_str(&format!("{}; charset=utf-8", format.media_type()));
    let mut response = (status, text).into_response();
    let headers = response.headers_mut();
    if let Ok(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    let style = match format {
        Format::Html => Some(html::STYLE),
        Format::Svg => Some(svg::STYLE),
        _ => None,
    };
    if let Some(style) = style {
        // Nothing but its own style: no script, nothing from elsewhere.
        let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
        let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
    }
    varied(response)
}
