//! `cargo xtask run`: builds the site and the stream, and becomes the stream.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::build;
use crate::process::{self, ask, said};
use crate::workspace::{STREAM, Workspace};

/// Where the page is, unless told otherwise.
const ADDRESS: &str = "127.0.0.1:8080";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Flags of monkeytown-stream; they win over those that are set here
    #[arg(last = true, value_name = "STREAM FLAGS")]
    stream: Vec<String>,
}

/// Builds what is needed and starts the stream in place of this process, so that Ctrl-C and SIGTERM reach it and
/// nothing else.
///
/// # Errors
/// When something cannot be built or started. Otherwise it does not return.
pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let flags = Flags::of(&arguments.stream);
    let address = flags.value("listen").unwrap_or_else(|| ADDRESS.to_owned());
    can_be_had(&address)?;
    if !flags.given("site") {
        build::build(workspace)?;
    }
    let binary = build_stream(workspace, Optimised::Release)?;
    let mut command = Command::new(&binary);
    command.args(flags.complete(workspace));
    if address.ends_with(":0") {
        eprintln!("· starting the stream; its first line names the address (Ctrl-C stops it)");
    } else {
        eprintln!("· starting the stream; open http://{address} (Ctrl-C stops it)");
    }
    let error = command.exec();
    Err(error).with_context(|| format!("{} cannot be started", binary.display()))
}

/// Says before anything is built what would be said after minutes: that the stream cannot have its address. It is let
/// go of again, so the stream may still find it taken, and says so itself.
///
/// # Errors
/// When it cannot be listened on.
fn can_be_had(address: &str) -> Result<()> {
    TcpListener::bind(address).map(drop).with_context(|| {
        format!(
            "{address:?} cannot be had, so the stream could not listen there; monkeytown-stream takes another with \
             --listen: cargo xtask run -- --listen 127.0.0.1:0 picks a free port"
        )
    })
}

/// How much the compiler works on the stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimised {
    /// As it is deployed.
    Release,
    /// As the tests build their own copy.
    Debug,
}

/// Builds the stream and gives its path, wherever Cargo put it.
///
/// # Errors
/// When it cannot be built.
pub(crate) fn build_stream(workspace: &Workspace, optimised: Optimised) -> Result<PathBuf> {
    let release = optimised == Optimised::Release;
    let about = if release { "three to five minutes" } else { "a minute or two" };
    eprintln!("· building the stream: about {about} the first time, seconds after");
    let begun = Instant::now();
    let mut command = process::cargo(workspace, ["build", "--package", STREAM, "--bin", STREAM]);
    command.arg("--message-format=json-render-diagnostics");
    if release {
        command.arg("--release");
        // What `/version` says. A test's copy does not say it: it would be built again after every commit.
        let root = workspace.root.to_string_lossy();
        let told = |format: &str| ask("git", &["-C", &root, "log", "-1", &format!("--format={format}")]);
        command.envs(told("%H").map(|commit| ("MONKEYTOWN_COMMIT", commit)));
        command.envs(told("%cI").map(|time| ("MONKEYTOWN_BUILT", time)));
    }
    let messages = process::capture("building the stream", &mut command)?;
    let binary = executable(&messages, STREAM).with_context(|| format!("Cargo did not say where it put {STREAM}"))?;
    eprintln!("  the stream is built after {}", said(begun.elapsed()));
    Ok(binary)
}

/// The path of the program `name` in Cargo's messages, one JSON object a line.
pub(crate) fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let named =
        messages.filter(|message| message.pointer("/target/name").and_then(|named| named.as_str()) == Some(name));
    named.filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from)).next_back()
}

/// The stream's flags as they were given, on the command line or by the environment.
struct Flags<'a> {
    line: &'a [String],
    environment: fn(&str) -> Option<String>,
}

impl<'a> Flags<'a> {
    fn of(line: &'a [String]) -> Self {
        Self { line, environment: |name| std::env::var(name).ok() }
    }

    /// The value of `--name VALUE` or `--name=VALUE`, else that of `MONKEYTOWN_NAME`.
    fn value(&self, name: &str) -> Option<String> {
        let flag = format!("--{name}");
        let mut line = self.line.iter();
        while let Some(argument) = line.next() {
            if *argument == flag {
                return Some(line.next().cloned().unwrap_or_default());
            }
            if let Some(value) = argument.strip_prefix(&format!("{flag}=")) {
                return Some(value.to_owned());
            }
        }
        (self.environment)(&format!("MONKEYTOWN_{}", name.replace('-', "_").to_uppercase()))
    }

    fn given(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The given flags, and ours wherever none was given.
    fn complete(&self, workspace: &Workspace) -> Vec<String> {
        let mut flags = Vec::new();
        let mut ours = |name: &str, value: String| {
            if !self.given(name) {
                flags.extend([format!("--{name}"), value]);
            }
        };
        ours("listen", ADDRESS.to_owned());
        ours("site", workspace.dist().display().to_string());
        // With the simulator alone there is no history to play.
        if self.given("git") || !self.given("simulate") {
            ours("git", workspace.root.display().to_string());
            ours("git-speed", "auto".to_owned());
        }
        flags.extend(self.line.iter().cloned());
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &[&str], environment: fn(&str) -> Option<String>) -> String {
        let line: Vec<String> = line.iter().map(|&argument| argument.to_owned()).collect();
        let workspace = Workspace { root: PathBuf::from("/repo") };
        Flags { line: &line, environment }.complete(&workspace).join(" ")
    }

    #[test]
    fn without_flags_the_page_shows_this_repository() {
        let flags = complete(&[], |_| None);
        assert_eq!(flags, "--listen 127.0.0.1:8080 --site /repo/dist --git /repo --git-speed auto");
    }

    #[test]
    fn a_given_flag_stands_in_place_of_ours() {
        let flags = complete(&["--git", "../other", "--git-speed=3600", "--domains", "map.toml"], |_| None);
        assert_eq!(
            flags,
            "--listen 127.0.0.1:8080 --site /repo/dist --git ../other --git-speed=3600 --domains map.toml"
        );
        assert_eq!(
            complete(&["--git=x"], |_| None),
            "--listen 127.0.0.1:8080 --site /repo/dist --git-speed auto --git=x"
        );
    }

    #[test]
    fn the_simulator_comes_without_a_repository() {
        assert_eq!(complete(&["--simulate", "5"], |_| None), "--listen 127.0.0.1:8080 --site /repo/dist --simulate 5");
    }

    #[test]
    fn a_flag_of_the_environment_is_given_too() {
        let flags = complete(&[], |name| (name == "MONKEYTOWN_LISTEN").then(|| "127.0.0.1:0".to_owned()));
        assert_eq!(flags, "--site /repo/dist --git /repo --git-speed auto");
    }

    #[test]
    fn an_address_that_cannot_be_had_is_told_with_the_flag_that_changes_it() {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = taken.local_addr().expect("a listener has an address").to_string();
        for refused in [address.as_str(), "nowhere", ""] {
            let said = format!("{:#}", can_be_had(refused).expect_err("it cannot be had"));
            assert!(said.contains(refused) && said.contains("--listen"), "{said}");
        }
        drop(taken);
        can_be_had(&address).expect("it is free again");
        can_be_had("127.0.0.1:0").expect("there is a free port");
    }

    #[test]
    fn the_binary_is_where_cargo_says() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"executable\":\"/t/other\"}\nnot json\n{\"target\":{\"name\":\"monkeytown-stream\"},\"executable\":\"/t/monkeytown-stream\"}\n{\"reason\":\"build-finished\",\"success\":true}";
        assert_eq!(executable(messages, STREAM), Some(PathBuf::from("/t/monkeytown-stream")));
        assert_eq!(executable("{}", STREAM), None);
    }
}
