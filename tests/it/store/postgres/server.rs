//! A real PostgreSQL, started by the tests in a folder of its own and gone when they end, however they end.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Never to be read in an error or a log line. It is `s3cret/@:?` in the URL.
pub const PASSWORD: &str = "s3cret/@:?";

/// A running server.
pub struct Server {
    pub port: u16,
    folder: PathBuf,
    /// A shell that stops the server and removes its folder when its standard input ends, as it does with this process.
    watch: Child,
}

/// The one that most tests share, which does not sync.
pub fn shared() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start("fsync = off\nfull_page_writes = off\nsynchronous_commit = off"))
}

/// What the shell does: $1 the programs, $2 the folder, $3 the password.
const WATCH: &str = r#"
    export PATH="$1:$PATH" PGPASSWORD="$3"; cd "$2" || exit 1; unset PGDATA PGHOST PGPORT PGUSER
    printf '%s\n' "$3" >password
    initdb -D data -U tester --pwfile=password --auth=scram-sha-256 -E UTF8 --locale=C --no-sync >log 2>&1 &&
        cat settings >>data/postgresql.conf && pg_ctl -D data -l log -w start >>log 2>&1 && echo ready
    read -r _
    [ ! -e data/postmaster.pid ] || kill -CONT "$(head -1 data/postmaster.pid)"
    pg_ctl -D data -m immediate stop >>log 2>&1
    rm -rf "$2"
"#;

impl Server {
    /// Starts one with some lines of postgresql.conf.
    pub fn start(settings: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("chainrule-postgres-{}-{count}", process::id()));
        fs::create_dir(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let place = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\nmax_connections = 200\n",
            folder.display()
        );
        fs::write(folder.join("settings"), place + settings).unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCH, "sh"]).arg(programs()).arg(&folder).arg(PASSWORD);
        if let Some((user, group)) = owner() {
            chown(&folder, Some(user), Some(group)).unwrap();
            shell.uid(user).gid(group);
        }
        // A group of its own, so that Ctrl-C reaches the tests only, and the shell sees them end.
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut watch = shell.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(watch.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert_eq!(said, "ready\n", "PostgreSQL does not start: {}", log());
        Self { port, folder, watch }
    }
}

impl Server {
    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        url_by(self.port, database)
    }

    /// A new database, empty; gives its URL.
    pub async fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.does(&format!("create database {name} template template0")).await;
        self.url(&name)
    }

    /// Runs a statement as the server's owner.
    pub async fn does(&self, sql: &str) {
        run(&self.url("postgres"), sql).await;
    }

    /// Runs pg_ctl.
    pub fn control(&self, arguments: &[&str]) {
        let mut command = Command::new(programs().join("pg_ctl"));
        command.arg("-D").arg(self.folder.join("data")).arg("-l").arg(self.folder.join("log")).args(arguments);
        if let Some((user, group)) = owner() {
            command.uid(user).gid(group);
        }
        let done = command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(done.success(), "pg_ctl {arguments:?}");
    }

    /// Sends a signal to the server and all of its processes.
    pub fn signal(&self, name: &str) {
        let pid = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        let children = Command::new("ps").args(["-o", "pid=", "--ppid", pid]).output().unwrap().stdout;
        let children = String::from_utf8(children).unwrap();
        let all = children.split_whitespace().chain([pid]);
        assert!(Command::new("kill").arg(format!("-{name}")).args(all).status().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        let _gone = self.watch.wait();
    }
}

/// The URL of a database by a port that leads to it.
pub fn url_by(port: u16, database: &str) -> String {
    format!("postgres://tester:s3cret%2F%40%3A%3F@127.0.0.1:{port}/{database}?sslmode=disable")
}

/// Runs a statement in a database.
pub async fn run(url: &str, sql: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Where Debian keeps the programs of the newest PostgreSQL.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut all: Vec<PathBuf> = folders.chain(env::split_paths(&path)).collect();
    all.retain(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    let version = |folder: &Path| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = all.into_iter().max_by_key(|folder| version(folder).unwrap_or_default());
    newest.expect("these tests start a PostgreSQL of their own: run tests/packages, or apt-get install postgresql")
}

/// Whom the server runs as where the tests run as root, which it refuses to.
fn owner() -> Option<(u32, u32)> {
    let id = |arguments: &[&str]| {
        let said = Command::new("id").args(arguments).output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().parse().ok()
    };
    if id(&["-u"]) != Some(0) {
        return None;
    }
    let made = "the user postgres, whom Debian's package postgresql makes";
    Some((id(&["-u", "postgres"]).expect(made), id(&["-g", "postgres"]).expect(made)))
}
