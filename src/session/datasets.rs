//! Which datasets there are: those built in, and those that somebody has put into the store under a name.

use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::SessionName;
use super::append::{Settled, commit};
use super::cbor::Bytes;
use super::dataset::{hexadecimal, read, write};
use super::once::{Claim, Outcome, TENANT};
use super::registry::Registry;
use super::replay::ReplayError;
use super::session::{SessionError, as_a_whole};
use crate::engine::dataset::{Dataset, Described, Generator, REAL, Real};
use crate::store::{Change, Commit, DataChange, DataName, Digest, StoreError};

/// A dataset, found.
pub struct FoundDataset {
    /// What it is called
    pub name: String,
    /// Where it comes from
    pub kind: DatasetKind,
    /// What there is to say about it; nothing about one that somebody has put here
    pub about: Option<Described>,
    /// Its rows
    pub dataset: Arc<Dataset>,
}

/// A dataset in a listing.
#[derive(Clone, Debug)]
pub struct DatasetSummary {
    /// What it is called
    pub name: String,
    /// Where it comes from
    pub kind: DatasetKind,
    /// One line about it, where it is built in
    pub title: Option<&'static str>,
    /// How large it is
    pub size: DatasetSize,
    /// The hash of its content
    pub hash: String,
}

/// How large a dataset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetSize {
    /// Rows
    pub examples: u64,
    /// Columns that go in
    pub inputs: u64,
    /// Columns that should come out
    pub targets: u64,
}

/// Where a dataset comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Drawn from a seed
    Generated,
    /// Measured by somebody
    Real,
    /// Put here by a client
    Own,
}

/// How a generated dataset is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Where its random numbers start
    pub seed: u64,
    /// How many examples
    pub examples: usize,
    /// From 0 to 1
    pub noise: f64,
}

impl Default for Draw {
    fn default() -> Self {
        Self { seed: 0, examples: 200, noise: 0.0 }
    }
}

/// Why there is no such dataset, or none can be made.
#[derive(Clone, Debug, Error, PartialEq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum DataError {
    #[error("the dataset {0} is built in, and stays as it is")]
    BuiltIn(SessionName),
    #[error("there is a dataset {0} already, with another content; choose another name or delete it first")]
    Exists(SessionName),
    #[error("there is no dataset {0}")]
    None(SessionName),
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The same request was answered by another server while this one worked on it.
    #[error("the request was answered meanwhile")]
    Answered,
}

/// Whether a dataset was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Put {
    /// It is new
    New,
    /// It was put before, with the same content
    Same,
}

impl Registry {
    /// The dataset of a name; a generated one is drawn as it is asked for.
    pub async fn dataset(&self, name: &SessionName, draw: Draw) -> Result<FoundDataset, DataError> {
        let found =
            |kind, about, dataset| Ok(FoundDataset { name: name.to_string(), kind, about, dataset: Arc::new(dataset) });
        if let Some(generator) = Generator::find(name.as_str()) {
            let dataset = generator.draw(draw.seed, draw.examples, draw.noise);
            return found(DatasetKind::Generated, Some(generator.about()), dataset);
        }
        if let Some(real) = Real::find(name.as_str()) {
            return found(DatasetKind::Real, Some(real.about), real.dataset());
        }
        let store = &self.services.store;
        let Some(DataName { hash, .. }) = store.find_data(TENANT, name.as_str()).await? else {
            return Err(DataError::None(name.clone()));
        };
        // It may be forgotten between the two questions.
        let Some(bytes) = store.data(hash).await? else { return Err(DataError::None(name.clone())) };
        let dataset = tokio::task::spawn_blocking(move || read(&bytes, hash)).await;
        let what = match dataset {
            Ok(Ok(dataset)) => return found(DatasetKind::Own, None, dataset),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(StoreError::Damaged(format!("the dataset {} cannot be read: {what}", hexadecimal(hash))).into())
    }

    /// At most `limit` datasets by name, those behind `after`, and whether there are more. The built-in ones come
    /// first, in an order of their own.
    pub async fn datasets(&self, after: Option<&str>, limit: usize) -> Result<(Vec<DatasetSummary>, bool), DataError> {
        let place = after.and_then(|after| BUILT_IN.iter().position(|one| one.name == after));
        let first = match (after, place) {
            (None, _) => 0,
            (Some(_), Some(place)) => place + 1,
            (Some(_), None) => BUILT_IN.len(),
        };
        let behind = after.filter(|_| place.is_none());
        let mut found: Vec<DatasetSummary> = BUILT_IN.iter().skip(first).take(limit + 1).cloned().collect();
        if found.len() <= limit {
            let own = self.services.store.list_data(TENANT, behind, limit + 1 - found.len()).await?;
            for DataName { name, hash, note, .. } in own {
                let size = serde_json::from_str(&note);
                let size = size.map_err(|_| StoreError::Damaged(format!("the dataset {name} cannot be read")))?;
                let hash = hexadecimal(hash);
                found.push(DatasetSummary { name, kind: DatasetKind::Own, title: None, size, hash });
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        Ok((found, more))
    }

    /// Puts a dataset under a name.
    pub async fn put_dataset(
        &self,
        name: &SessionName,
        dataset: Dataset,
        claim: Option<Arc<Claim>>,
    ) -> Result<(DatasetSummary, Put), DataError> {
        check_own(name)?;
        let size = DatasetSize::of(&dataset);
        let packed = tokio::task::spawn_blocking(move || (dataset.hash(), write(&dataset))).await;
        let (hash, bytes) = packed.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        let summary = |name: &SessionName| DatasetSummary {
            name: name.to_string(),
            kind: DatasetKind::Own,
            title: None,
            size,
            hash: hexadecimal(hash),
        };
        let outcome = |put| Outcome::Kept { name: name.to_string(), size, hash: Bytes(hash.to_vec()), put };
        if let Some(known) = self.services.store.find_data(TENANT, name.as_str()).await? {
            let put = same(name, known.hash, hash)?;
            if let Some(claim) = claim {
                claim.keep(&self.services, &outcome(put)).await;
            }
            return Ok((summary(name), put));
        }
        let named = DataName {
            tenant: TENANT.into(),
            name: name.to_string(),
            hash,
            at: self.services.machine.now(),
            // Three whole numbers are always written.
            note: serde_json::to_string(&size).unwrap_or_default(),
        };
        let change = Change::Data(DataChange::Name(named, bytes));
        let put = match self.changed(change, claim.map(|claim| (claim, outcome(Put::New)))).await? {
            Settled::Made => Put::New,
            Settled::Overtaken => match self.services.store.find_data(TENANT, name.as_str()).await? {
                Some(known) => same(name, known.hash, hash)?,
                None => return Err(DataError::Exists(name.clone())),
            },
        };
        Ok((summary(name), put))
    }

    /// Gives up a name. Logs that used the dataset keep it.
    pub async fn delete_dataset(&self, name: &SessionName, claim: Option<Arc<Claim>>) -> Result<(), DataError> {
        check_own(name)?;
        let forget = DataChange::Forget { tenant: TENANT.into(), name: name.to_string() };
        match self.changed(Change::Data(forget), claim.map(|claim| (claim, Outcome::Deleted))).await? {
            Settled::Made => Ok(()),
            Settled::Overtaken => Err(DataError::None(name.clone())),
        }
    }

    async fn changed(&self, change: Change, kept: Option<(Arc<Claim>, Outcome)>) -> Result<Settled, DataError> {
        let services = Arc::clone(&self.services);
        let made = as_a_whole(async move {
            let key = kept.as_ref().map(|(claim, outcome)| claim.entry(&services, outcome));
            commit(&services, Commit { change, key }).await
        });
        let made = match made.await {
            // There is no such name.
            Err(SessionError::Replay(ReplayError::Gone)) => Ok(Settled::Overtaken),
            made => made,
        };
        made.map_err(|error| match error {
            SessionError::Replay(ReplayError::Store(error)) => error.into(),
            SessionError::Answered => DataError::Answered,
            // A change of data knows no other end.
            other => StoreError::Unavailable(other.to_string()).into(),
        })
    }
}

impl DatasetSize {
    /// Of a dataset.
    pub fn of(dataset: &Dataset) -> Self {
        let (inputs, targets) = (dataset.inputs().columns() as u64, dataset.targets().columns() as u64);
        Self { examples: dataset.rows() as u64, inputs, targets }
    }
}

impl FoundDataset {
    /// The hash of its content, in hexadecimal.
    pub fn hash(&self) -> String {
        hexadecimal(self.dataset.hash())
    }
}

fn same(name: &SessionName, known: Digest, hash: Digest) -> Result<Put, DataError> {
    if known == hash { Ok(Put::Same) } else { Err(DataError::Exists(name.clone())) }
}

fn check_own(name: &SessionName) -> Result<(), DataError> {
    let built_in = Generator::find(name.as_str()).is_some() || Real::find(name.as_str()).is_some();
    if built_in { Err(DataError::BuiltIn(name.clone())) } else { Ok(()) }
}

/// The datasets that come with the server, generated ones as they are drawn by default.
static BUILT_IN: LazyLock<Vec<DatasetSummary>> = LazyLock::new(|| {
    let one = |kind, about: Described, dataset: &Dataset| DatasetSummary {
        name: about.name.into(),
        kind,
        title: Some(about.title),
        size: DatasetSize::of(dataset),
        hash: hexadecimal(dataset.hash()),
    };
    let Draw { seed, examples, noise } = Draw::default();
    let generated = Generator::ALL.into_iter();
    let generated = generated.map(|of| one(DatasetKind::Generated, of.about(), &of.draw(seed, examples, noise)));
    generated.chain(REAL.iter().map(|real| one(DatasetKind::Real, real.about, &real.dataset()))).collect()
});
