//! `cargo xtask fuzz`: libFuzzer over the targets of `crates/fuzzing`, each guided by what it reaches.
//!
//! The compiler's own coverage passes do, so a stable toolchain is enough, with a C++ compiler for libFuzzer itself. The
//! targets are the folders of `fuzz/corpus`, which a test of `crates/fuzzing` holds against the targets.

use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::process::{self, ask, on_path};
use crate::tools;
use crate::workspace::Workspace;

/// What has code count where it comes by, and compare what it compares.
const INSTRUMENTED: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
/// Inputs that the project holds for other ends; whatever target finds them useful takes them.
const HELD: &str = "crates/protocol/tests/golden";
/// What is in it.
const HELD_FOLDERS: [&str; 3] = ["cursors", "events", "frames"];
const PROGRAM: &str = "monkeytown-fuzz";
/// Longest input, in bytes: a webhook's payload is the longest that says something.
const INPUT_MAX_BYTES: usize = 32_768;
/// How long one input may take, in seconds, and how much memory all may, in MiB.
const INPUT_MAX_SECONDS: u32 = 10;
const MEMORY_MAX_MIB: u32 = 2_048;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The target; all of them, one after the other, when none is named
    target: Option<String>,
    /// How long each runs, in seconds
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// How one target came out.
struct Outcome {
    name: String,
    executions: u64,
    /// Edges reached at the start and at the end.
    reached: (u64, u64),
    broke: bool,
}

/// Runs the targets, and prints what each came to.
///
/// # Errors
/// When something is missing, no target is called so, or an input broke one.
pub(crate) fn fuzz(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let known = targets(workspace)?;
    let chosen: Vec<&String> = match &arguments.target {
        Some(name) => known.iter().filter(|known| *known == name).collect(),
        None => known.iter().collect(),
    };
    if chosen.is_empty() {
        bail!("no target is called so; there are {}", known.join(", "));
    }
    let program = build(workspace)?;
    let outcomes: Vec<Outcome> =
        chosen.iter().map(|name| run(workspace, &program, name, arguments.seconds)).collect::<Result<_>>()?;
    eprint!("{}", table(&outcomes));
    let broken: Vec<&str> = outcomes.iter().filter(|outcome| outcome.broke).map(|outcome| &*outcome.name).collect();
    if !broken.is_empty() {
        bail!(
            "inputs that break {} are in target/fuzz/found; put each into fuzz/corpus, where `cargo test --package \
             monkeytown-fuzzing` runs it, and mend what it breaks",
            broken.join(", ")
        );
    }
    Ok(())
}

/// The names of the targets, in order.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join("fuzz/corpus");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names: Vec<String> =
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<Result<_>>()?;
    names.sort();
    Ok(names)
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    if on_path("c++").is_none() {
        tools::install_debian(workspace, "a C++ compiler, for libFuzzer,", &["g++"], "half a minute")?;
    }
    let told = ask("rustc", &["-vV"]).context("rustc does not say what it builds for")?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc does not name its host")?;
    let target = workspace.root.join("target/fuzz");
    // With a target named, what runs while others are built is not instrumented.
    let mut command = process::cargo(workspace, ["build", "--release", "--locked", "--target", host, "--target-dir"]);
    command.arg(&target).arg("--manifest-path").arg(workspace.root.join("fuzz/Cargo.toml"));
    command.env("RUSTFLAGS", INSTRUMENTED.join(" "));
    process::run("building the targets: about five minutes the first time", &mut command)?;
    Ok(target.join(host).join("release").join(PROGRAM))
}

fn run(workspace: &Workspace, program: &Path, name: &str, seconds: u32) -> Result<Outcome> {
    let place = workspace.root.join("target/fuzz");
    let (grown, found) = (place.join("grown").join(name), place.join("found"));
    for folder in [&grown, &found] {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let log = place.join(format!("{name}.log"));
    let mut command = process::command(workspace, program);
    // What it finds goes into the first folder; the others are only read.
    command.env("FUZZ_TARGET", name).arg(&grown).arg(workspace.root.join("fuzz/corpus").join(name));
    command.args(HELD_FOLDERS.map(|folder| workspace.root.join(HELD).join(folder)));
    command.arg(format!("-max_total_time={seconds}")).arg(format!("-max_len={INPUT_MAX_BYTES}"));
    command.arg(format!("-timeout={INPUT_MAX_SECONDS}")).arg(format!("-rss_limit_mb={MEMORY_MAX_MIB}"));
    command.arg(format!("-artifact_prefix={}/{name}-", found.display())).arg("-print_final_stats=1");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?);
    eprintln!("· {name}, for {}: {}", process::said(std::time::Duration::from_secs(seconds.into())), log.display());
    let status = command.status().with_context(|| format!("{} cannot be started", program.display()))?;
    let said = std::fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
    Ok(outcome(name, &String::from_utf8_lossy(&said), !status.success()))
}

/// What libFuzzer said of a run.
fn outcome(name: &str, said: &str, broke: bool) -> Outcome {
    let number =
        |line: &str, after: &str| -> Option<u64> { line.split_once(after)?.1.split_whitespace().next()?.parse().ok() };
    let executions = said.lines().find_map(|line| number(line, "stat::number_of_executed_units:")).unwrap_or_default();
    let mut reached = said.lines().filter_map(|line| number(line, " cov: "));
    let first = reached.next().unwrap_or_default();
    let last = reached.next_back().unwrap_or(first);
    Outcome { name: name.to_owned(), executions, reached: (first, last), broke }
}

fn table(outcomes: &[Outcome]) -> String {
    let mut table = format!("{:<12}{:>14}{:>12}{:>12}{:>8}\n", "", "executions", "reached at", "the end", "broke");
    for Outcome { name, executions, reached: (first, last), broke } in outcomes {
        let broke = if *broke { "yes" } else { "no" };
        // A String takes everything.
        let _ = writeln!(table, "{name:<12}{executions:>14}{first:>12}{last:>12}{broke:>8}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let said = "INFO: seed corpus: files: 3\n#4\tINITED cov: 700 ft: 714 corp: 3/1Kb\n#9\tNEW    cov: 712 ft: 730\n\
                    #50\tDONE   cov: 903 ft: 999 corp: 9/4Kb\nstat::number_of_executed_units: 1234\n";
        let Outcome { executions, reached, broke, .. } = outcome("event", said, false);
        assert_eq!((executions, reached, broke), (1_234, (700, 903), false));
        assert_eq!(outcome("event", "", true).executions, 0);
    }
}
