//! The command as an operator uses it: flags, environment, first line, health, stop.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

const BINARY: &str = env!("CARGO_BIN_EXE_chainrule");

/// A server as a process, ended with the test.
struct Server {
    child: Child,
    address: String,
    rest: BufReader<std::process::ChildStdout>,
}

impl Server {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        rest.read_line(&mut first).unwrap();
        let address =
            first.trim_end().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{first:?}")).to_owned();
        Self { child, address, rest }
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_flag_with_its_environment_twin() {
    let help = text(&run(&["--help"]).stdout);
    for (flag, twin) in [
        ("--listen", "CHAINRULE_LISTEN"),
        ("--store", "CHAINRULE_STORE"),
        ("--log", "CHAINRULE_LOG"),
        ("--log-format", "CHAINRULE_LOG_FORMAT"),
    ] {
        assert!(help.contains(flag) && help.contains(&format!("[env: {twin}")), "{flag}: {help}");
    }
    for command in ["serve", "openapi", "healthcheck"] {
        assert!(help.contains(command), "{command}: {help}");
    }
    assert!(text(&run(&["--version"]).stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_first_line_says_where_and_the_next_ones_what_to_do() {
    for arguments in [vec!["--listen", "127.0.0.1:0"], vec!["serve", "--listen", "127.0.0.1:0", "--store", "memory"]] {
        let mut server = Server::start(Command::new(BINARY).args(arguments));
        assert!(server.address.starts_with("127.0.0.1:"));
        let mut curl = String::new();
        while !curl.trim_start().starts_with("curl") {
            curl.clear();
            assert_ne!(server.rest.read_line(&mut curl).unwrap(), 0, "a curl line");
        }
        assert!(curl.contains(&server.address), "{curl}");
        let answer = Command::new("sh").args(["-c", &curl]).output().unwrap();
        let trace: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
        assert_eq!(trace["format"], "chainrule.trace/1", "the pasted line shows a trace");
    }
}

#[test]
fn the_environment_does_what_the_flags_do() {
    let server =
        Server::start(Command::new(BINARY).env("CHAINRULE_LISTEN", "127.0.0.2:0").env("CHAINRULE_STORE", "memory"));
    assert!(server.address.starts_with("127.0.0.2:"));
}

#[test]
fn healthcheck_tells_by_its_exit_code() {
    let server = Server::start(Command::new(BINARY).args(["--listen", "0.0.0.0:0"]));
    let healthy = run(&["healthcheck", "--listen", &server.address]);
    assert!(healthy.status.success(), "{}", text(&healthy.stderr));
    let address = server.address.clone();
    drop(server);
    let gone = run(&["healthcheck", "--listen", &address]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("cannot be reached"), "{}", text(&gone.stderr));
}

#[test]
fn what_cannot_be_done_is_said() {
    let taken = Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0"]));
    for (arguments, says) in [
        (vec!["--listen", taken.address.as_str()], "--listen takes another"),
        (vec!["--listen", "nowhere"], "invalid socket address"),
        (vec!["--store", "tape"], "memory"),
        (vec!["--listen", "127.0.0.1:0", "--log", "chainrule=loud"], "--log"),
        (vec!["--lisen", "127.0.0.1:0"], "--listen"),
    ] {
        let output = run(&arguments);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(says), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn openapi_prints_the_document() {
    let yaml = text(&run(&["openapi"]).stdout);
    let committed = crate::api::file("openapi.yaml");
    assert!(yaml.trim_end() == committed.trim_end(), "openapi.yaml is not what is printed; renew it with make golden");
    let json: serde_json::Value = serde_json::from_slice(&run(&["openapi", "--form", "json"]).stdout).unwrap();
    assert_eq!(json["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_term_signal_ends_it_well() {
    let mut server = Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0"]));
    server.signal("-TERM");
    let status = server.child.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("stopped"), "{log}");
}
