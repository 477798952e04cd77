//! What an entry of a log says: a command with everything that it needs, so that state is a function of the log alone.
//!
//! A command is CBOR (RFC 8949) with names for all fields and variants; matrices are their little-endian doubles. A
//! field may be added with a default, and nothing may ever be renamed: a log is read by every later version.

use serde::{Deserialize, Serialize};

use super::cbor::{Bytes, Numbers, Unreadable, from_cbor, to_cbor};
use super::course::TrainCommand;
use super::subject::{Data, Detail, SubjectSpec};
use crate::engine::ARITHMETIC;
use crate::engine::mode::Mode;
use crate::engine::name::{LayerName, LayerPath};
use crate::engine::optimizer::LearningRate;
use crate::engine::spec::ModelSpec;
use crate::engine::state::{Replacement, Running};
use crate::engine::summary::Sizes;
use crate::engine::tensor::{ParameterName, Tensor};

/// What became of a session at a step.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// It was made, or branched off from another one.
    Create(Box<Creation>),
    /// Forward, backward and the update.
    Step(StepCommand),
    /// Parameters were replaced.
    Replace(ReplaceCommand),
    /// It went back to the state of an earlier step.
    Rewind {
        /// That step
        to: u64,
    },
    /// Some steps of a training run.
    Train(Box<TrainCommand>),
    /// It goes on with another version of the arithmetic, from the state that it had reached.
    Seal(SealCommand),
}

/// How a session began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Creation {
    /// The version of the arithmetic that its numbers were made with
    pub arithmetic: u32,
    /// The id of the trace's format that its steps were answered in
    pub format: String,
    /// Its name, as it stands in the answers of its steps
    pub name: String,
    /// Network, loss, optimizer and seed
    pub model: ModelSpec,
    /// The data of its preset
    pub data: Option<Data>,
    /// Where it branched off
    pub from: Option<Branch>,
}

/// Where a session branched off from another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// The other's name at that time
    pub session: String,
    /// The last step that both have
    pub at: u64,
}

/// A step, nothing left to a default but what the creation says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepCommand {
    /// The batch; none where it was the session's own data
    pub batch: Option<Batch>,
    /// Training or use
    pub mode: Mode,
    /// In the place of the optimizer's own
    pub learning_rate: Option<LearningRate>,
    /// How much of the trace was answered
    pub detail: Detail,
}

/// Inputs and targets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// x
    pub inputs: Numbers,
    /// y
    pub targets: Numbers,
}

/// Replaced parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplaceCommand {
    /// The layer whose parameters were answered; all layers' if there is none
    pub answered: Option<LayerName>,
    /// What was replaced, a layer each
    pub layers: Vec<LayerReplacement>,
}

/// One layer's new values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LayerReplacement {
    /// The layer
    pub layer: LayerName,
    /// Those of its parameters that were replaced
    pub parameters: Vec<(ParameterName, Numbers)>,
    /// Running mean and variance
    pub running: Option<(Numbers, Numbers)>,
}

/// A state that was reached with an older version of the arithmetic, whole: the steps before it are not computed again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SealCommand {
    /// The state, as a snapshot has it
    pub state: Bytes,
}

/// An entry in short, for the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// The version of the arithmetic that the entry was computed with; the first one is not written down
    #[serde(default = "first_arithmetic", skip_serializing_if = "is_first_arithmetic")]
    pub arithmetic: u32,
    /// What it was
    pub kind: Kind,
    /// The batch's mean loss
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub loss: Option<f64>,
    /// √(Σ g²) over all parameters
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gradient_norm: Option<f64>,
    /// √(Σ Δ²) over all parameters
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change_norm: Option<f64>,
    /// What was asked
    #[serde(default)]
    pub asked: Asked,
}

/// What kind of change it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The session was made
    Create,
    /// It branched off from another one
    Fork,
    /// A step
    Step,
    /// Parameters were replaced
    Weights,
    /// It went back to an earlier step
    Rewind,
    /// A step of a training run
    Train,
    /// From here on it is computed with another version of the arithmetic; the steps before are not computed again
    Seal,
}

/// What was asked, in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// step: rows of the batch
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examples: Option<u64>,
    /// step: training or use
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// step: in the place of the optimizer's own
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// step: how much of the trace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Detail>,
    /// weights: the layers that were named
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerName>,
    /// rewind: the step
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// fork: the other session
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Branch>,
}

impl Command {
    /// As an entry's body.
    pub fn to_bytes(&self) -> Vec<u8> {
        to_cbor(self)
    }

    /// From an entry's body.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        from_cbor(bytes)
    }

    /// In short.
    pub fn note(&self, sizes: Sizes) -> Note {
        let (kind, asked) = match self {
            Self::Create(creation) => {
                let kind = if creation.from.is_some() { Kind::Fork } else { Kind::Create };
                (kind, Asked { from: creation.from.clone(), ..Asked::default() })
            }
            Self::Step(step) => (Kind::Step, step.asked()),
            Self::Replace(replace) => {
                let layers = replace.layers.iter().map(|layer| layer.layer.clone()).collect();
                (Kind::Weights, Asked { layers, ..Asked::default() })
            }
            Self::Rewind { to } => (Kind::Rewind, Asked { to: Some(*to), ..Asked::default() }),
            Self::Train(_) => (Kind::Train, Asked { mode: Some(Mode::Train), ..Asked::default() }),
            Self::Seal(_) => (Kind::Seal, Asked::default()),
        };
        let Sizes { loss, gradient_norm, change_norm } = sizes;
        Note { arithmetic: ARITHMETIC, kind, loss, gradient_norm, change_norm, asked }
    }
}

impl StepCommand {
    fn asked(&self) -> Asked {
        Asked {
            examples: self.batch.as_ref().map(|batch| batch.inputs.tensor().size().0 as u64),
            mode: Some(self.mode),
            learning_rate: self.learning_rate.map(LearningRate::value),
            trace: Some(self.detail),
            ..Asked::default()
        }
    }
}

fn first_arithmetic() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_first_arithmetic(version: &u32) -> bool {
    *version == first_arithmetic()
}

impl Note {
    /// As an entry keeps it.
    pub fn to_text(&self) -> String {
        // Words, whole numbers and finite doubles are always written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// As an entry has kept it.
    pub fn from_text(text: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(text).map_err(|error| Unreadable(error.to_string()))
    }
}

impl Creation {
    /// The spec that the session was made from.
    pub fn spec(&self) -> SubjectSpec {
        SubjectSpec { model: self.model.clone(), data: self.data.clone() }
    }
}

impl ReplaceCommand {
    /// Of what was asked for.
    pub fn new(answered: Option<LayerName>, replacements: &[Replacement]) -> Self {
        let vector = |values: &Vec<f64>| Numbers::from(Tensor::Vector(values.clone()));
        let of = |replacement: &Replacement| LayerReplacement {
            layer: replacement.layer.clone(),
            parameters: replacement
                .parameters
                .iter()
                .map(|(name, tensor)| (*name, Numbers::from(tensor.clone())))
                .collect(),
            running: replacement.running.as_ref().map(|running| (vector(&running.mean), vector(&running.variance))),
        };
        Self { answered, layers: replacements.iter().map(of).collect() }
    }

    /// What the engine replaces.
    pub fn replacements(&self) -> Vec<Replacement> {
        let of = |layer: &LayerReplacement| Replacement {
            at: LayerPath::default(),
            layer: layer.layer.clone(),
            parameters: layer.parameters.iter().map(|(name, numbers)| (*name, numbers.tensor().clone())).collect(),
            running: layer.running.as_ref().map(|(mean, variance)| Running {
                mean: mean.tensor().values().to_vec(),
                variance: variance.tensor().values().to_vec(),
            }),
        };
        self.layers.iter().map(of).collect()
    }
}
