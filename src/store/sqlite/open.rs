//! What is looked at before a database is opened, and how it is opened. Nothing is written before everything is known
//! to be in order.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection, SqlitePool};

use super::connect::{beside, checkpoint, to_look, to_read, to_write};
use super::error::OpenError;
use super::hold::Hold;
use super::{READERS, WAIT_FOR_A_READER, rows, schema, wal};
use crate::store::Durability;

/// The connections to one database.
pub(super) struct Connections {
    /// The one that writes
    pub(super) writer: SqliteConnection,
    /// One that only reads and never does: while it is open, closing the writer does not move the log into the main
    /// file, which is not to be done with a log whose sync has failed
    pub(super) anchor: SqliteConnection,
    /// Those that read
    pub(super) readers: SqlitePool,
}

/// What was found where a database is to be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// None yet, or one whose making was broken off
    Nothing,
    /// One, and its bytes
    Database(u64),
}

/// Takes the database for this process alone, as long as it is held.
pub(super) fn hold(path: &Path) -> Result<Hold, OpenError> {
    folder(path)?;
    if path.is_dir() {
        return Err(OpenError::NotAFile { path: path.to_owned() });
    }
    // Nothing is made beside a file that is not ours.
    if path.exists() {
        let file = File::open(path).map_err(|error| of_io(path, path, &error))?;
        begins_as_a_database(path, &file)?;
    }
    Hold::take(path)
}

fn folder(path: &Path) -> Result<PathBuf, OpenError> {
    let folder = path.parent().unwrap_or(path).to_owned();
    if folder.is_dir() { Ok(folder) } else { Err(OpenError::NoFolder { path: path.to_owned(), folder }) }
}

/// Says at which file an error of the file system happened, and what it means.
pub(super) fn of_io(path: &Path, at: &Path, error: &io::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), format!("{}: {error}", at.display()));
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => OpenError::NotWritable { path, reason },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => OpenError::Full { path, reason },
        _ => OpenError::Unavailable { path, reason },
    }
}

const MAGIC: &[u8] = b"SQLite format 3\0";

/// The header of a database as it stands in the main file; nothing where there is none yet.
struct Header {
    page: usize,
    pages: u64,
    application: u32,
}

fn begins_as_a_database(path: &Path, file: &File) -> Result<Option<Header>, OpenError> {
    let header = first_bytes(file).map_err(|error| of_io(path, path, &error))?;
    // A database is made by a transaction, whose journal undoes it when it was broken off.
    if header.is_empty() || (size(path)? <= 4096 && size(&beside(path, "-journal"))? > 0) {
        return Ok(None);
    }
    let path = path.to_owned();
    if !header.starts_with(MAGIC) {
        return Err(OpenError::Foreign { path, reason: "it does not begin as an SQLite database does".to_owned() });
    }
    if header.len() < 100 {
        return Err(OpenError::Damaged { path, reason: format!("it has only {} bytes", header.len()) });
    }
    let word = |at: usize| header[at..at + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    let (page, application) = (word(14) as usize & 0xffff, word(68));
    let page = if page == 1 { 65536 } else { page };
    if !page.is_power_of_two() || page < 512 {
        return Err(OpenError::Damaged { path, reason: format!("its header says that a page has {page} bytes") });
    }
    if application != 0 && i64::from(application) != schema::APPLICATION {
        let reason = format!("it belongs to another program, whose number is {application}");
        return Err(OpenError::Foreign { path, reason });
    }
    // The number of pages is only true where it was written together with the last change.
    let pages = if word(24) == word(92) { u64::from(word(28)) } else { 0 };
    Ok(Some(Header { page, pages, application }))
}

/// At most a hundred bytes, wherever the descriptor stands.
fn first_bytes(file: &File) -> io::Result<Vec<u8>> {
    let (mut bytes, mut filled) = ([0; 100], 0);
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes[..filled].to_vec())
}

fn size(path: &Path) -> Result<u64, OpenError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(of_io(path, path, &error)),
    }
}

/// Looks at the files. Whoever holds the database will write to it, and nobody else does now.
pub(super) async fn examine(path: &Path, durability: Durability, hold: Option<&Arc<Hold>>) -> Result<Found, OpenError> {
    let (own, hold) = (path.to_owned(), hold.cloned());
    let examined = tokio::task::spawn_blocking(move || examine_files(&own, durability, hold.as_deref())).await;
    examined.unwrap_or_else(|error| Err(OpenError::Unavailable { path: path.to_owned(), reason: error.to_string() }))
}

fn examine_files(path: &Path, durability: Durability, hold: Option<&Hold>) -> Result<Found, OpenError> {
    let writing = hold.is_some();
    if let Some(hold) = hold {
        hold.check(path)?;
    }
    let log = beside(path, "-wal");
    let (bytes, beyond) = (size(path)?, size(&log)?);
    let header = match hold {
        _ if bytes == 0 => None,
        Some(hold) => hold.database().map(|file| begins_as_a_database(path, file)).transpose()?.flatten(),
        None => {
            let file = File::open(path).map_err(|error| of_io(path, path, &error))?;
            begins_as_a_database(path, &file)?
        }
    };
    let scan = || wal::scan(&log, header.as_ref().map_or(4096, |header| header.page));
    let mut scanned = scan().map_err(|error| of_io(path, &log, &error))?;
    // Whoever reads beside a server may meet it as it begins its log anew.
    for _ in 0..if writing { 0 } else { 10 } {
        if scanned.is_damaged() {
            std::thread::sleep(std::time::Duration::from_millis(20));
            scanned = scan().map_err(|error| of_io(path, &log, &error))?;
        }
    }
    let Some(header) = header else {
        if scanned.empty {
            return Ok(Found::Nothing);
        }
        let reason = format!("it is empty, while {} holds what was written to it", log.display());
        return Err(OpenError::Damaged { path: path.to_owned(), reason });
    };
    if scanned.is_damaged() {
        let damaged = OpenError::DamagedWal { wal: log.clone(), seen: scanned.seen, unseen: scanned.unseen };
        match durability {
            Durability::Power => return Err(damaged),
            // Without a sync at each commit, losing power leaves such a log, and losing its end is what was agreed to.
            Durability::Process => tracing::warn!("commits of the last moments are lost: {damaged}"),
        }
    }
    if writing && scanned.left_out > 0 {
        let bytes = scanned.left_out;
        tracing::warn!(
            log = %log.display(), bytes,
            "the end of the database's log is torn: its last {bytes} bytes are no whole commit and are left out; where \
             the log was cut or copied half, answered changes are lost with them"
        );
    }
    // Looked at once more: a server may just have made it longer.
    let (says, has) = (header.pages * header.page as u64, size(path)?);
    if scanned.empty && says > has {
        let reason = format!("it has {has} bytes where its header says {says}; its end is missing");
        return Err(OpenError::Damaged { path: path.to_owned(), reason });
    }
    tracing::debug!(application = header.application, seen = scanned.seen, "looked at the database's files");
    Ok(Found::Database(bytes + beyond))
}

/// Looks at a database without writing to it: whose it is, of which version, and, if it is not large, whether it is
/// whole.
pub(super) async fn look(path: &Path, check: bool) -> Result<(), OpenError> {
    // With a log it must be read through; without one nothing is left beside the file.
    let options = if size(&beside(path, "-wal"))? > 0 { to_read(path) } else { to_look(path) };
    let mut db = options.connect().await.map_err(|error| OpenError::of(path, &error))?;
    let looked = look_through(path, &mut db, check).await;
    let _ = db.close().await;
    looked
}

async fn look_through(path: &Path, db: &mut SqliteConnection, check: bool) -> Result<(), OpenError> {
    let failed = |error| OpenError::of(path, &error);
    let application: i64 = number(db, "PRAGMA application_id").await.map_err(failed)?;
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> \
                  '_sqlx_migrations'";
    let tables = number(db, tables).await.map_err(failed)?;
    if application == 0 && tables == 0 {
        return Ok(());
    }
    if application != schema::APPLICATION {
        let reason = format!("it has {tables} tables and indexes of another program");
        return Err(OpenError::Foreign { path: path.to_owned(), reason });
    }
    let found = number(db, "SELECT coalesce(max(version), 0) FROM _sqlx_migrations").await.map_err(failed)?;
    if found > schema::LATEST {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::LATEST });
    }
    if check && let Some(reason) = full_check(db).await.map_err(failed)? {
        return Err(OpenError::Damaged { path: path.to_owned(), reason });
    }
    Ok(())
}

async fn number(db: &mut SqliteConnection, question: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(question).fetch_one(db).await?.try_get(0)
}

/// What SQLite's own check finds, if it finds anything: that of the indexes too, for a session is found by one, and a
/// name that has changed in one place would make it another's.
pub(super) async fn full_check(db: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let answer: String = sqlx::query("PRAGMA integrity_check(1)").fetch_one(db).await?.try_get(0)?;
    Ok((answer != "ok").then_some(answer))
}

/// Opens a database that was looked at, makes its tables where they are missing, and brings all that is committed into
/// the main file: what a killed process left in the log may never have been synced, and nothing may be shown that
/// losing power could take back.
pub(super) async fn connect(path: &Path, durability: Durability, found: Found) -> Result<Connections, OpenError> {
    let fresh = found == Found::Nothing;
    let failed = |error: sqlx::Error| OpenError::of(path, &error);
    write_log_again(path).await?;
    // Before the writer: also where the tables turn out not to be those that are known, nothing is moved.
    let early = if size(&beside(path, "-wal"))? > 0 { Some(anchored(path).await?) } else { None };
    let mut writer = to_write(path, durability, fresh).connect().await.map_err(failed)?;
    let prepared = prepare(path, &mut writer).await;
    if let Err(error) = prepared {
        let _ = writer.close().await;
        if let Some(anchor) = early {
            let _ = anchor.close().await;
        }
        return Err(error);
    }
    if fresh {
        let folder = folder(path)?;
        File::open(&folder).and_then(|file| file.sync_all()).map_err(|error| of_io(path, &folder, &error))?;
    }
    let anchor = match early {
        Some(anchor) => anchor,
        None => anchored(path).await?,
    };
    Ok(Connections { writer, anchor, readers: readers(to_read(path)) })
}

/// See [`Connections::anchor`].
async fn anchored(path: &Path) -> Result<SqliteConnection, OpenError> {
    let failed = |error: sqlx::Error| OpenError::of(path, &error);
    let mut anchor = to_read(path).connect().await.map_err(failed)?;
    number(&mut anchor, rows::ANY).await.map_err(failed)?;
    Ok(anchor)
}

/// Writes the log over itself and syncs it. A sync of it may have failed, of this process or one before, and then the
/// disk lacks what can still be read here: a second sync would say that all is well, and would write nothing. Were the
/// main file changed by such a log, losing power would leave it half-changed beside a log that cannot mend it.
async fn write_log_again(path: &Path) -> Result<(), OpenError> {
    let (path, log) = (path.to_owned(), beside(path, "-wal"));
    let own = log.clone();
    let written = tokio::task::spawn_blocking(move || write_again(&log)).await.map_err(io::Error::other);
    written.and_then(|written| written).map_err(|error| of_io(&path, &own, &error))
}

fn write_again(path: &Path) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let (mut buffer, mut at) = (vec![0; 1 << 20], 0);
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return if at == 0 { Ok(()) } else { file.sync_all() };
        }
        file.write_all_at(&buffer[..read], at)?;
        at += read as u64;
    }
}

async fn prepare(path: &Path, writer: &mut SqliteConnection) -> Result<(), OpenError> {
    let failed = |error: sqlx::Error| OpenError::of(path, &error);
    // `run` asks for more of its argument than the compiler can show of a connection that a task owns.
    schema::migrations().run_direct(None, writer, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => failed(error),
        MigrateError::VersionMissing(found) => OpenError::Newer { path: path.to_owned(), found, known: schema::LATEST },
        other => OpenError::Foreign { path: path.to_owned(), reason: other.to_string() },
    })?;
    if checkpoint(writer, true).await.map_err(failed)? {
        return Ok(());
    }
    let reason = "another process keeps reading it, and what was written last cannot be brought into the file";
    Err(OpenError::Unavailable { path: path.to_owned(), reason: reason.to_owned() })
}

/// The connections that read; each is opened when it is first needed.
pub(super) fn readers(options: SqliteConnectOptions) -> SqlitePool {
    let pool = SqlitePoolOptions::new().max_connections(READERS).min_connections(0).test_before_acquire(false);
    let pool = pool.idle_timeout(None).max_lifetime(None).acquire_timeout(WAIT_FOR_A_READER);
    pool.connect_lazy_with(options)
}
