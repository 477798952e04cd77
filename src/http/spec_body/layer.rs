//! A layer, as a client writes it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::init::InitBody;
use super::{check_settings, count, setting};
use crate::engine::activation::Activation;
use crate::engine::layer::LayerKind;
use crate::engine::name::{LayerName, LayerPath};
use crate::engine::schema;
use crate::engine::spec::{BiasStart, DenseSpec, LayerKindSpec, LayerSpec, NormSpec, ResidualSpec, WeightsStart};
use crate::http::code::Code;
use crate::http::problem::Fault;
use crate::http::rows::{BiasBody, Rows};
use crate::http::strict::{given, given_whole, given_word, objects, word};
use crate::limits::NESTING;

/// A layer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct LayerBody {
    /// What kind of layer it is; the kind decides which other fields it may have
    #[serde(deserialize_with = "word")]
    pub kind: LayerKind,
    /// Its name; `layer1`, `layer2`, … by its place if left out
    #[schema(value_type = schema::Name, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub name: Option<String>,
    /// dense: its units; may be left out where weights are given
    #[schema(value_type = schema::Units, required = false)]
    #[serde(default, deserialize_with = "given_whole")]
    pub units: Option<u64>,
    /// dense: what its units make of their weighted sums, linear if left out; activation: what it does
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub activation: Option<Activation>,
    /// dense: whether it has biases, or their values; true if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub bias: Option<BiasBody>,
    /// dense, residual with a projection: its first weights, `[in][out]`
    #[schema(value_type = schema::Matrix, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub weights: Option<Rows>,
    /// dense, residual with a projection: how its first weights are drawn; glorot_uniform if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given")]
    pub init: Option<InitBody>,
    /// batch_norm, layer_norm: ε, above zero; 1e-5 if left out
    #[schema(value_type = schema::Positive, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub epsilon: Option<f64>,
    /// batch_norm: the weight of the newest batch in the running statistics; 0.1 if left out
    #[schema(value_type = schema::Share, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub momentum: Option<f64>,
    /// batch_norm, layer_norm: the first γ, `[units]`; ones if left out
    #[schema(value_type = schema::Row, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub gamma: Option<Vec<f64>>,
    /// batch_norm, layer_norm: the first β, `[units]`; zeros if left out
    #[schema(value_type = schema::Row, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub beta: Option<Vec<f64>>,
    /// dropout: the probability of being dropped; 0.5 if left out
    #[schema(value_type = schema::ShareBelowOne, required = false)]
    #[serde(default, deserialize_with = "given")]
    pub rate: Option<f64>,
    /// residual: the branch's layers, from below
    #[schema(min_items = 1, nullable = false, no_recursion)]
    #[serde(default, deserialize_with = "given")]
    pub layers: Option<Vec<LayerBody>>,
    /// residual: the way around the branch; identity if left out
    #[schema(nullable = false)]
    #[serde(default, deserialize_with = "given_word")]
    pub shortcut: Option<ShortcutKind>,
}

/// The way around a residual block's branch.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShortcutKind {
    /// The inputs as they are
    #[default]
    Identity,
    /// The inputs times weights of its own, where the branch changes the number of units
    Projection,
}

objects!(LayerBody);

/// Layers at a path, inside of a residual block of that name or of none.
pub fn into_specs(
    layers: Vec<LayerBody>,
    outer: &LayerPath,
    inside: Option<&LayerName>,
) -> Result<Vec<LayerSpec>, Fault> {
    let layers = layers.into_iter().enumerate();
    layers.map(|(index, layer)| layer.into_spec(index, &outer.inside(index), inside)).collect()
}

impl LayerBody {
    fn into_spec(self, index: usize, path: &LayerPath, inside: Option<&LayerName>) -> Result<LayerSpec, Fault> {
        let at = format!("/network{path}");
        if path.indices().len() > NESTING + 1 {
            let detail = format!("residual blocks stand at most {NESTING} deep in each other");
            return Err(Fault::new(at, Code::NetworkTooLarge, detail));
        }
        let name = match &self.name {
            Some(name) => LayerName::parse(name),
            None => LayerName::by_place(index, inside),
        };
        let name = name.map_err(|error| Fault::new(format!("{at}/name"), Code::InvalidName, error.to_string()))?;
        self.check_settings(&at)?;
        let kind = match self.kind {
            LayerKind::Dense => LayerKindSpec::Dense(self.into_dense(&at)?),
            LayerKind::Activation => match self.activation {
                Some(activation) => LayerKindSpec::Activation(activation),
                None => return Err(Fault::new(at, Code::MissingField, "the field \"activation\" is missing")),
            },
            LayerKind::BatchNorm => LayerKindSpec::BatchNorm(self.into_norm(&at)?),
            LayerKind::LayerNorm => LayerKindSpec::LayerNorm(self.into_norm(&at)?),
            LayerKind::Dropout => {
                let rate =
                    setting(&at, "rate", self.rate, 0.5, "from 0 up to but not 1", |rate| (0.0..1.0).contains(&rate))?;
                LayerKindSpec::Dropout { rate }
            }
            LayerKind::Residual => LayerKindSpec::Residual(self.into_residual(&at, path, &name)?),
        };
        Ok(LayerSpec { name, kind })
    }

    fn check_settings(&self, at: &str) -> Result<(), Fault> {
        let (kind, takes): (&str, &[&str]) = match (self.kind, self.shortcut) {
            (LayerKind::Dense, _) => ("a dense layer", &["units", "activation", "bias", "weights", "init"]),
            (LayerKind::Activation, _) => ("an activation layer", &["activation"]),
            (LayerKind::BatchNorm, _) => ("batch_norm", &["epsilon", "momentum", "gamma", "beta"]),
            (LayerKind::LayerNorm, _) => ("layer_norm", &["epsilon", "gamma", "beta"]),
            (LayerKind::Dropout, _) => ("dropout", &["rate"]),
            (LayerKind::Residual, Some(ShortcutKind::Projection)) => {
                ("a residual block with a projection", &["layers", "shortcut", "weights", "init"])
            }
            (LayerKind::Residual, _) => ("a residual block with an identity", &["layers", "shortcut"]),
        };
        let given = [
            ("units", self.units.is_some()),
            ("activation", self.activation.is_some()),
            ("bias", self.bias.is_some()),
            ("weights", self.weights.is_some()),
            ("init", self.init.is_some()),
            ("epsilon", self.epsilon.is_some()),
            ("momentum", self.momentum.is_some()),
            ("gamma", self.gamma.is_some()),
            ("beta", self.beta.is_some()),
            ("rate", self.rate.is_some()),
            ("layers", self.layers.is_some()),
            ("shortcut", self.shortcut.is_some()),
        ];
        check_settings(at, kind, takes, &given)
    }

    fn into_dense(self, at: &str) -> Result<DenseSpec, Fault> {
        let weights = into_start(self.weights, self.init, at)?;
        let units = match (self.units, &weights) {
            (Some(units), _) => count(units),
            (None, WeightsStart::Values(weights)) => weights.size().1,
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

    fn into_norm(self, at: &str) -> Result<NormSpec, Fault> {
        let otherwise = NormSpec::default();
        let positive = |value: f64| value > 0.0;
        let share = |value: f64| (0.0..=1.0).contains(&value);
        Ok(NormSpec {
            epsilon: setting(at, "epsilon", self.epsilon, otherwise.epsilon, "above zero", positive)?,
            momentum: setting(at, "momentum", self.momentum, otherwise.momentum, "from 0 to 1", share)?,
            gamma: self.gamma,
            beta: self.beta,
        })
    }

    fn into_residual(self, at: &str, path: &LayerPath, name: &LayerName) -> Result<ResidualSpec, Fault> {
        let Some(layers) = self.layers else {
            return Err(Fault::new(at, Code::MissingField, "the field \"layers\" is missing"));
        };
        let layers = into_specs(layers, path, Some(name))?;
        let projection = match self.shortcut.unwrap_or_default() {
            ShortcutKind::Identity => None,
            ShortcutKind::Projection => Some(into_start(self.weights, self.init, at)?),
        };
        Ok(ResidualSpec { layers, projection })
    }
}

fn into_start(weights: Option<Rows>, init: Option<InitBody>, at: &str) -> Result<WeightsStart, Fault> {
    match (weights, init) {
        (Some(_), Some(_)) => {
            let detail = "weights that are given are not drawn; leave init or weights out";
            Err(Fault::new(format!("{at}/init"), Code::ConflictingFields, detail))
        }
        (Some(weights), None) => Ok(WeightsStart::values(weights.into_weights(&format!("{at}/weights"))?)),
        (None, init) => {
            let init = init.map(|init| init.into_init(&format!("{at}/init"))).transpose()?;
            Ok(WeightsStart::Init(init.unwrap_or_default()))
        }
    }
}
