//! The stream's own program, as an operator starts it.

use crate::stream::TOKEN;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

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

/// A stream in a process of its own, killed when dropped. Publishers give [`TOKEN`].
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: String,
}

impl Running {
    /// Starts the program on a free port.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    /// The same with more in its environment.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start_with(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = stream();
        command.envs(environment.iter().copied());
        command.args(["--listen", "127.0.0.1:0", "--log-level", "error"]).args(arguments);
        let command = command.env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the stream starts");
        let mut first = String::new();
        let output = child.stdout.take().expect("a pipe was asked for");
        BufReader::new(output).read_line(&mut first).expect("its first line");
        let line: Value = serde_json::from_str(&first).unwrap_or_else(|why| panic!("{first:?} is no log line: {why}"));
        let address = line.pointer("/context/address").and_then(Value::as_str);
        Self { address: address.expect("its first line names its address").to_owned(), child }
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
