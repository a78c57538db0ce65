//! The stream's own program, as an operator starts it.

use std::{path::PathBuf, process::Command};

/// The program with nothing in its environment that is meant for it.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn stream() -> Command {
    let program = std::env::var_os("MONKEYTOWN_STREAM").map_or_else(beside_this_test, PathBuf::from);
    let told = "cargo xtask test system builds it, or cargo build -p monkeytown-stream";
    assert!(program.is_file(), "there is no stream at {}: {told}", program.display());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MONKEYTOWN_")) {
        command.env_remove(name);
    }
    command
}

/// Cargo puts a test into `deps`, beside the programs of its profile.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let profile = test.ancestors().find(|folder| folder.ends_with("deps")).and_then(|deps| deps.parent());
    profile.expect("cargo runs a test in deps").join("monkeytown-stream")
}
