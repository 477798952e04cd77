//! Training or use: which statistics batch normalization takes, and whether dropout drops.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How layers behave that tell training from use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As in training: the batch's own statistics, and dropout drops
    Train,
    /// As in use: the running statistics, and dropout lets everything through
    Eval,
}
