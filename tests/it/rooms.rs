//! Who may look into whom. The table is ARCHITECTURE.md's; whoever adds an arrow changes both.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A room and the rooms it may name. `limits` is open to all.
const ROOMS: [(&str, &[&str]); 4] =
    [("engine", &[]), ("insight", &["engine"]), ("session", &["engine"]), ("http", &["engine", "insight", "session"])];

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

/// Every source file with its room (the top level is "") and its text.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    let mut files = Vec::new();
    for path in found {
        let relative = path.strip_prefix(&root).unwrap().to_owned();
        let stands_in =
            if relative.components().count() > 1 { relative.iter().next().unwrap().to_str().unwrap() } else { "" };
        files.push((stands_in.to_owned(), relative.clone(), fs::read_to_string(&path).unwrap()));
    }
    assert!(files.len() > 30, "{} files", files.len());
    files
}

#[test]
fn arrows_go_down_only() {
    let allowed: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut arrows = 0;
    for (room, path, text) in files() {
        if room.is_empty() {
            continue;
        }
        let may =
            allowed.get(room.as_str()).unwrap_or_else(|| panic!("{} stands in a room without a row", path.display()));
        for named in text.match_indices("crate::").map(|(at, _)| &text[at + 7..]) {
            let named: String = named.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            let open = named == room || named == "limits" || may.contains(&named.as_str());
            assert!(open, "{}: {room} may not look into {named}", path.display());
            arrows += 1;
        }
    }
    assert!(arrows > 50, "{arrows} arrows were read");
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
    for (_, path, text) in files() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines", path.display());
        assert!(text.starts_with("//!"), "{} opens with what it is for", path.display());
    }
}
