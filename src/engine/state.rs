//! The state: all that a step changes, and its hash.

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::{self, Deserialize, Deserializer, Unexpected};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::model::{Model, NamedLayer};
use super::name::LayerName;
use super::tensor::{Named, ParameterName, Parameters, Tensor};

/// Every layer's parameters, immutable: a step makes a new state that shares what it did not change.
#[derive(Clone, Debug)]
pub struct State {
    layers: Vec<Arc<Parameters>>,
    hash: OnceLock<StateHash>,
}

/// SHA-256 over all parameters; two states with one hash are the same to the bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash([u8; 32]);

/// Parameters to be put in the place of a layer's own.
#[derive(Clone, Debug)]
pub struct Replacement {
    /// The layer
    pub layer: LayerName,
    /// Those of its parameters that change
    pub parameters: Vec<(ParameterName, Tensor)>,
}

/// Why parameters cannot be replaced.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum ReplaceError {
    #[error("the network has no layer {layer}; it has {known}")]
    UnknownLayer { at: usize, layer: LayerName, known: String },
    #[error("layer {layer} is named twice")]
    NamedTwice { at: usize, layer: LayerName },
    #[error("layer {layer} has no {}", .parameter.as_str())]
    NoSuchParameter { at: usize, layer: LayerName, parameter: ParameterName },
    #[error("layer {layer} needs {} of shape {expected}, not {got}", .parameter.as_str())]
    Shape { at: usize, layer: LayerName, parameter: ParameterName, expected: String, got: String },
}

impl State {
    /// From each layer's parameters, from the inputs up.
    pub fn new(layers: Vec<Arc<Parameters>>) -> Self {
        Self { layers, hash: OnceLock::new() }
    }

    /// Each layer's parameters, from the inputs up.
    pub fn layers(&self) -> &[Arc<Parameters>] {
        &self.layers
    }

    /// The hash, computed when it is first asked for.
    ///
    /// SHA-256 over `chainrule.state/1⏎` and then, for each layer from the inputs up and each of its parameters
    /// in order, `{layer}/{parameter}⏎`, rows and columns as little-endian u64 (a vector is one row) and the
    /// values as little-endian doubles, row by row.
    pub fn hash(&self, layers: &[NamedLayer]) -> StateHash {
        *self.hash.get_or_init(|| {
            let mut sha = Sha256::new();
            sha.update(b"chainrule.state/1\n");
            for (layer, parameters) in layers.iter().zip(&self.layers) {
                for (name, tensor) in parameters.iter() {
                    sha.update(format!("{}/{}\n", layer.name, name.as_str()));
                    let (rows, columns) = tensor.size();
                    sha.update((rows as u64).to_le_bytes());
                    sha.update((columns as u64).to_le_bytes());
                    for value in tensor.values() {
                        sha.update(value.to_le_bytes());
                    }
                }
            }
            StateHash(sha.finalize().into())
        })
    }

    /// The state with some parameters replaced; what is not named stays.
    pub fn replaced(&self, model: &Model, replacements: Vec<Replacement>) -> Result<Self, ReplaceError> {
        let mut layers = self.layers.clone();
        let mut seen = vec![false; layers.len()];
        for (at, Replacement { layer, parameters }) in replacements.into_iter().enumerate() {
            let Some((index, _)) = model.layer(layer.as_str()) else {
                let known = model.layers().iter().take(20).map(|layer| layer.name.as_str()).collect::<Vec<_>>();
                return Err(ReplaceError::UnknownLayer { at, layer, known: known.join(", ") });
            };
            if std::mem::replace(&mut seen[index], true) {
                return Err(ReplaceError::NamedTwice { at, layer });
            }
            layers[index] = Arc::new(replace(&layers[index], parameters, at, &layer)?);
        }
        Ok(Self::new(layers))
    }
}

fn replace(
    before: &Parameters,
    replacements: Vec<(ParameterName, Tensor)>,
    at: usize,
    layer: &LayerName,
) -> Result<Parameters, ReplaceError> {
    let mut after: Vec<_> = before.iter().map(|(name, tensor)| (name, Arc::clone(tensor))).collect();
    for (parameter, tensor) in replacements {
        let Some((_, slot)) = after.iter_mut().find(|(name, _)| *name == parameter) else {
            return Err(ReplaceError::NoSuchParameter { at, layer: layer.clone(), parameter });
        };
        if !slot.same_shape(&tensor) {
            let (expected, got) = (slot.shape(), tensor.shape());
            return Err(ReplaceError::Shape { at, layer: layer.clone(), parameter, expected, got });
        }
        *slot = Arc::new(tensor);
    }
    Ok(Named::new(after))
}

impl StateHash {
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
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
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
