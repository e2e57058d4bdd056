//! The house rules that a machine can check: imports go downward, files stay short, the core names
//! no socket, clock or thread, and every module says what it is for.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house; a file imports from its own floor or a lower one.
const FLOORS: [&[&str]; 6] = [
    &["close", "config", "deflate", "error", "frame", "keys", "mask", "role", "utf8"],
    &["assembler", "compression", "control", "draft", "masked", "payload", "single"],
    &["closing", "event", "keepalive", "pool", "prepared", "receiver", "reply", "sender"],
    &["connection", "inbox"],
    &["handshake"],
    &["guide"],
];

/// Longest file, with its tests.
const MAX_LINES: usize = 500;

fn sources() -> BTreeMap<PathBuf, String> {
    fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    let mut found = BTreeMap::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 20, "the sources were found");
    found
}

/// The lines that compile into the library: no tests, no comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let library = text.split("\nmod tests {").next().unwrap_or_default();
    library.lines().filter(|line| !line.trim_start().starts_with("//"))
}

fn room(path: &Path) -> String {
    let inner = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    inner.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").into()
}

fn floor(room: &str) -> usize {
    let found = FLOORS.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("`{room}` has no floor"))
}

#[test]
fn imports_go_downward() {
    let mut imports = 0;
    for (path, text) in sources() {
        let room = room(&path);
        if room == "lib" {
            continue;
        }
        for line in code(&text) {
            for import in line.split("crate::").skip(1) {
                let end = import.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &import[..end.unwrap_or(import.len())];
                assert!(
                    floor(name) <= floor(&room),
                    "{} imports `{name}`, which is above it",
                    path.display()
                );
                imports += 1;
            }
        }
    }
    assert!(imports > 50, "{imports} imports were seen");
}

#[test]
fn no_two_rooms_of_a_floor_import_each_other() {
    let mut edges = BTreeMap::<(String, String), PathBuf>::new();
    for (path, text) in sources() {
        let room = room(&path);
        for line in code(&text) {
            for import in line.split("crate::").skip(1) {
                let end = import.find(|c: char| !c.is_alphanumeric() && c != '_');
                edges.insert(
                    (room.clone(), import[..end.unwrap_or(import.len())].into()),
                    path.clone(),
                );
            }
        }
    }
    // `error` tells a close code and `close` reports errors: one noun in two files.
    let twins = [("close", "error"), ("error", "close")];
    for ((from, to), path) in &edges {
        let back = edges.contains_key(&(to.clone(), from.clone()));
        let allowed = from == to || twins.contains(&(from, to));
        assert!(!back || allowed, "{}: `{from}` and `{to}` import each other", path.display());
    }
}

#[test]
fn files_are_short() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines", path.display());
    }
}

/// What the formatter sees to in code. Drawings, examples and rows of tables are as wide as they
/// are.
#[test]
fn prose_is_no_wider_than_code() {
    for (path, text) in sources() {
        let mut is_prose = true;
        for line in text.lines().filter(|line| line.trim_start().starts_with("//")) {
            is_prose ^= line.contains("// ```") || line.contains("//! ```");
            let is_row = line.ends_with('|');
            let fits = line.chars().count() <= 100;
            assert!(fits || is_row || !is_prose, "{}: {line}", path.display());
        }
        assert!(is_prose, "{}: an example does not end", path.display());
    }
}

#[test]
fn the_core_names_no_socket_clock_or_thread() {
    for (path, text) in sources() {
        for line in code(&text) {
            for name in
                ["std::io", "std::net", "std::time", "std::thread::", "std::sync", "Instant"]
            {
                assert!(!line.contains(name), "{}: {line}", path.display());
            }
            // "The default key source" is the one exception to "no thread in `src/`"; the other
            // thing that `std` adds is to ask the CPU what it can do.
            let rooms = ["keys.rs", "lib.rs", "mask/x86.rs"];
            let may_use_std = rooms.iter().any(|room| path.ends_with(room));
            assert!(may_use_std || !line.contains("std::"), "{}: {line}", path.display());
        }
    }
}

/// "The masking key MUST be derived from a strong source of entropy" (RFC 6455 section 5.3): what the
/// system gives is handed on as it is, which no count of keys could tell from a generator of ours.
// req: W5.3-03, W10.3-01
#[test]
fn keys_are_what_the_system_gives() {
    let mut calls = 0;
    for (path, text) in sources() {
        let is_keys = path.ends_with("src/keys.rs");
        for line in code(&text) {
            let draws = line.contains("getrandom::");
            assert!(is_keys || !draws, "{}: {line}", path.display());
            calls += usize::from(draws);
            let mixes = ["^", "<<", ">>", "wrapping_", "rotate_", "hash", "addr", " * ", " + "];
            let is_mixed = is_keys && mixes.iter().any(|word| line.contains(word));
            assert!(!is_mixed, "{}: {line}", path.display());
        }
    }
    assert_eq!(calls, 2, "with blocks, and without");
}

#[test]
fn every_module_opens_with_what_it_implements() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        let names_its_source =
            ["RFC ", "WebSocket protocol"].iter().any(|name| first.contains(name));
        assert!(first.starts_with("//! ") && names_its_source, "{}: {first}", path.display());
        // The two pages are no code.
        let is_page = path.ends_with("src/lib.rs") || path.iter().any(|part| part == "guide");
        let mut opening = text.lines().take_while(|line| line.starts_with("//!"));
        let has_invariant = opening.any(|line| line.starts_with("//! Invariant: "));
        assert!(is_page || has_invariant, "{}: no invariant", path.display());
    }
}

#[test]
fn roles_are_compared_in_role_only() {
    for (path, text) in sources() {
        for line in code(&text).filter(|_| !path.ends_with("role.rs")) {
            for question in ["== Role::", "!= Role::", "Role::Client =>", "Role::Server =>"] {
                assert!(!line.contains(question), "{}: {line}", path.display());
            }
        }
    }
}

/// The rooms that may: each must show a benchmark row that safe code does not reach.
const UNSAFE: [&str; 12] = [
    "deflate/spare.rs",
    "draft.rs",
    "handshake/class/x86.rs",
    "mask/aarch64.rs",
    "mask/backends.rs",
    "mask/body.rs",
    "mask/plain.rs",
    "mask/portable.rs",
    "mask/short.rs",
    "mask/vector.rs",
    "mask/x86.rs",
    "utf8.rs",
];

#[test]
fn unsafe_lives_in_named_rooms_and_says_why_it_is_sound() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut blocks = 0;
    for (path, text) in sources() {
        let room = path.strip_prefix(&src).unwrap().to_str().unwrap().replace('\\', "/");
        let lines: Vec<_> = text.lines().map(str::trim_start).collect();
        for (at, line) in lines.iter().enumerate() {
            let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if line.starts_with("//") || !words.clone().any(|word| word == "unsafe") {
                continue;
            }
            assert!(UNSAFE.contains(&&*room), "{room}: {line}");
            if line.contains("unsafe {") || line.contains("unsafe impl") {
                let before = lines[at.saturating_sub(6)..=at].iter();
                assert!(before.clone().any(|line| line.contains("// SAFETY: ")), "{room}: {line}");
                blocks += 1;
            }
        }
        let allows = text.contains("#![allow(unsafe_code)]");
        assert_eq!(allows, UNSAFE.contains(&&*room), "{room}");
    }
    assert!(blocks > 20, "{blocks} blocks were seen");
}
