//! A session as a client writes it, turned into the engine's spec with a pointer for whatever is wrong.
//!
//! Layers and optimizers come in as one flat struct each, with every field that any kind may have: serde's tagged
//! enums lose the pointer.

mod init;
mod layer;
mod optimizer;

use serde::Deserialize;
use utoipa::ToSchema;

pub use layer::LayerBody;
pub use optimizer::{OptimizerBody, into_learning_rate};

use super::code::Code;
use super::fields::bodies;
use super::problem::Fault;
use super::strict::{objects, whole};
use crate::engine::loss::Loss;
use crate::engine::name::LayerPath;
use crate::engine::schema;
use crate::engine::spec::{ModelSpec, NetworkSpec, Seed};
use crate::limits::SEED_MAX;
use crate::session::{Preset, SubjectSpec};

bodies! {
    /// A session to be made: a network with its loss, optimizer and seed, or a preset by name.
    pub struct SessionBody {
        ..session,
    }
}

/// A network: so many inputs, then layers from the inputs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct NetworkBody {
    /// Numbers that one example brings: the columns of x
    #[schema(value_type = schema::Units)]
    #[serde(deserialize_with = "whole")]
    pub inputs: u64,
    /// The layers from the inputs up
    #[schema(min_items = 1)]
    pub layers: Vec<LayerBody>,
}

objects!(NetworkBody);

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
            seed: into_seed(self.seed, "/seed")?,
        };
        Ok(SubjectSpec { model, data: None })
    }
}

impl NetworkBody {
    fn into_spec(self) -> Result<NetworkSpec, Fault> {
        let layers = layer::into_specs(self.layers, &LayerPath::default(), None)?;
        Ok(NetworkSpec { inputs: count(self.inputs), layers })
    }
}

/// A seed, 0 if there is none, where the number can be one.
pub fn into_seed(seed: Option<u64>, pointer: &str) -> Result<Seed, Fault> {
    Seed::new(seed.unwrap_or_default()).ok_or_else(|| {
        let detail = format!("a seed is at most {SEED_MAX}, the largest integer that every JSON reader keeps");
        Fault::new(pointer, Code::NumberOutOfRange, detail)
    })
}

/// A size as the machine counts; what passes its range passes every limit too.
fn count(size: u64) -> usize {
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// A setting of something else would be lost: the first field that is given and that this kind does not take.
pub fn check_settings(at: &str, kind: &str, takes: &[&str], given: &[(&str, bool)]) -> Result<(), Fault> {
    match given.iter().find(|(field, given)| *given && !takes.contains(field)) {
        None => Ok(()),
        Some((field, _)) => {
            let detail = if takes.is_empty() {
                format!("{kind} has no {field:?} and takes no settings of its own")
            } else {
                format!("{kind} has no {field:?}; it takes {}", takes.join(", "))
            };
            Err(Fault::new(format!("{at}/{field}"), Code::ConflictingFields, detail))
        }
    }
}

/// A setting that lies in its range, or the default.
pub fn setting(
    at: &str,
    field: &str,
    value: Option<f64>,
    otherwise: f64,
    range: &str,
    fits: impl Fn(f64) -> bool,
) -> Result<f64, Fault> {
    match value.unwrap_or(otherwise) {
        value if fits(value) => Ok(value),
        value => {
            let detail = format!("{field} is {range}, and this one is {value}");
            Err(Fault::new(format!("{at}/{field}"), Code::NumberOutOfRange, detail))
        }
    }
}
