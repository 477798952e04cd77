//! Flags and their environment twins. The environment is read nowhere else.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::{Args, Parser, Subcommand};

/// Trains neural networks in the open, over HTTP: every number of every forward pass, backward pass and update comes
/// back as JSON.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, after_help = FIRST_MINUTE)]
pub struct Config {
    /// What to do; serve if left out
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

const FIRST_MINUTE: &str = "The first minute:
  chainrule &
  curl -s http://127.0.0.1:8080/v1/explain --json '{\"preset\": \"worked-example\"}'
then http://127.0.0.1:8080/docs";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer requests (the default)
    Serve(Serve),
    /// Print the API's document and exit
    Openapi {
        /// In which form
        #[arg(long, value_enum, default_value_t = Form::Yaml)]
        form: Form,
    },
    /// Ask a running server's /readyz and exit with 0 if it is ready, else with 1
    Healthcheck {
        #[command(flatten)]
        listen: Listen,
    },
    /// Copy sessions out of a store into one portable file; a server may go on using the store meanwhile
    Export(Transfer),
    /// Copy sessions out of such a file into a store; what is there already is gone on from, never overwritten
    Import(Transfer),
    /// Keep a snapshot of every session where it stands: before an upgrade that changes the arithmetic, as the changelog
    /// says, so that the new version can go on from there
    Snapshot(Kept),
}

/// Sessions, on their way out of a store or into one.
#[derive(Debug, Args)]
pub struct Transfer {
    /// The file: an SQLite database, which `--store sqlite:FILE` can serve as well
    pub file: PathBuf,
    #[command(flatten)]
    pub store: Kept,
    /// Only this session, and what it branched off from; may be given again for more
    #[arg(long = "session", value_name = "NAME")]
    pub sessions: Vec<String>,
}

/// How to serve.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub listen: Listen,
    #[command(flatten)]
    pub store: Kept,
    /// What is logged to standard error: off, error, warn, info, debug, trace, or a filter such as
    /// chainrule=debug,hyper=info
    #[arg(long, env = "CHAINRULE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How the log is written
    #[arg(long, env = "CHAINRULE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// Where sessions are kept, and how safely.
#[derive(Debug, Args)]
pub struct Kept {
    /// Where sessions are kept: sqlite:FILE, for one server; postgres://USER:PASSWORD@HOST:PORT/DATABASE, for any number
    /// of servers; or memory, which forgets them when the server stops
    #[arg(long, env = "CHAINRULE_STORE", value_name = "STORE", default_value = "sqlite:chainrule.db", value_parser = store, hide_env_values = true)]
    pub store: Store,
    /// What an answered step survives: power, the loss of power; process, only the end of the process, which saves the
    /// disk a sync for every group of steps
    #[arg(long, env = "CHAINRULE_DURABILITY", value_enum, default_value_t = Safety::Power)]
    pub durability: Safety,
}

/// What an answered step survives.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Safety {
    /// The loss of power
    Power,
    /// The end of the process
    Process,
}

/// Where the server listens.
#[derive(Debug, Args)]
pub struct Listen {
    /// Address and port; port 0 picks a free one. Anyone who reaches the address may use the server: loopback unless
    /// something in front of it decides who may
    #[arg(long, env = "CHAINRULE_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = address)]
    pub listen: SocketAddr,
}

/// Where sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In memory
    Memory,
    /// In a file
    Sqlite(PathBuf),
    /// In a database that other servers may share
    Postgres(String),
}

/// A form of the API's document.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Form {
    /// As committed in openapi.yaml
    Yaml,
    /// For programs
    Json,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

impl Config {
    /// From the command line and the environment; a mistake ends the process with its explanation.
    pub fn from_process() -> Self {
        Self::parse()
    }

    /// What to do.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// An address and a port. Names are not looked up, so that what is listened on stands on the command line; `localhost`
/// is 127.0.0.1.
fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| {
        "an address and a port are needed, such as 127.0.0.1:8080, localhost:8080, 0.0.0.0:8080 or [::1]:8080"
            .to_owned()
    })
}

fn store(text: &str) -> Result<Store, String> {
    match text.split_once(':') {
        None if text == "memory" => Ok(Store::Memory),
        Some(("sqlite", file)) if !file.is_empty() => sqlite(file.trim_start_matches("//")),
        Some(("postgres" | "postgresql", _)) => Ok(Store::Postgres(text.into())),
        _ => Err("a store is memory, sqlite:FILE such as sqlite:chainrule.db, or \
                  postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            .into()),
    }
}

/// A file. What other programs read as more than its name would only become a file of a strange name here.
fn sqlite(file: &str) -> Result<Store, String> {
    if file == ":memory:" {
        return Err("sqlite: takes a file; for sessions that are kept in memory name the store memory".into());
    }
    if file.contains('?') {
        let text = "sqlite: takes a file and no parameters: what stands behind the question mark would become part of \
                    the file's name";
        return Err(text.into());
    }
    Ok(Store::Sqlite(file.into()))
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            // Its password is nobody's business.
            Self::Postgres(url) => write!(f, "postgres://{}", url.rsplit_once('@').map_or("", |(_, place)| place)),
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}
