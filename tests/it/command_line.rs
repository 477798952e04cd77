//! The command as an operator uses it: flags, environment, first line, health, stop.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};

/// The command.
pub const BINARY: &str = env!("CARGO_BIN_EXE_chainrule");

/// A server as a process, ended with the test.
pub struct Server {
    child: Child,
    pub address: String,
    rest: BufReader<std::process::ChildStdout>,
}

impl Server {
    /// Starts one, and waits for its first line.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        rest.read_line(&mut first).unwrap();
        let address =
            first.trim_end().strip_prefix("listening on http://").unwrap_or_else(|| panic!("{first:?}")).to_owned();
        Self { child, address, rest }
    }

    /// Ends it at once, as the loss of its machine would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it at once; what it had written to its log until then.
    pub fn said(mut self) -> String {
        self.child.kill().unwrap();
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        log
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
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

/// The command, to its end.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().unwrap()
}

/// As text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn help_names_every_flag_with_its_environment_twin() {
    let help = text(&run(&["--help"]).stdout);
    for (flag, twin) in [
        ("--listen", "CHAINRULE_LISTEN"),
        ("--store", "CHAINRULE_STORE"),
        ("--durability", "CHAINRULE_DURABILITY"),
        ("--log", "CHAINRULE_LOG"),
        ("--log-format", "CHAINRULE_LOG_FORMAT"),
    ] {
        assert!(help.contains(flag) && help.contains(&format!("[env: {twin}")), "{flag}: {help}");
    }
    for command in ["serve", "openapi", "healthcheck", "export", "import", "snapshot"] {
        assert!(help.contains(command), "{command}: {help}");
    }
    assert!(text(&run(&["--version"]).stdout).contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_first_line_says_where_and_the_next_ones_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [vec!["--listen", "127.0.0.1:0"], vec!["serve", "--listen", "127.0.0.1:0", "--store", "memory"]] {
        let mut server = Server::start(Command::new(BINARY).args(arguments).current_dir(&folder));
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
    let server = Server::start(Command::new(BINARY).args(["--listen", "0.0.0.0:0", "--store", "memory"]));
    let healthy = run(&["healthcheck", "--listen", &server.address]);
    assert!(healthy.status.success(), "{}", text(&healthy.stderr));
    let address = server.address.clone();
    drop(server);
    let gone = run(&["healthcheck", "--listen", &address]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(text(&gone.stderr).contains("cannot be reached"), "{}", text(&gone.stderr));
}

#[test]
fn localhost_is_this_machine() {
    let server = Server::start(Command::new(BINARY).args(["--listen", "localhost:0", "--store", "memory"]));
    assert!(server.address.starts_with("127.0.0.1:"), "{}", server.address);
    let port = server.address.rsplit(':').next().unwrap();
    let healthy = run(&["healthcheck", "--listen", &format!("localhost:{port}")]);
    assert!(healthy.status.success(), "{}", text(&healthy.stderr));
}

#[test]
fn what_cannot_be_done_is_said() {
    let taken = Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", "memory"]));
    for (arguments, says) in [
        (vec!["--listen", taken.address.as_str()], "--listen takes another"),
        (vec!["--listen", "nowhere"], "such as 127.0.0.1:8080"),
        (vec!["--listen", "nowhere:8080"], "localhost:8080"),
        (vec!["--listen", "localhost"], "an address and a port"),
        (vec!["--store", "tape"], "memory"),
        (vec!["--store", "sqlite::memory:"], "name the store memory"),
        (vec!["--store", "sqlite://:memory:"], "name the store memory"),
        (vec!["--store", "sqlite:a.db?mode=ro"], "no parameters"),
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
    let mut server = Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", "memory"]));
    server.signal("-TERM");
    let status = server.child.wait().unwrap();
    assert!(status.success(), "{status}");
    let mut log = String::new();
    server.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("stopped"), "{log}");
}

/// The most memory that a process has held so far, in bytes.
fn peak_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn a_bad_body_takes_no_more_memory_than_its_size_says() {
    const MOST: usize = 8 << 20;
    let filled = |start: &str, part: &str, end: &str| {
        format!("{start}{}{end}", part.repeat((MOST - start.len() - end.len()) / part.len()))
    };
    for (body, code) in [
        (filled(r#"{"inputs": ["#, "[0],", r#"["x"]]}"#), "wrong_type"),
        (filled(r#"{"inputs": ["#, "[0],", r#"[0]], "no": 1}"#), "unknown_field"),
        (filled(r#"{"no": ["#, "[0],", "[0]]}"), "unknown_field"),
        (filled(r#"{"no": ["#, "{},", "{}]}"), "unknown_field"),
        (filled(r#"{"inputs": ["#, "[0],", "[0]"), "malformed_json"),
        (filled(r#"{"inputs": ["#, "[0],", "[1e999]]}"), "number_out_of_range"),
        (filled(r#"{""#, "k", r#"": 1}"#), "unknown_field"),
        (filled(r#"{"loss": ""#, "k", r#""}"#), "unknown_value"),
        (filled(r#"{"seed": "#, "9", "}"), "number_out_of_range"),
    ] {
        let server = Server::start(Command::new(BINARY).args(["--listen", "127.0.0.1:0", "--store", "memory"]));
        let before = peak_memory(server.child.id());
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        let head = format!(
            "POST /v1/explain HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{}", &answer[..answer.len().min(400)]);
        assert!(answer.contains(&format!(r#""code":"{code}""#)), "{code}: {}", &answer[..answer.len().min(400)]);
        // The body as it arrives and in one piece, the numbers read from it as they grow, and what the allocator
        // keeps. A tree of it would take forty times its size.
        let more = peak_memory(server.child.id()) - before;
        assert!(more < 12 * MOST as u64, "{code}: {more} bytes more than before for {}…", &body[..40]);
    }
}
