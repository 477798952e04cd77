//! What makes a database one process's alone: the lock file beside it, and a lock on the database file itself. The
//! first is there before the database is; the second holds whatever name the database has, and whoever removes the
//! lock file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

use super::connect::beside;
use super::error::OpenError;
use super::open::of_io;

/// A database that is this process's alone as long as this is kept. The kernel lets go of it when the process ends,
/// however it ends.
///
/// The locks are flock(2)'s, of which SQLite's own know nothing. But closing any descriptor of a file takes away
/// SQLite's locks on it, all over the process: the database's is opened before SQLite opens the file, and is closed when
/// SQLite has closed it.
pub(super) struct Hold {
    /// Declared first, so that it is let go of first; set once there is a database
    database: OnceLock<File>,
    _lock: File,
}

impl Hold {
    /// Takes the lock file, and the database where there is one yet.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let name = beside(path, ".lock");
        let lock = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&name);
        let lock = lock.map_err(|error| of_io(path, &name, &error))?;
        own(&lock, path)?;
        let hold = Self { database: OnceLock::new(), _lock: lock };
        match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => hold.keep(file, path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(of_io(path, path, &error)),
        }
        Ok(hold)
    }

    /// Makes the database's file where there is none yet, for SQLite to find it empty.
    pub(super) fn make(&self, path: &Path) -> Result<(), OpenError> {
        if self.database().is_some() {
            return Ok(());
        }
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        self.keep(file.map_err(|error| of_io(path, path, &error))?, path)
    }

    fn keep(&self, file: File, path: &Path) -> Result<(), OpenError> {
        own(&file, path)?;
        self.database.get_or_init(|| file);
        Ok(())
    }

    /// The database's file, where there is one. It is read through this one descriptor alone.
    pub(super) fn database(&self) -> Option<&File> {
        self.database.get()
    }

    /// That the database is still the file that is held: somebody may have put another one in its place.
    pub(super) fn check(&self, path: &Path) -> Result<(), OpenError> {
        let Some(file) = self.database() else { return Ok(()) };
        let same = file.metadata().and_then(|own| {
            let there = path.metadata()?;
            Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
        });
        if same.map_err(|error| of_io(path, path, &error))? {
            return Ok(());
        }
        let reason = "another file was put in its place while it was in use; stop the server before that".to_owned();
        Err(OpenError::Unavailable { path: path.to_owned(), reason })
    }
}

fn own(file: &File, path: &Path) -> Result<(), OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(of_io(path, path, &error)),
    }
}
