//! The command: flags in, one thing done, an exit code out.

mod config;
mod open;
mod transfer;

use std::io::{self, IsTerminal, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chainrule::engine::math::arithmetic_is_ieee;
use chainrule::http::{App, document, healthcheck, router, serve};
use chainrule::limits::Limits;
use chainrule::session::ThisMachine;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use config::{Command, Config, Form, LogFormat, Serve, Store as Place};
use open::open;

/// A step takes and gives back hundreds of small blocks, for which the C library's allocator took a third of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match on_a_runtime(Config::from_process().command()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chainrule: {error}");
            ExitCode::FAILURE
        }
    }
}

fn on_a_runtime(command: Command) -> Result<(), String> {
    let runtime = Runtime::new().map_err(|error| format!("no threads can be started: {error}"))?;
    let done = match command {
        Command::Serve(flags) => runtime.block_on(run(flags)),
        Command::Openapi { form } => print_document(form),
        Command::Healthcheck { listen } => runtime.block_on(ask(listen.listen)),
        Command::Export(flags) => runtime.block_on(transfer::export(flags)),
        Command::Import(flags) => runtime.block_on(transfer::import(flags)),
        Command::Snapshot(store) => runtime.block_on(transfer::snapshot(&store)),
    };
    // Long computations were given their time while the server stopped; what still runs is cut off.
    runtime.shutdown_background();
    done
}

async fn run(flags: Serve) -> Result<(), String> {
    start_log(&flags)?;
    if !arithmetic_is_ieee() {
        return Err("this machine or a library has changed how floating point rounds; no number would be right".into());
    }
    let limits = Limits::default();
    let address = flags.listen.listen;
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("cannot listen on {address}: {error}; --listen takes another"))?;
    let address = listener.local_addr().map_err(|error| format!("the address is unknown: {error}"))?;
    // A port that is taken is told before a file is made.
    let store = open(&flags.store, &limits).await?;
    let mut stop = signal(SignalKind::terminate()).map_err(|error| format!("SIGTERM cannot be heard: {error}"))?;
    let stop = async move {
        tokio::select! {
            _ = stop.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        tracing::info!("stopping: running requests may end");
    };
    greet(address, &flags.store.store);
    let app = App::over(limits.clone(), Arc::clone(&store), Arc::new(ThisMachine));
    let registry = app.registry.clone();
    let house = tokio::spawn(async move { registry.keep_house().await });
    let registry = app.registry.clone();
    let training = tokio::spawn(async move { registry.keep_training().await });
    let registry = app.registry.clone();
    let stop = async move {
        stop.await;
        registry.stop_training().await;
    };
    serve(listener, router(app), &limits, stop).await;
    house.abort();
    training.abort();
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The first line is for programs, the rest is for a newcomer. Nobody may be listening, which is no reason to stop.
fn greet(address: SocketAddr, store: &Place) {
    let here = SocketAddr::new(reachable(address.ip()), address.port());
    let _ = writeln!(
        io::stdout(),
        "listening on http://{address}\n\n\
         See every number of one training step:\n\n  \
         curl -s http://{here}/v1/explain --json '{{\"preset\": \"worked-example\"}}'\n\n\
         All there is: http://{here}/docs"
    );
    tracing::info!(%address, %store, version = env!("CARGO_PKG_VERSION"), "ready");
}

fn start_log(flags: &Serve) -> Result<(), String> {
    let filter = EnvFilter::try_new(&flags.log).map_err(|error| format!("--log {}: {error}", flags.log))?;
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(io::stderr().is_terminal()).with_writer(io::stderr);
    match flags.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

fn print_document(form: Form) -> Result<(), String> {
    let document = document();
    let text = match form {
        Form::Yaml => document.to_yaml().map_err(|error| error.to_string()),
        Form::Json => document.to_pretty_json().map_err(|error| error.to_string()),
    }?;
    io::stdout()
        .write_all(text.trim_end().as_bytes())
        .and_then(|()| writeln!(io::stdout()))
        .map_err(|error| error.to_string())
}

async fn ask(address: SocketAddr) -> Result<(), String> {
    const PATIENCE: Duration = Duration::from_secs(3);
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    let ready = tokio::time::timeout(PATIENCE, healthcheck(address)).await;
    ready.map_err(|_| format!("{address} did not answer within {} s", PATIENCE.as_secs()))?
}

/// Where a server that listens on an address is found from its own machine.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
