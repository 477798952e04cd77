//! Logs of one store brought into another one, entry for entry: the same ids, hashes and bytes.
//!
//! Nothing is overwritten: what the other store has already must be the same as far as both go, and is gone on from.
//! Every entry is checked before anything of its log is written. Keys of requests stay behind, for they belong to the
//! server that answered; snapshots come along.

use std::collections::{HashMap, HashSet, VecDeque};

use thiserror::Error;

use super::{
    Change, Commit, CommitError, Conflict, DataChange, Digest, EntryHead, Head, Log, LogId, Origin, Store, StoreError,
};

/// About how many bytes of entries are in memory at once.
const BYTES: usize = 8 << 20;
/// How many logs are listed at once.
const PAGE: usize = 1_000;

/// What was brought over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Logs that have their name
    pub logs: u64,
    /// Entries that the other store did not have yet
    pub entries: u64,
    /// Logs that were left out, by name, and why: they are damaged, or go on from one that is
    pub damaged: Vec<(String, String)>,
}

/// Why nothing more is brought over. What was is whole, and the next attempt goes on from it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum CopyError {
    #[error("reading failed: {0}")]
    Reading(StoreError),
    #[error("writing failed: {0}")]
    Writing(String),
    #[error("there is no session {0}")]
    Unknown(String),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    InTheWay(Vec<Obstacle>),
}

/// What stands in the way of a log; nothing was written then.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "the text of an error is its documentation")]
pub enum Obstacle {
    #[error("another session is called {0} there")]
    Name(String),
    #[error("session {0} was deleted there, and another one goes on from it")]
    Deleted(String),
    #[error("session {name} went another way there from step {step} on")]
    Parted { name: String, step: u64 },
}

/// A log to be brought over.
struct Item {
    log: Log,
    /// Whether it shall have its name there; others are only gone on from
    wanted: bool,
    /// When it was made
    at: i64,
    there: There,
}

/// Where the other store's copy of a log stands.
enum There {
    Missing,
    /// It lost its name, and is kept for those that go on from it
    Deleted,
    /// Its last entry
    Until(EntryHead),
}

/// Brings over a tenant's logs, those of the given names or all, and whatever they go on from. `progress` hears of
/// every log that is done.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    tenant: &str,
    names: &[String],
    progress: &mut (dyn FnMut(&Copied) + Send),
) -> Result<Copied, CopyError> {
    let mut items = collect(from, tenant, names).await?;
    let mut copied = Copied::default();
    leave_out_damaged(from, &mut items, &mut copied).await?;
    let obstacles = compare(from, to, &mut items).await?;
    if !obstacles.is_empty() {
        return Err(CopyError::InTheWay(obstacles));
    }
    // A log is made while the one that it goes on from has its name, as it was at first; so the order of those days
    // is one in which no two want the same name at once.
    items.sort_by_key(|item| item.at);
    let mut children: HashMap<LogId, usize> = HashMap::new();
    for origin in items.iter().filter_map(|item| item.log.origin) {
        *children.entry(origin.log).or_default() += 1;
    }
    let mut waiting: VecDeque<Item> = items.into();
    let mut missing: HashSet<LogId> = waiting.iter().map(|item| item.log.id).collect();
    // Made only to be gone on from, by name.
    let mut lent: HashMap<LogId, String> = HashMap::new();
    let mut passed_over = 0;
    while let Some(item) = waiting.pop_front() {
        let too_early = item.log.origin.is_some_and(|origin| missing.contains(&origin.log));
        let is_new = matches!(item.there, There::Missing);
        let name_is_lent = is_new && lent.values().any(|name| *name == item.log.name);
        if too_early || name_is_lent {
            passed_over += 1;
            if passed_over > waiting.len() {
                return Err(CopyError::InTheWay(vec![Obstacle::Name(item.log.name)]));
            }
            waiting.push_back(item);
            continue;
        }
        passed_over = 0;
        copied.entries += bring(from, to, &item).await?;
        copied.logs += u64::from(item.wanted);
        missing.remove(&item.log.id);
        if !item.wanted && is_new {
            lent.insert(item.log.id, item.log.name.clone());
        }
        if let Some(origin) = item.log.origin
            && let Some(left) = children.get_mut(&origin.log)
        {
            *left -= 1;
            if *left == 0 && lent.remove(&origin.log).is_some() {
                written(to, Change::Delete(origin.log), "").await?;
            }
        }
        progress(&copied);
    }
    Ok(copied)
}

/// The logs of these names, or all, and those that they go on from.
async fn collect(from: &dyn Store, tenant: &str, names: &[String]) -> Result<Vec<Item>, CopyError> {
    let mut heads: Vec<Head> = vec![];
    if names.is_empty() {
        while let page = from.list(tenant, heads.last().map(|head| &*head.log.name), PAGE).await?
            && !page.is_empty()
        {
            heads.extend(page);
        }
    }
    for name in names {
        heads.push(from.find(tenant, name).await?.ok_or_else(|| CopyError::Unknown(name.clone()))?);
    }
    let mut known: HashSet<LogId> = heads.iter().map(|head| head.log.id).collect();
    let mut logs: Vec<(Log, bool)> = heads.into_iter().map(|head| (head.log, true)).collect();
    let mut next = 0;
    while let Some((log, _)) = logs.get(next) {
        next += 1;
        if let Some(origin) = log.origin
            && known.insert(origin.log)
            && let Some(parent) = from.log(origin.log).await?
        {
            logs.push((parent, false));
        }
    }
    let mut items = vec![];
    for (log, wanted) in logs {
        let first = from.heads(log.id, 0, 1).await?;
        items.push(Item { log, wanted, at: first.first().map_or(0, |first| first.at), there: There::Missing });
    }
    Ok(items)
}

/// Checks every entry, and leaves out the logs that have a wrong one.
async fn leave_out_damaged(from: &dyn Store, items: &mut Vec<Item>, copied: &mut Copied) -> Result<(), CopyError> {
    let mut whole: HashSet<LogId> = HashSet::new();
    let mut wrong: HashMap<LogId, String> = HashMap::new();
    for item in &*items {
        match damage(from, &item.log).await? {
            None => _ = whole.insert(item.log.id),
            Some(what) => _ = wrong.insert(item.log.id, what),
        }
    }
    let parents: HashMap<LogId, LogId> =
        items.iter().filter_map(|item| Some((item.log.id, item.log.origin?.log))).collect();
    items.retain(|item| {
        let mut id = item.log.id;
        while whole.contains(&id) {
            match parents.get(&id) {
                Some(parent) => id = *parent,
                None => return true,
            }
        }
        if item.wanted {
            let own = "what it goes on from is damaged or missing".to_owned();
            copied.damaged.push((item.log.name.clone(), wrong.get(&item.log.id).cloned().unwrap_or(own)));
        }
        false
    });
    Ok(())
}

/// The first thing that is wrong with a log.
async fn damage(from: &dyn Store, log: &Log) -> Result<Option<String>, CopyError> {
    let (mut next, mut before): (Option<u64>, Digest) = (None, [0; 32]);
    if let Some(Origin { log: parent, at }) = log.origin {
        let whose = owner(from, parent, at).await?;
        before = from.heads(whose, at, 1).await?.first().map_or(before, |head| head.hash);
    }
    loop {
        let page = from.entries(log.id, next.unwrap_or(0), u64::MAX >> 1, BYTES).await?;
        if page.is_empty() {
            if next.is_none() {
                return Ok(Some("it has no entries".to_owned()));
            }
            for hash in from.data_of(log.id).await? {
                if from.data(hash).await?.is_none() {
                    return Ok(Some("data that it uses is missing".to_owned()));
                }
            }
            return Ok(None);
        }
        for entry in page {
            let head = &entry.head;
            if !entry.is_whole(&log.tenant, log.id) {
                return Ok(Some(format!("the entry of step {} is not what was written", head.step)));
            }
            if next.is_some_and(|next| next != head.step) || before != head.before {
                return Ok(Some(format!("the entry of step {} does not follow the one before it", head.step)));
            }
            (next, before) = (Some(head.last + 1), head.hash);
        }
    }
}

/// Which log has the entry of a step: the one asked for, or one that it goes on from. Its first entry is its own.
async fn owner(from: &dyn Store, mut log: LogId, at: u64) -> Result<LogId, CopyError> {
    while at > 0
        && let Some(Log { origin: Some(origin), .. }) = from.log(log).await?
        && at <= origin.at
    {
        log = origin.log;
    }
    Ok(log)
}

/// Finds out where the other store stands, and what is in the way.
async fn compare(from: &dyn Store, to: &dyn Store, items: &mut [Item]) -> Result<Vec<Obstacle>, CopyError> {
    let branches: Vec<Origin> = items.iter().filter_map(|item| item.log.origin).collect();
    let mut obstacles = vec![];
    for item in items {
        let log = &item.log;
        let name = || log.name.clone();
        let named = to.find(&log.tenant, &log.name).await.map_err(writing)?;
        if to.log(log.id).await.map_err(writing)?.is_none() {
            if named.is_some() {
                obstacles.push(Obstacle::Name(name()));
            }
            continue;
        }
        if let Some(head) = named.filter(|head| head.log.id == log.id) {
            if let Some(step) = parting(from, to, log).await? {
                obstacles.push(Obstacle::Parted { name: name(), step });
            }
            item.there = There::Until(head.entry);
        } else {
            let mut lacks = item.wanted;
            for branch in branches.iter().filter(|branch| branch.log == log.id) {
                lacks |= to.heads(log.id, branch.at, 1).await.map_err(writing)?.is_empty();
            }
            if lacks {
                obstacles.push(Obstacle::Deleted(name()));
            }
            item.there = There::Deleted;
        }
    }
    Ok(obstacles)
}

/// The first step at which two copies of a log differ, as far as both go.
async fn parting(from: &dyn Store, to: &dyn Store, log: &Log) -> Result<Option<u64>, CopyError> {
    let mut next = 0;
    loop {
        let here = from.heads(log.id, next, PAGE).await?;
        let there = to.heads(log.id, next, PAGE).await.map_err(writing)?;
        if let Some((one, _)) = here.iter().zip(&there).find(|(one, other)| one.hash != other.hash) {
            return Ok(Some(one.step));
        }
        match here.last() {
            Some(last) if there.len() == here.len() => next = last.last + 1,
            _ => return Ok(None),
        }
    }
}

/// Writes what the other store lacks of a log; answers how many entries that was.
async fn bring(from: &dyn Store, to: &dyn Store, item: &Item) -> Result<u64, CopyError> {
    let log = &item.log;
    let (mut next, mut is_there) = match &item.there {
        There::Missing => (0, false),
        There::Until(last) => (last.last + 1, true),
        // It has all that others go on from.
        There::Deleted => return Ok(0),
    };
    let mut count = 0;
    if is_there {
        bring_data(from, to, log).await?;
    }
    loop {
        let page = from.entries(log.id, next, u64::MAX >> 1, BYTES).await?;
        let Some(last) = page.last() else { break };
        next = last.head.last + 1;
        for entry in page {
            let change = if is_there { Change::Append(log.id, entry) } else { Change::Create(log.clone(), entry) };
            written(to, change, &log.name).await?;
            count += 1;
            if !is_there {
                // No entry stands there without the data that it uses.
                bring_data(from, to, log).await?;
            }
            is_there = true;
        }
    }
    let mut until = u64::MAX >> 1;
    while count > 0
        && let Some((step, bytes)) = from.snapshot(log.id, until).await?
    {
        to.keep_snapshot(log.id, step, bytes).await.map_err(writing)?;
        let Some(earlier) = step.checked_sub(1) else { break };
        until = earlier;
    }
    Ok(count)
}

/// Writes the data that a log uses.
async fn bring_data(from: &dyn Store, to: &dyn Store, log: &Log) -> Result<(), CopyError> {
    for hash in from.data_of(log.id).await? {
        let missing = || StoreError::Damaged(format!("data that session {} uses is missing", log.name));
        let bytes = from.data(hash).await?.ok_or_else(missing)?;
        written(to, Change::Data(DataChange::Use(log.id, hash, bytes)), &log.name).await?;
    }
    Ok(())
}

async fn written(to: &dyn Store, change: Change, name: &str) -> Result<(), CopyError> {
    to.commit(Commit { change, key: None }).await.map_err(|error| match error {
        CommitError::Conflict(Conflict::Name) => CopyError::InTheWay(vec![Obstacle::Name(name.to_owned())]),
        error => CopyError::Writing(error.to_string()),
    })
}

#[allow(clippy::needless_pass_by_value, reason = "it is called with the error at hand")]
fn writing(error: StoreError) -> CopyError {
    CopyError::Writing(error.to_string())
}

impl From<StoreError> for CopyError {
    fn from(error: StoreError) -> Self {
        Self::Reading(error)
    }
}
