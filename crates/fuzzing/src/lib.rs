//! Every decoder as a target: a function that takes bytes as they may come from outside, and panics when what holds for all
//! bytes does not. `fuzz/` makes inputs without end for them (`cargo xtask fuzz`); the tests here replay those that were
//! kept, so that no target rots and nothing that was found comes back.
//!
//! The corpus of a target is what the project holds already (golden files, payloads of the tests) and the folder of its name
//! in `fuzz/corpus`.

mod kept;
mod wire;

use monkeytown_stream::{
    Tokens, fuzzing,
    sources::{domains::DomainMap, fleet::FleetConfig},
};
use std::{io, path::Path};

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What it is called.
    pub name: &'static str,
    /// Runs it on one input.
    pub run: fn(&[u8]),
    /// Folders and files of inputs that the project holds for other ends, from its root.
    pub held: &'static [&'static str],
}

const EVENTS: &str = "crates/protocol/tests/golden/events";
const FRAMES: &str = "crates/protocol/tests/golden/frames";

/// Every target.
pub const TARGETS: [Target; 23] = [
    Target { name: "event", run: fuzzing::event, held: &[EVENTS] },
    Target { name: "batch", run: fuzzing::batch, held: &[] },
    Target { name: "binary", run: fuzzing::binary, held: &[] },
    Target { name: "client", run: fuzzing::client, held: &[] },
    Target { name: "inlet", run: fuzzing::inlet, held: &[] },
    Target { name: "message", run: fuzzing::message, held: &[EVENTS] },
    Target { name: "query", run: fuzzing::query, held: &[] },
    Target { name: "webhook", run: fuzzing::webhook, held: &[] },
    Target { name: "segment", run: fuzzing::segment, held: &[] },
    Target { name: "redis", run: fuzzing::redis_answer, held: &[] },
    Target { name: "fleet", run: fleet, held: &[] },
    Target { name: "postgres", run: fuzzing::postgres, held: &[] },
    Target { name: "commit", run: fuzzing::commit, held: &[] },
    Target { name: "trace", run: fuzzing::trace, held: &[] },
    Target { name: "domains", run: domains, held: &[] },
    Target { name: "tokens", run: tokens, held: &[] },
    Target { name: "cursor", run: wire::cursor, held: &["crates/protocol/tests/golden/cursors"] },
    Target { name: "timestamp", run: wire::timestamp, held: &[] },
    Target { name: "json", run: wire::json, held: &[EVENTS, FRAMES] },
    Target { name: "frame", run: wire::frame, held: &[FRAMES] },
    Target { name: "state", run: wire::state, held: &[] },
    Target { name: "record", run: kept::record, held: &[] },
    Target { name: "parcel", run: kept::parcel, held: &[] },
];

/// The target called `name`.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// A domain map.
fn domains(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // What is refused is said in words, which takes the same text.
    if let Err(error) = DomainMap::parse(text, Path::new("domains.toml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// A fleet, in an environment that has every variable: no refusal repeats what one holds.
fn fleet(bytes: &[u8]) {
    const WORD: &str = "hunter2-of-the-environment";
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = FleetConfig::parse(text, Path::new("fleet.toml"), |_| Some(WORD.to_owned())) {
        let said = error.to_string();
        assert!(!said.is_empty() && (!said.contains(WORD) || text.contains(WORD)), "{said}");
    }
}

/// A file of tokens.
fn tokens(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(error) = Tokens::parse(text, Path::new("tokens.toml")) {
        assert!(!error.to_string().is_empty());
    }
}

/// Every input that is held for `target`, with where it lies; `root` is that of the project.
///
/// # Errors
/// When a folder cannot be read.
pub fn inputs(root: &Path, target: Target) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut inputs = Vec::new();
    let own = format!("fuzz/corpus/{}", target.name);
    for folder in target.held.iter().copied().chain([own.as_str()]) {
        for entry in std::fs::read_dir(root.join(folder))? {
            let path = entry?.path();
            if path.is_file() {
                inputs.push((path.display().to_string(), std::fs::read(&path)?));
            }
        }
    }
    Ok(inputs)
}
