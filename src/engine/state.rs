//! The state: all that a step changes, and its hash.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::{self, Deserialize, Deserializer, Unexpected};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;
use utoipa::ToSchema;

use super::layer::NamedLayer;
use super::model::Model;
use super::name::{LayerName, LayerPath};
use super::optimizer::Optimizer;
use super::schema;
use super::tensor::{Named, ParameterName, Parameters, Slots, Tensor, WireName};

/// Every layer's state and the number of updates so far, immutable: a step makes a new state that shares what it did
/// not change.
#[derive(Clone, Debug)]
pub struct State {
    layers: Vec<LayerState>,
    updates: u64,
    hash: OnceLock<StateHash>,
}

/// What a layer has that a step may change.
#[derive(Clone, Debug, Default)]
pub struct LayerState {
    /// Its own parameters; none for many kinds
    pub parameters: Arc<Parameters>,
    /// What the optimizer remembers of each parameter
    pub slots: Arc<Named<Slots>>,
    /// Batch normalization's running statistics
    pub running: Option<Arc<Running>>,
    /// The states of the layers inside, from below
    pub layers: Vec<LayerState>,
}

/// The statistics that batch normalization gathers in training and uses afterwards.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Running {
    /// The running mean of each unit, `[units]`
    #[schema(value_type = schema::Row)]
    pub mean: Vec<f64>,
    /// The running unbiased variance of each unit, `[units]`
    #[schema(value_type = schema::Row)]
    pub variance: Vec<f64>,
}

/// SHA-256 over a state; two states with one hash are the same to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash([u8; 32]);

/// Values to be put in the place of a layer's own.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// Where the request names it
    pub at: LayerPath,
    /// The layer
    pub layer: LayerName,
    /// Those of its parameters that change
    pub parameters: Vec<(ParameterName, Tensor)>,
    /// The running statistics, where they change
    pub running: Option<Running>,
}

/// Why parameters cannot be replaced; `at` is where the request names the layer.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ReplaceError {
    #[error("the network has no layer {layer}; it has {known}")]
    UnknownLayer { at: LayerPath, layer: LayerName, known: String },
    #[error("layer {layer} is named twice")]
    NamedTwice { at: LayerPath, layer: LayerName },
    #[error("layer {layer} has no {}", .parameter.as_str())]
    NoSuchParameter { at: LayerPath, layer: LayerName, parameter: ParameterName },
    #[error("layer {layer} needs {} of shape {expected}, not {got}", .parameter.as_str())]
    Shape { at: LayerPath, layer: LayerName, parameter: ParameterName, expected: String, got: String },
    #[error("layer {layer} has no running statistics; batch_norm alone has")]
    NoRunning { at: LayerPath, layer: LayerName },
    #[error("layer {layer} needs {expected} running {statistic}s, not {got}")]
    RunningShape { at: LayerPath, layer: LayerName, statistic: &'static str, expected: usize, got: usize },
    #[error("a variance is not below zero, and number {index} of layer {layer} is {value}")]
    NegativeVariance { at: LayerPath, layer: LayerName, index: usize, value: f64 },
}

impl LayerState {
    /// Of a layer with these parameters alone.
    pub fn of(parameters: Parameters) -> Self {
        Self { parameters: Arc::new(parameters), ..Self::default() }
    }

    /// The same with what the optimizer remembers before the first step.
    pub(super) fn remembered_by(self, optimizer: &Optimizer) -> Self {
        let slots = Arc::new(self.parameters.map(|_, tensor| optimizer.start(tensor)));
        let layers = self.layers.into_iter().map(|layer| layer.remembered_by(optimizer)).collect();
        Self { slots, layers, ..self }
    }
}

impl State {
    /// From each layer's state, from the inputs up, after so many updates.
    pub fn new(layers: Vec<LayerState>, updates: u64) -> Self {
        Self { layers, updates, hash: OnceLock::new() }
    }

    /// Each layer's state, from the inputs up.
    pub fn layers(&self) -> &[LayerState] {
        &self.layers
    }

    /// The steps that led here.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The state of the layer at a path of the model that the state belongs to.
    pub fn at(&self, path: &LayerPath) -> Option<&LayerState> {
        let (first, inner) = path.indices().split_first()?;
        inner.iter().try_fold(self.layers.get(*first)?, |layer, &index| layer.layers.get(index))
    }

    fn at_mut(&mut self, path: &LayerPath) -> Option<&mut LayerState> {
        let (first, inner) = path.indices().split_first()?;
        inner.iter().try_fold(self.layers.get_mut(*first)?, |layer, &index| layer.layers.get_mut(index))
    }

    /// A parameter of this copy of the state alone, to be changed in place: others keep theirs.
    pub fn parameter_mut(&mut self, path: &LayerPath, name: ParameterName) -> Option<&mut Tensor> {
        self.hash = OnceLock::new();
        let parameters = Arc::make_mut(&mut self.at_mut(path)?.parameters);
        let (_, tensor) = parameters.iter_mut().find(|(candidate, _)| *candidate == name)?;
        Some(Arc::make_mut(tensor))
    }

    /// The hash, computed when it is first asked for.
    ///
    /// SHA-256 over `chainrule.state/1⏎` and then, for each layer from the inputs up and each of its parameters
    /// in order, `{layer}/{parameter}⏎`, rows and columns as little-endian u64 (a vector is one row) and the
    /// values as little-endian doubles, row by row. Behind each parameter stands what the optimizer remembers of it,
    /// `{layer}/{parameter}/{slot}⏎` in the same form, behind the parameters of a batch normalization
    /// `{layer}/running/mean⏎` and `{layer}/running/variance⏎`, behind those of a residual block its layers. Where
    /// the next step depends on how many there were (adam, adamw, dropout), `updates⏎` and their number as u64 end it.
    pub fn hash(&self, model: &Model) -> StateHash {
        *self.hash.get_or_init(|| {
            let mut sha = Sha256::new();
            sha.update(b"chainrule.state/1\n");
            hash_layers(&mut sha, model.layers(), &self.layers);
            if model.counts_updates() {
                sha.update(b"updates\n");
                sha.update(self.updates.to_le_bytes());
            }
            StateHash(sha.finalize().into())
        })
    }

    /// The state with some values replaced; what is not named stays.
    pub fn replaced(&self, model: &Model, replacements: Vec<Replacement>) -> Result<Self, ReplaceError> {
        let mut after = Self::new(self.layers.clone(), self.updates);
        let mut seen: Vec<LayerPath> = vec![];
        for Replacement { at, layer, parameters, running } in replacements {
            let found = model.layer(layer.as_str()).map(|(path, _)| path);
            let Some((path, state)) = found.and_then(|path| after.at_mut(&path).map(|state| (path, state))) else {
                let known = model.names().take(20).map(LayerName::as_str).collect::<Vec<_>>();
                return Err(ReplaceError::UnknownLayer { at, layer, known: known.join(", ") });
            };
            if seen.contains(&path) {
                return Err(ReplaceError::NamedTwice { at, layer });
            }
            seen.push(path);
            state.parameters = Arc::new(replace(&state.parameters, parameters, &at, &layer)?);
            if let Some(running) = running {
                state.running = Some(Arc::new(replace_running(state.running.as_deref(), running, &at, &layer)?));
            }
        }
        Ok(after)
    }
}

fn hash_layers(sha: &mut Sha256, layers: &[NamedLayer], states: &[LayerState]) {
    for (named, state) in layers.iter().zip(states) {
        for (name, tensor) in state.parameters.iter() {
            let place = format!("{}/{}", named.name, name.as_str());
            hash_values(sha, &place, tensor.size(), tensor.values());
            for (slot, tensor) in state.slots.get(name).into_iter().flat_map(Named::iter) {
                hash_values(sha, &format!("{place}/{}", slot.as_str()), tensor.size(), tensor.values());
            }
        }
        if let Some(running) = &state.running {
            for (name, values) in [("mean", &running.mean), ("variance", &running.variance)] {
                hash_values(sha, &format!("{}/running/{name}", named.name), (1, values.len()), values);
            }
        }
        hash_layers(sha, named.layer.inner(), &state.layers);
    }
}

fn hash_values(sha: &mut Sha256, place: &str, (rows, columns): (usize, usize), values: &[f64]) {
    sha.update(place);
    sha.update(b"\n");
    sha.update((rows as u64).to_le_bytes());
    sha.update((columns as u64).to_le_bytes());
    for value in values {
        sha.update(value.to_le_bytes());
    }
}

fn replace(
    before: &Parameters,
    replacements: Vec<(ParameterName, Tensor)>,
    at: &LayerPath,
    layer: &LayerName,
) -> Result<Parameters, ReplaceError> {
    let mut after = before.clone();
    for (parameter, tensor) in replacements {
        let (at, layer) = (at.clone(), layer.clone());
        let Some((_, slot)) = after.iter_mut().find(|(name, _)| *name == parameter) else {
            return Err(ReplaceError::NoSuchParameter { at, layer, parameter });
        };
        if !slot.same_shape(&tensor) {
            let (expected, got) = (slot.shape(), tensor.shape());
            return Err(ReplaceError::Shape { at, layer, parameter, expected, got });
        }
        *slot = Arc::new(tensor);
    }
    Ok(after)
}

fn replace_running(
    before: Option<&Running>,
    running: Running,
    at: &LayerPath,
    layer: &LayerName,
) -> Result<Running, ReplaceError> {
    let (at, layer) = (at.clone(), layer.clone());
    let Some(before) = before else { return Err(ReplaceError::NoRunning { at, layer }) };
    let expected = before.mean.len();
    for (statistic, values) in [("mean", &running.mean), ("variance", &running.variance)] {
        if values.len() != expected {
            return Err(ReplaceError::RunningShape { at, layer, statistic, expected, got: values.len() });
        }
    }
    match running.variance.iter().position(|&variance| variance < 0.0) {
        Some(index) => Err(ReplaceError::NegativeVariance { at, layer, index, value: running.variance[index] }),
        None => Ok(running),
    }
}

impl StateHash {
    /// The hash as bytes.
    pub fn bytes(self) -> [u8; 32] {
        self.0
    }

    /// A hash that was kept as bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash, where the text is one as it is displayed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || text.bytes().any(|digit| !matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for StateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(const_hex::Buffer::<32>::new().format(&self.0))
    }
}

impl Serialize for StateHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StateHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(Unexpected::Str(&text), &"a state's hash, 64 digits of 0 to 9 and a to f")
        })
    }
}
