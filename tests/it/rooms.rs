//! Who may look into whom. The table is ARCHITECTURE.md's; whoever adds an arrow changes both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A room, or a file of the top level, and the rooms it may name. `limits` is open to all.
const ROOMS: [(&str, &[&str]); 14] = [
    ("engine", &[]),
    ("store", &[]),
    ("insight", &["engine"]),
    ("session", &["engine", "store"]),
    ("render", &["engine", "insight"]),
    ("exchange", &["engine"]),
    ("page", &[]),
    ("http", &["engine", "exchange", "insight", "render", "session", "store", "page"]),
    ("limits", &[]),
    ("lib", &[]),
    ("config", &[]),
    ("open", &["config", "store"]),
    ("transfer", &["config", "open", "session", "store"]),
    ("main", &["config", "open", "transfer", "http", "session", "store", "engine"]),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file with its room (at the top level its own name), its path and its text.
fn files() -> Vec<(String, PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    let mut files = Vec::new();
    for path in found {
        let relative = path.strip_prefix(&src).unwrap().to_owned();
        let room = Path::new(relative.iter().next().unwrap()).file_stem().unwrap().to_str().unwrap().to_owned();
        files.push((room, relative, fs::read_to_string(&path).unwrap()));
    }
    assert!(files.len() > 30, "{} files", files.len());
    files
}

/// What a text names behind a prefix; nothing where a brace or an asterisk follows.
fn named<'t>(text: &'t str, prefix: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(prefix).map(|(at, _)| {
        let rest = &text[at + prefix.len()..];
        &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

/// How many rooms a path goes up at a time, at the most.
fn steps_up(text: &str) -> usize {
    let up = |at: usize| text[at..].split("::").take_while(|part| *part == "super").count();
    text.match_indices("super::").map(|(at, _)| up(at)).max().unwrap_or(0)
}

#[test]
fn arrows_go_down_only() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let (mut arrows, mut from_main) = (0, 0);
    for (room, path, text) in files() {
        let may =
            allowed.get(room.as_str()).unwrap_or_else(|| panic!("{} stands in a room without a row", path.display()));
        let inside = path.components().count() > 1;
        // The binary names the library by its name, and its own other file as a module.
        let (library, modules) = (named(&text, "chainrule::"), named(&text, "\nmod "));
        let elsewhere = library.chain(modules.filter(|_| !inside));
        for named in named(&text, "crate::").chain(elsewhere) {
            let open = named == room || named == "limits" || may.contains(&named);
            assert!(open, "{}: {room} may not look into {named:?}", path.display());
            arrows += 1;
            from_main += usize::from(room == "main");
        }
        // A file `room/part.rs` or `room/part/mod.rs` leaves its room by going up twice, and so on.
        let depth = path.components().count() - usize::from(path.ends_with("mod.rs"));
        assert!(steps_up(&text) < depth, "{} leaves its room by super::", path.display());
    }
    assert!(arrows > 50 && from_main >= 4, "{arrows} arrows were read, {from_main} of them from main.rs");
}

#[test]
fn the_engine_knows_no_clock_no_files_and_no_json() {
    for (room, path, text) in files() {
        if room == "engine" {
            for never in ["std::time", "std::fs", "std::net", "std::env", "tokio", "axum", "serde_json", "async "] {
                assert!(!text.contains(never), "{}: {never}", path.display());
            }
        }
        if room != "engine" || !path.ends_with("math.rs") {
            assert!(
                !text.contains("core_math"),
                "{}: only engine/math.rs calls the mathematical library",
                path.display()
            );
        }
        if path != Path::new("config.rs") {
            assert!(!text.contains("env::var"), "{}: the environment is read in config.rs alone", path.display());
        }
    }
}

#[test]
fn files_can_be_read_at_one_sitting() {
    let mut found = Vec::new();
    for folder in ["src", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    }
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{} opens with what it is for", path.display());
    }
}
