//! `chainrule export` and `chainrule import`: sessions in and out of one portable file; `chainrule snapshot`: ready for
//! another version of the arithmetic.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chainrule::limits::Limits;
use chainrule::session::{Registry, Snapshots, ThisMachine};
use chainrule::store::{Copied, Durability, PostgresStore, SqliteStore, Store, copy};

use crate::config::{Kept, Store as Place, Transfer};
use crate::open::open;

/// How often a terminal hears how far it is.
const PROGRESS: Duration = Duration::from_millis(500);

/// Copies sessions into a file that there is not yet. The file appears when it is complete.
pub async fn export(flags: Transfer) -> Result<(), String> {
    let Transfer { file, store, sessions } = flags;
    if file.exists() {
        return Err(format!("{} is there already; choose another name or move it away", file.display()));
    }
    let from: Box<dyn Store> = match &store.store {
        Place::Sqlite(path) => Box::new(SqliteStore::open_to_read(path).await.map_err(|error| error.to_string())?),
        Place::Postgres(url) => {
            Box::new(PostgresStore::open(url, Durability::Power).await.map_err(|error| error.to_string())?)
        }
        Place::Memory => return Err(NOT_MEMORY.into()),
    };
    let partial = beside(&file, ".partial");
    remove(&partial);
    // Nobody counts on the file before it is closed, which syncs it.
    let to = SqliteStore::open(&partial, Durability::Process).await.map_err(|error| error.to_string())?;
    let copied = copied(&*from, &to, &sessions).await;
    to.close().await;
    from.close().await;
    let _ = fs::remove_file(beside(&partial, ".lock"));
    let done = copied.and_then(|copied| {
        let left = ["-wal", "-shm"].map(|end| beside(&partial, end)).into_iter().find(|path| path.exists());
        if let Some(left) = left {
            return Err(format!("{} could not be brought into the file", left.display()));
        }
        // Should somebody have made it meanwhile, theirs stays: a link fails where a rename would replace.
        let linked = fs::hard_link(&partial, &file);
        linked.map_err(|error| format!("{} cannot be made: {error}", file.display()))?;
        Ok(copied)
    });
    remove(&partial);
    let copied = done?;
    println!(
        "{} in {}.\nNext: chainrule import {} --store postgres://…, or chainrule --store sqlite:{}",
        sum(&copied),
        file.display(),
        file.display(),
        file.display()
    );
    warn_of_damage(&copied)
}

/// Copies sessions out of a file.
pub async fn import(flags: Transfer) -> Result<(), String> {
    let Transfer { file, store, sessions } = flags;
    let from = SqliteStore::open_to_read(&file).await.map_err(|error| error.to_string())?;
    let to = match &store.store {
        Place::Memory => return Err(NOT_MEMORY.into()),
        _ => open(&store, &Limits::default()).await?,
    };
    let copied = copied(&from, &*to, &sessions).await;
    to.close().await;
    from.close().await;
    let copied = copied?;
    println!("{} in {}.\nNext: chainrule --store {}", sum(&copied), store.store, store.store);
    warn_of_damage(&copied)
}

/// Keeps a snapshot of every session where it stands.
pub async fn snapshot(store: &Kept) -> Result<(), String> {
    if store.store == Place::Memory {
        return Err(NOT_MEMORY.into());
    }
    if let Place::Sqlite(path) = &store.store
        && [path.clone(), beside(path, "-wal")].iter().all(|file| fs::metadata(file).map_or(0, |file| file.len()) == 0)
    {
        return Err(format!(
            "{}: there is no database yet; --store names the one to keep snapshots in",
            path.display()
        ));
    }
    let limits = Limits::default();
    let opened = open(store, &limits).await?;
    let registry = Registry::new(limits, Arc::clone(&opened), Arc::new(ThisMachine));
    let mut told = Told::new();
    let done = registry.keep_snapshots(&mut |done| told.tell(|| counted(done.kept, "session"))).await;
    opened.close().await;
    let Snapshots { kept, left_out } = done.map_err(|error| error.to_string())?;
    println!(
        "{} with a snapshot at the last step in {}.\nNext: chainrule --store {} of the new version",
        counted(kept, "session"),
        store.store,
        store.store
    );
    if left_out.is_empty() {
        return Ok(());
    }
    let each = left_out.iter().map(|(name, what)| format!("session {name} was left out: {what}"));
    Err(each.collect::<Vec<_>>().join("\n"))
}

const NOT_MEMORY: &str = "a store in memory is gone when its server stops: --store takes sqlite:FILE or postgres://…";

async fn copied(from: &dyn Store, to: &dyn Store, sessions: &[String]) -> Result<Copied, String> {
    let mut told = Told::new();
    copy(from, to, "", sessions, &mut |copied| told.tell(|| sum(copied))).await.map_err(|error| error.to_string())
}

/// Tells a terminal now and then how far it is.
struct Told {
    terminal: bool,
    last: Instant,
}

impl Told {
    fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), last: Instant::now() }
    }

    fn tell(&mut self, what: impl FnOnce() -> String) {
        if self.terminal && self.last.elapsed() >= PROGRESS {
            self.last = Instant::now();
            eprintln!("{} so far", what());
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn sum(copied: &Copied) -> String {
    let new =
        if copied.entries == 1 { "1 new log entry".to_owned() } else { format!("{} new log entries", copied.entries) };
    format!("{}, {new}", counted(copied.logs, "session"))
}

/// What is whole was copied; that something is not is no success.
fn warn_of_damage(copied: &Copied) -> Result<(), String> {
    if copied.damaged.is_empty() {
        return Ok(());
    }
    let each = copied.damaged.iter().map(|(name, what)| format!("session {name} was left out: {what}"));
    Err(each.collect::<Vec<_>>().join("\n"))
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Whatever an export leaves or left half-way; it is nobody's.
fn remove(partial: &Path) {
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = fs::remove_file(beside(partial, end));
    }
}
