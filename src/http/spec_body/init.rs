//! How first weights are drawn, as a client writes it.

use serde::Deserialize;
use utoipa::openapi::{OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::engine::init::Init;
use crate::engine::schema;
use crate::http::code::Code;
use crate::http::problem::Fault;
use crate::http::strict::{given, objects, word};
use crate::limits::INIT_MAX;

/// How weights are drawn: a kind by name, or an object with the kind's settings.
#[derive(Debug, Deserialize)]
#[serde(from = "InitText")]
pub struct InitBody(InitFields);

impl PartialSchema for InitBody {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .description(Some("How weights are drawn: a way by name, or an object with its settings."))
            .item(InitKind::schema())
            .item(InitFields::schema())
            .into()
    }
}

impl ToSchema for InitBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        InitFields::schemas(schemas);
    }
}

/// A way of drawing weights, with the settings that it takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct InitFields {
    /// The way of drawing
    #[serde(deserialize_with = "word")]
    kind: InitKind,
    /// constant: the value of every weight
    #[schema(value_type = schema::InitNumber, required = false)]
    #[serde(default, deserialize_with = "given")]
    value: Option<f64>,
    /// uniform: the lower end; 0 if left out
    #[schema(value_type = schema::InitNumber, required = false)]
    #[serde(default, deserialize_with = "given")]
    low: Option<f64>,
    /// uniform: the upper end; 1 if left out
    #[schema(value_type = schema::InitNumber, required = false)]
    #[serde(default, deserialize_with = "given")]
    high: Option<f64>,
    /// normal: the mean; 0 if left out
    #[schema(value_type = schema::InitNumber, required = false)]
    #[serde(default, deserialize_with = "given")]
    mean: Option<f64>,
    /// normal: the standard deviation; 1 if left out
    #[schema(value_type = schema::InitDeviation, required = false)]
    #[serde(default, deserialize_with = "given")]
    std: Option<f64>,
}

/// A way of drawing weights.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InitKind {
    /// 0 everywhere
    Zeros,
    /// One value everywhere
    Constant,
    /// Evenly between two ends
    Uniform,
    /// Normally, by mean and standard deviation
    Normal,
    /// Evenly in ± √(6/(in + out)); PyTorch's xavier_uniform
    GlorotUniform,
    /// Normally with the standard deviation √(2/(in + out)); PyTorch's xavier_normal
    GlorotNormal,
    /// Evenly in ± √(6/in); PyTorch's kaiming_uniform
    HeUniform,
    /// Normally with the standard deviation √(2/in); PyTorch's kaiming_normal
    HeNormal,
}

objects!(InitFields);

impl InitBody {
    /// The init; `at` is where it stands.
    pub fn into_init(self, at: &str) -> Result<Init, Fault> {
        self.0.into_init(at)
    }
}

impl InitFields {
    fn into_init(self, at: &str) -> Result<Init, Fault> {
        self.check_fields(at)?;
        let number = |field: &str, value: Option<f64>, otherwise: f64| match value.unwrap_or(otherwise) {
            value if value.abs() <= INIT_MAX => Ok(value),
            _ => {
                let detail = format!("a first weight lies between −{INIT_MAX} and {INIT_MAX}");
                Err(Fault::new(format!("{at}/{field}"), Code::NumberOutOfRange, detail))
            }
        };
        Ok(match self.kind {
            InitKind::Zeros => Init::Zeros,
            InitKind::Constant if self.value.is_none() => {
                return Err(Fault::new(at, Code::MissingField, "the field \"value\" is missing"));
            }
            InitKind::Constant => Init::Constant { value: number("value", self.value, 0.0)? },
            InitKind::Uniform => {
                let (low, high) = (number("low", self.low, 0.0)?, number("high", self.high, 1.0)?);
                if high < low {
                    let detail = format!("the upper end {high} lies below the lower end {low}");
                    return Err(Fault::new(format!("{at}/high"), Code::NumberOutOfRange, detail));
                }
                Init::Uniform { low, high }
            }
            InitKind::Normal => {
                let (mean, std) = (number("mean", self.mean, 0.0)?, number("std", self.std, 1.0)?);
                if std < 0.0 {
                    let detail = "a standard deviation is not below zero";
                    return Err(Fault::new(format!("{at}/std"), Code::NumberOutOfRange, detail));
                }
                Init::Normal { mean, std }
            }
            InitKind::GlorotUniform => Init::GlorotUniform,
            InitKind::GlorotNormal => Init::GlorotNormal,
            InitKind::HeUniform => Init::HeUniform,
            InitKind::HeNormal => Init::HeNormal,
        })
    }

    /// A setting that the kind does not have would be lost.
    fn check_fields(&self, at: &str) -> Result<(), Fault> {
        let takes: &[&str] = match self.kind {
            InitKind::Constant => &["value"],
            InitKind::Uniform => &["low", "high"],
            InitKind::Normal => &["mean", "std"],
            _ => &[],
        };
        let given =
            [("value", self.value), ("low", self.low), ("high", self.high), ("mean", self.mean), ("std", self.std)];
        let given = given.map(|(field, value)| (field, value.is_some()));
        super::check_settings(at, "this kind of init", takes, &given)
    }
}

/// Either form of an init, before it is known which.
enum InitText {
    Name(InitKind),
    Fields(InitFields),
}

impl From<InitText> for InitBody {
    fn from(text: InitText) -> Self {
        Self(match text {
            InitText::Name(kind) => InitFields { kind, value: None, low: None, high: None, mean: None, std: None },
            InitText::Fields(fields) => fields,
        })
    }
}

impl<'de> Deserialize<'de> for InitText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InitVisitor)
    }
}

struct InitVisitor;

impl<'de> serde::de::Visitor<'de> for InitVisitor {
    type Value = InitText;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name of a way of drawing weights or an object with its settings")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<InitText, E> {
        use serde::de::IntoDeserializer;
        InitKind::deserialize(text.into_deserializer()).map(InitText::Name)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, entries: A) -> Result<InitText, A::Error> {
        InitFields::deserialize(serde::de::value::MapAccessDeserializer::new(entries)).map(InitText::Fields)
    }
}
