//! A session as a client writes it, turned into the engine's spec with a pointer for whatever is wrong.
//!
//! Layers come in as one flat struct with every field that any kind may have: serde's tagged enums lose the pointer.

use serde::Deserialize;
use utoipa::openapi::{OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::code::Code;
use super::problem::Fault;
use super::rows::{BiasBody, Rows};
use super::strict::{given, given_whole, given_word, objects, whole, word};
use crate::engine::activation::Activation;
use crate::engine::init::Init;
use crate::engine::layer::LayerKind;
use crate::engine::loss::Loss;
use crate::engine::name::LayerName;
use crate::engine::optimizer::{LearningRate, Optimizer};
use crate::engine::schema;
use crate::engine::spec::{BiasStart, DenseSpec, LayerKindSpec, LayerSpec, ModelSpec, NetworkSpec, Seed, WeightsStart};
use crate::limits::{INIT_MAX, SEED_MAX};
use crate::session::{Preset, SubjectSpec};

/// A session to be made: a network with its loss, optimizer and seed, or a preset by name.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct SessionBody {
    /// The name of a preset; alone
    #[schema(schema_with = schema::name, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub preset: Option<String>,
    /// The network
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub network: Option<NetworkBody>,
    /// What the outputs are judged by; half_squared_error if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub loss: Option<Loss>,
    /// How gradients become changes; sgd with 0.1 if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub optimizer: Option<OptimizerBody>,
    /// Where the random numbers start; 0 if left out
    #[schema(schema_with = schema::seed, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    pub seed: Option<u64>,
}

/// A network: so many inputs, then layers from the inputs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct NetworkBody {
    /// Inputs of an example
    #[schema(schema_with = schema::units)]
    #[serde(deserialize_with = "whole")]
    pub inputs: u64,
    /// The layers from the inputs up
    #[schema(min_items = 1, max_items = 1000)]
    pub layers: Vec<LayerBody>,
}

/// A layer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct LayerBody {
    /// What it is
    #[serde(deserialize_with = "word")]
    pub kind: LayerKind,
    /// Its name; `layer1`, `layer2`, … by its place if left out
    #[schema(schema_with = schema::name, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub name: Option<String>,
    /// Its units; may be left out where weights are given
    #[schema(schema_with = schema::units, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    pub units: Option<u64>,
    /// What its units make of their weighted sums; linear if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub activation: Option<Activation>,
    /// Whether it has biases, or their values; true if left out
    #[schema(schema_with = schema::bias, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub bias: Option<BiasBody>,
    /// Its first weights, `[in][out]`
    #[schema(schema_with = schema::matrix, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub weights: Option<Rows>,
    /// How its first weights are drawn; glorot_uniform if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub init: Option<InitBody>,
}

/// An optimizer with its settings.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct OptimizerBody {
    /// sgd if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub kind: Option<OptimizerKind>,
    /// η; 0.1 if left out
    #[schema(schema_with = schema::learning_rate, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub learning_rate: Option<f64>,
}

/// Which optimizer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Stochastic gradient descent: change = −η·gradient
    #[default]
    Sgd,
}

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
        schemas.push((InitKind::name().into(), InitKind::schema()));
    }
}

/// A way of drawing weights, with the settings that it takes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct InitFields {
    /// The way
    #[serde(deserialize_with = "word")]
    kind: InitKind,
    /// constant: the value
    #[schema(schema_with = schema::init_number, required = false)]
    #[serde(default, deserialize_with = "given")]
    value: Option<f64>,
    /// uniform: the lower end; 0 if left out
    #[schema(schema_with = schema::init_number, required = false)]
    #[serde(default, deserialize_with = "given")]
    low: Option<f64>,
    /// uniform: the upper end; 1 if left out
    #[schema(schema_with = schema::init_number, required = false)]
    #[serde(default, deserialize_with = "given")]
    high: Option<f64>,
    /// normal: the mean; 0 if left out
    #[schema(schema_with = schema::init_number, required = false)]
    #[serde(default, deserialize_with = "given")]
    mean: Option<f64>,
    /// normal: the standard deviation; 1 if left out
    #[schema(schema_with = schema::init_deviation, required = false)]
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

objects!(SessionBody, NetworkBody, LayerBody, OptimizerBody, InitFields);

impl SessionBody {
    /// The spec, every default filled in.
    pub fn into_spec(self) -> Result<SubjectSpec, Fault> {
        if let Some(preset) = self.preset {
            let others = [
                ("network", self.network.is_some()),
                ("loss", self.loss.is_some()),
                ("optimizer", self.optimizer.is_some()),
                ("seed", self.seed.is_some()),
            ];
            if let Some((field, _)) = others.iter().find(|(_, given)| *given) {
                let detail = format!("a preset brings its own {field}; leave one of the two out");
                return Err(Fault::new(format!("/{field}"), Code::ConflictingFields, detail));
            }
            let found = Preset::find(&preset).map(|preset| (preset.spec)());
            return found.ok_or_else(|| {
                let known: Vec<_> = crate::session::PRESETS.iter().map(|preset| preset.name).collect();
                let detail = format!("there is no such preset; known are {}", known.join(", "));
                Fault::new("/preset", Code::UnknownPreset, detail)
            });
        }
        let Some(network) = self.network else {
            let detail = "the field \"network\" is missing; a session needs a network or a preset";
            return Err(Fault::new("", Code::MissingField, detail));
        };
        let model = ModelSpec {
            network: network.into_spec()?,
            loss: self.loss.unwrap_or(Loss::HalfSquaredError),
            optimizer: self.optimizer.unwrap_or_default().into_optimizer()?,
            seed: into_seed(self.seed)?,
        };
        Ok(SubjectSpec { model, data: None })
    }
}

impl NetworkBody {
    fn into_spec(self) -> Result<NetworkSpec, Fault> {
        let layers = self.layers.into_iter().enumerate();
        let layers = layers.map(|(index, layer)| layer.into_spec(index)).collect::<Result<_, _>>()?;
        Ok(NetworkSpec { inputs: count(self.inputs), layers })
    }
}

impl LayerBody {
    fn into_spec(self, index: usize) -> Result<LayerSpec, Fault> {
        let at = format!("/network/layers/{index}");
        let name = match &self.name {
            Some(name) => LayerName::parse(name)
                .map_err(|error| Fault::new(format!("{at}/name"), Code::InvalidName, error.to_string()))?,
            None => LayerName::by_place(index),
        };
        let kind = match self.kind {
            LayerKind::Dense => LayerKindSpec::Dense(self.into_dense(&at)?),
        };
        Ok(LayerSpec { name, kind })
    }

    fn into_dense(self, at: &str) -> Result<DenseSpec, Fault> {
        let weights = match (self.weights, self.init) {
            (Some(_), Some(_)) => {
                let detail = "weights that are given are not drawn; leave init or weights out";
                return Err(Fault::new(format!("{at}/init"), Code::ConflictingFields, detail));
            }
            (Some(weights), None) => WeightsStart::Values(weights.into_weights(&format!("{at}/weights"))?),
            (None, init) => {
                let init = init.map(|InitBody(init)| init.into_init(&format!("{at}/init"))).transpose()?;
                WeightsStart::Init(init.unwrap_or_default())
            }
        };
        let units = match (self.units, &weights) {
            (Some(units), _) => count(units),
            (None, WeightsStart::Values(weights)) => weights.columns(),
            (None, WeightsStart::Init(_)) => {
                return Err(Fault::new(at, Code::MissingField, "the field \"units\" is missing"));
            }
        };
        let bias = match self.bias {
            None | Some(BiasBody::Switch(true)) => BiasStart::Zeros,
            Some(BiasBody::Switch(false)) => BiasStart::None,
            Some(BiasBody::Values(values)) => BiasStart::Values(values),
        };
        Ok(DenseSpec { units, activation: self.activation.unwrap_or(Activation::Linear), weights, bias })
    }
}

impl OptimizerBody {
    fn into_optimizer(self) -> Result<Optimizer, Fault> {
        let learning_rate = into_learning_rate(self.learning_rate.unwrap_or(0.1), "/optimizer/learning_rate")?;
        match self.kind.unwrap_or_default() {
            OptimizerKind::Sgd => Ok(Optimizer::Sgd { learning_rate }),
        }
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
        match given.iter().find(|(field, value)| value.is_some() && !takes.contains(field)) {
            None => Ok(()),
            Some((field, _)) => {
                let detail = format!("this kind of init has no {field:?}");
                Err(Fault::new(format!("{at}/{field}"), Code::ConflictingFields, detail))
            }
        }
    }
}

/// A learning rate, where the number can be one.
pub fn into_learning_rate(rate: f64, pointer: &str) -> Result<LearningRate, Fault> {
    LearningRate::new(rate).ok_or_else(|| {
        let detail = format!("a learning rate is not below zero, and this one is {rate}");
        Fault::new(pointer, Code::NumberOutOfRange, detail)
    })
}

fn into_seed(seed: Option<u64>) -> Result<Seed, Fault> {
    Seed::new(seed.unwrap_or_default()).ok_or_else(|| {
        let detail = format!("a seed is at most {SEED_MAX}, the largest integer that every JSON reader keeps");
        Fault::new("/seed", Code::NumberOutOfRange, detail)
    })
}

/// A size as the machine counts; what passes its range passes every limit too.
fn count(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
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
