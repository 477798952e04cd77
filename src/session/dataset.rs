//! Datasets as the store keeps them, and the few that were used last, ready to be learned from.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use serde::{Deserialize, Serialize};

use super::cbor::{Numbers, Unreadable, from_cbor, to_cbor};
use super::course::CourseSpec;
use super::replay::ReplayError;
use super::services::Services;
use crate::engine::dataset::split::Parted;
use crate::engine::dataset::{Columns, Dataset};
use crate::store::{Digest, StoreError};

/// A dataset as bytes.
#[derive(Serialize, Deserialize)]
struct Packed {
    inputs: Numbers,
    targets: Numbers,
    input_names: Vec<String>,
    target_names: Vec<String>,
    classes: Vec<String>,
}

/// The bytes of a dataset.
pub(super) fn write(dataset: &Dataset) -> Vec<u8> {
    let Columns { inputs, targets } = dataset.columns().clone();
    to_cbor(&Packed {
        inputs: Numbers::of(dataset.inputs()),
        targets: Numbers::of(dataset.targets()),
        input_names: inputs,
        target_names: targets,
        classes: dataset.classes().to_vec(),
    })
}

/// The dataset that has this hash.
pub(super) fn read(bytes: &[u8], hash: Digest) -> Result<Dataset, Unreadable> {
    let packed: Packed = from_cbor(bytes)?;
    let (inputs, targets) = (packed.inputs.into_matrix(), packed.targets.into_matrix());
    let columns = Columns { inputs: packed.input_names, targets: packed.target_names };
    let fits = inputs.rows() == targets.rows()
        && (inputs.columns(), targets.columns()) == (columns.inputs.len(), columns.targets.len());
    let dataset = fits.then(|| Dataset::trusted(inputs, targets, columns, packed.classes));
    dataset.filter(|dataset| dataset.hash() == hash).ok_or_else(|| Unreadable("it is not what its hash says".into()))
}

/// Datasets that were parted last, by what was done to them.
pub struct DataCache(Mutex<LruCache<PartedKey, Arc<Parted>>>);

/// A dataset's hash, the split's bits, and whether the inputs were standardized.
type PartedKey = (Digest, u64, u64, bool);

impl DataCache {
    /// A few: one is at most as large as the largest dataset.
    pub fn new() -> Self {
        const KEPT: NonZeroUsize = NonZeroUsize::new(4).unwrap();
        Self(Mutex::new(LruCache::new(KEPT)))
    }

    /// Keeps one.
    pub(super) fn keep(&self, course: &CourseSpec, parted: Arc<Parted>) {
        self.held().put(key(course), parted);
    }

    /// The rows of a course, read from the store where they are not here.
    pub(super) async fn parted(&self, services: &Services, course: &CourseSpec) -> Result<Arc<Parted>, ReplayError> {
        let known = self.held().get(&key(course)).cloned();
        if let Some(parted) = known {
            return Ok(parted);
        }
        let hash = course.hash();
        let bytes = services.store.data(hash).await?;
        let lost = |what: &str| StoreError::Damaged(format!("the dataset {} {what}", hexadecimal(hash)));
        let bytes = bytes.ok_or_else(|| lost("of a training run is missing"))?;
        let (split, standardize) = (course.split(), course.standardize);
        let parted = tokio::task::spawn_blocking(move || Ok(split.part(&read(&bytes, hash)?, standardize)));
        let parted = parted.await.map_err(|error| lost(&format!("could not be read: {error}")))?;
        let parted = Arc::new(parted.map_err(|error: Unreadable| lost(&error.to_string()))?);
        self.keep(course, Arc::clone(&parted));
        Ok(parted)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, LruCache<PartedKey, Arc<Parted>>> {
        // Held to find or to add one, never across an await.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for DataCache {
    fn default() -> Self {
        Self::new()
    }
}

fn key(course: &CourseSpec) -> PartedKey {
    (course.hash(), course.split().test.to_bits(), course.split().seed, course.standardize)
}

/// A hash as people write it.
pub fn hexadecimal(hash: Digest) -> String {
    const_hex::encode(hash)
}
