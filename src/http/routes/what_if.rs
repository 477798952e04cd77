//! What if: the answer of a pass with some of its numbers set to others.

use std::sync::Arc;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::PartialSchema;
use utoipa::ToSchema;
use utoipa::openapi::{OneOfBuilder, RefOr, Schema};

use crate::engine::cost::Cost;
use crate::engine::model::Targets;
use crate::engine::name::LayerName;
use crate::engine::pass::Pass;
use crate::engine::schema;
use crate::http::App;
use crate::http::code::Code;
use crate::http::problem::{Fault, Problem};
use crate::http::report::Report;
use crate::http::strict::{given, objects, whole};
use crate::insight::difference::Difference;
use crate::insight::what_if::{self as insight, Override, what_if};
use crate::limits::{OVERRIDES, TEXT_CHARACTERS};
use crate::render::report;
use crate::session::{Inspection, PassRequest, SubjectError};

/// The id of the format.
const FORMAT: &str = "chainrule.what-if/1";

/// One thing that is otherwise: a number of the trace by its pointer, or a unit that puts out 0.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct OverrideBody {
    #[serde(default, deserialize_with = "given")]
    at: Option<String>,
    #[serde(default, deserialize_with = "given")]
    set: Option<f64>,
    #[serde(default, deserialize_with = "given")]
    ablate: Option<AblateBody>,
}

/// A number of the trace, set to another.
#[derive(ToSchema)]
#[allow(dead_code, reason = "one of the two forms of an override, for the API's description alone")]
struct NumberOverride {
    /// Where it stands in the trace, such as /forward/layers/0/outputs/0/1
    #[schema(value_type = schema::Pointer)]
    at: String,
    /// The number that stands there instead
    #[schema(value_type = schema::Number)]
    set: f64,
}

/// A unit that puts out 0 for every example.
#[derive(ToSchema)]
#[allow(dead_code, reason = "one of the two forms of an override, for the API's description alone")]
struct AblateOverride {
    /// The unit that puts out 0
    ablate: AblateBody,
}

/// A unit of a layer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct AblateBody {
    /// The name of the unit's layer
    #[schema(value_type = schema::Name)]
    layer: String,
    /// The unit's place in its layer, counted from 0
    #[schema(value_type = schema::Count)]
    #[serde(deserialize_with = "whole")]
    unit: u64,
}

objects!(OverrideBody, AblateBody);

impl PartialSchema for OverrideBody {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new().item(NumberOverride::schema()).item(AblateOverride::schema()).into()
    }
}

impl ToSchema for OverrideBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NumberOverride::schemas(schemas);
        AblateOverride::schemas(schemas);
    }
}

/// What would be otherwise.
#[derive(Serialize, ToSchema)]
pub struct WhatIfView {
    /// The format's id
    #[schema(value_type = String, pattern = "^chainrule\\.what-if/1$", min_length = 19, max_length = 19)]
    format: &'static str,
    /// The overrides, as they were asked for
    what_if: Vec<OverrideView>,
    /// Every number that comes out otherwise, in the order of computation
    differences: Vec<Difference>,
}

/// An override as it was asked for.
#[derive(Serialize)]
#[serde(untagged)]
pub enum OverrideView {
    /// A number
    Number { at: String, set: f64 },
    /// A unit
    Ablate { ablate: AblateView },
}

/// A unit of a layer.
#[derive(Serialize)]
pub struct AblateView {
    layer: LayerName,
    unit: usize,
}

impl PartialSchema for OverrideView {
    fn schema() -> RefOr<Schema> {
        OverrideBody::schema()
    }
}

impl ToSchema for OverrideView {}

/// The differences that overrides make to what is looked at.
pub async fn answer(
    app: &App,
    form: Report,
    inspection: Inspection<'_>,
    request: PassRequest,
    overrides: Vec<OverrideBody>,
) -> Result<Response, Problem> {
    if overrides.len() > OVERRIDES || overrides.is_empty() {
        let detail = format!("1 to {OVERRIDES} things may be otherwise at once, and these are {}", overrides.len());
        return Err(Fault::new("/what_if", Code::WrongShape, detail).into());
    }
    let overrides = overrides.into_iter().enumerate();
    let overrides = overrides.map(|(at, body)| body.into_override(at)).collect::<Result<Vec<_>, Fault>>()?;
    let (extent, limit) = (inspection.extent, app.limits().answer_bytes);
    let (asked, subject) = (overrides.clone(), Arc::clone(inspection.subject));
    let size = |cost: Cost| insight::bytes(subject.model(), cost);
    let permitted = |cost: Cost, _| {
        let bytes = size(cost);
        let too_large = SubjectError::AnswerTooLarge {
            part: "list of differences",
            bytes,
            limit,
            less: "forward alone, or send fewer rows",
        };
        // The pass as it is and as it would be, and each number of the two beside the other.
        if bytes > limit { Err(too_large) } else { Ok(2 * cost.multiply_adds + cost.numbers) }
    };
    let work = move |pass: &Pass, targets: Option<&Targets>| what_if(pass, targets, extent, &overrides);
    let (cost, differences) = inspection.run_if(request, permitted, work).await?;
    let what_if = asked.iter().cloned().map(OverrideView::from).collect();
    let view = WhatIfView { format: FORMAT, what_if, differences: differences? };
    let write = move |view: &WhatIfView, digits| report::what_if(&asked, &view.differences, digits);
    Ok(form.answer(app, size(cost), view, write).await)
}

impl OverrideBody {
    fn into_override(self, which: usize) -> Result<Override, Fault> {
        let at_place = format!("/what_if/{which}");
        match (self.at, self.set, self.ablate) {
            (Some(at), Some(_), None) if at.chars().count() > TEXT_CHARACTERS => {
                let detail = format!("a pointer has at most {TEXT_CHARACTERS} characters");
                Err(Fault::new(format!("{at_place}/at"), Code::UnknownNumber, detail))
            }
            (Some(at), Some(set), None) => Ok(Override::Number { at, set }),
            (None, None, Some(AblateBody { layer, unit })) => {
                let pointer = format!("{at_place}/ablate/layer");
                let layer = LayerName::parse(&layer)
                    .map_err(|error| Fault::new(pointer, Code::InvalidName, error.to_string()))?;
                Ok(Override::Ablate { layer, unit: usize::try_from(unit).unwrap_or(usize::MAX) })
            }
            (None | Some(_), _, Some(_)) => {
                let detail = "a unit is ablated, or a number is set; use two entries for both";
                Err(Fault::new(at_place, Code::ConflictingFields, detail))
            }
            _ => {
                let detail = "give \"at\" and \"set\", or \"ablate\"";
                Err(Fault::new(at_place, Code::MissingField, detail))
            }
        }
    }
}

impl From<Override> for OverrideView {
    fn from(wanted: Override) -> Self {
        match wanted {
            Override::Number { at, set } => Self::Number { at, set },
            Override::Ablate { layer, unit } => Self::Ablate { ablate: AblateView { layer, unit } },
        }
    }
}
