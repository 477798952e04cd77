//! Flags and their environment twins. The environment is read nowhere else.

use std::fmt;
use std::net::SocketAddr;

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
}

/// How to serve.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    pub listen: Listen,
    /// Where sessions are kept: memory, which forgets them when the server stops
    #[arg(long, env = "CHAINRULE_STORE", value_name = "STORE", default_value = "memory", value_parser = store)]
    pub store: Store,
    /// What is logged to standard error: off, error, warn, info, debug, trace, or a filter such as
    /// chainrule=debug,hyper=info
    #[arg(long, env = "CHAINRULE_LOG", value_name = "FILTER", default_value = "info")]
    pub log: String,
    /// How the log is written
    #[arg(long, env = "CHAINRULE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In memory
    Memory,
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
    match text {
        "memory" => Ok(Store::Memory),
        other => Err(format!("{other:?} is no store that this version has; it has: memory")),
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
        }
    }
}
