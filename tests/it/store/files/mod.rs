//! What is SQLite's alone: files, what may be wrong with them, and disks that fail.

mod connecting;
mod failing;
mod opening;
mod refusing;
mod scanning;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chainrule::store::{Durability, Log, OpenError, SqliteStore, Store};
use sqlx::{ConnectOptions as _, Executor as _, SqliteConnection};

use super::made::{append, create, log};

/// A folder that goes with the test, and the path of a database in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chainrule.db");
    (folder, path)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Durability::Power).await.unwrap()
}

/// A database with one log of so many entries, as it lies there when the server was killed: the main file and its log.
async fn killed(path: &Path, entries: usize) -> Log {
    let running = tempfile::tempdir().unwrap();
    let original = running.path().join("running.db");
    let store = open(&original).await;
    let made = log("demo");
    create(&store, &made).await;
    for n in 1..entries {
        append(&store, &made, 1, vec![n as u8; 300 + n * 97 % 5000]).await;
    }
    for suffix in ["", "-wal"] {
        fs::copy(beside(&original, suffix), beside(path, suffix)).unwrap();
    }
    store.close().await;
    made
}

/// A file beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// Every file of a folder with its bytes, but for what SQLite may make anew and the empty lock.
fn bytes_of(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let own = files.filter(|path| !path.extension().unwrap().to_str().unwrap().ends_with("-shm"));
    own.map(|path| (path.clone(), fs::read(path).unwrap())).filter(|(_, bytes)| !bytes.is_empty()).collect()
}

/// Asserts that a database is not opened, and that nothing in its folder has changed; gives the reason.
async fn refused(path: &Path) -> OpenError {
    let before = bytes_of(path.parent().unwrap());
    let error = SqliteStore::open(path, Durability::Power).await.err().expect("it is refused");
    assert!(bytes_of(path.parent().unwrap()) == before, "{error}: the files have changed");
    let text = error.to_string();
    assert!(text.contains(path.to_str().unwrap()), "{text}: names no file");
    error
}

/// A connection of somebody else.
async fn connection(path: &Path) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.connect().await.unwrap()
}

async fn execute(db: &mut SqliteConnection, sql: &'static str) {
    db.execute(sql).await.unwrap();
}

/// A small file system of its own, where this process may make one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("not tested: this process may not mount a file system");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, how: &str) {
        let mounted = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.path()).status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
