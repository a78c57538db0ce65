//! `cargo xtask test`: every check, in order, each named with its time. Stops at the first that fails.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::browsers::{CHROMIUM, FIREFOX};
use crate::process::{self, said};
use crate::run::{Optimised, build_stream};
use crate::tools::{self, Tool};
use crate::workspace::{CLIENT, PURE, SYSTEM_TESTS, WASM_TARGET, Workspace};
use crate::{autobahn, budget, build, compose, documents, monitors, python, tidy};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run this stage alone
    stage: Option<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Every file is formatted
    Fmt,
    /// The directions and habits of ARCHITECTURE.md hold
    Tidy,
    /// Lints of every package, on this machine
    Clippy,
    /// Lints of what runs in the browser, for WebAssembly
    ClippyWasm,
    /// Tests of every package, on this machine
    Unit,
    /// Tests of the pure packages, as WebAssembly under Node
    UnitWasm,
    /// The documents of the API, by the schemas of those who define such documents
    Documents,
    /// The release site
    Build,
    /// What a first visit loads
    Budget,
    /// Real browsers and the whole system
    System,
    /// WebSocket as RFC 6455 has it, by Autobahn's suite; only when named, for it wants Python 2.7
    Autobahn,
}

impl Stage {
    /// Whether it is run when none is named.
    fn is_always_run(self) -> bool {
        self != Self::Autobahn
    }
}

/// Runs the stages, or the one that is named.
///
/// # Errors
/// Names the first stage that fails.
pub(crate) fn test(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let always = || Stage::value_variants().iter().copied().filter(|stage| stage.is_always_run()).collect();
    let stages: Vec<Stage> = arguments.stage.map_or_else(always, |stage| vec![stage]);
    let mut times: Vec<(String, Duration)> = Vec::new();
    for (index, &stage) in stages.iter().enumerate() {
        let name = name(stage);
        eprintln!("── {} of {}: {name}", index + 1, stages.len());
        let begun = Instant::now();
        let outcome = run_stage(workspace, stage, arguments.stage.is_some());
        let time = begun.elapsed();
        outcome.with_context(|| {
            format!("the stage {name} failed after {}; to run it alone: cargo xtask test {name}", said(time))
        })?;
        eprintln!("   {name} holds, {}", said(time));
        times.push((name, time));
    }
    let total = times.iter().map(|(_, time)| *time).sum();
    let list: Vec<_> = times.iter().map(|(name, time)| format!("{name} {}", said(*time))).collect();
    eprintln!("all holds, {}: {}", said(total), list.join(", "));
    Ok(())
}

fn name(stage: Stage) -> String {
    stage.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn run_stage(workspace: &Workspace, stage: Stage, alone: bool) -> Result<()> {
    match stage {
        Stage::Fmt => {
            tools::ensure_component(workspace, "fmt", "rustfmt")?;
            process::run("checking the format", &mut process::cargo(workspace, ["fmt", "--all", "--check"]))
        }
        Stage::Tidy => tidy::tidy(workspace),
        Stage::Clippy => clippy(workspace, &["--workspace", "--all-targets"]),
        Stage::ClippyWasm => {
            tools::ensure_wasm_target(workspace)?;
            let mut arguments = vec!["--target", WASM_TARGET, "--package", CLIENT];
            arguments.extend(PURE.iter().flat_map(|package| ["--package", package]));
            clippy(workspace, &arguments)
        }
        Stage::Unit => {
            tools::ensure_redis(workspace)?;
            let arguments = ["test", "--workspace", "--exclude", SYSTEM_TESTS];
            process::run("testing on this machine", &mut process::cargo(workspace, arguments))
        }
        Stage::UnitWasm => PURE.iter().try_for_each(|package| unit_wasm(workspace, package)),
        Stage::Documents => documents::documents(workspace),
        Stage::Build => build::build(workspace),
        Stage::Budget => budget::budget(workspace, &budget::Arguments::stage(alone)),
        Stage::System => system(workspace, alone),
        Stage::Autobahn => autobahn::autobahn(workspace),
    }
}

fn clippy(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    tools::ensure_component(workspace, "clippy", "clippy")?;
    let mut command = process::cargo(workspace, ["clippy"]);
    command.args(arguments).args(["--", "-D", "warnings"]);
    process::run("linting", &mut command)
}

fn unit_wasm(workspace: &Workspace, package: &str) -> Result<()> {
    tools::ensure_wasm_target(workspace)?;
    tools::ensure_node(workspace)?;
    let toolbox = tools::ensure(workspace, &[Tool::WasmBindgenTestRunner])?;
    let mut command = process::cargo(workspace, ["test", "--target", WASM_TARGET, "--package", package]);
    command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", toolbox.path(Tool::WasmBindgenTestRunner)?);
    let output = process::capture(&format!("testing {package} as WebAssembly"), &mut command);
    let output = output.with_context(|| format!("the tests of {package} fail as WebAssembly"))?;
    eprint!("{output}");
    // The runner is content with a package in which it finds nothing to run.
    match passed(&output) {
        0 => bail!("{package} has no test that runs as WebAssembly (#[wasm_bindgen_test])"),
        count => eprintln!("   {package}: {count} tests pass as WebAssembly"),
    }
    Ok(())
}

/// How many tests passed, by the summaries in `output`.
fn passed(output: &str) -> u64 {
    let summaries = output.lines().filter_map(|line| line.trim().strip_prefix("test result: ok. "));
    summaries.filter_map(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).sum()
}

fn system(workspace: &Workspace, alone: bool) -> Result<()> {
    let browsers = [(CHROMIUM.variable, CHROMIUM.ensure(workspace)?), (FIREFOX.variable, FIREFOX.ensure(workspace)?)];
    let monitors = monitors::ensure(workspace)?;
    let readers =
        [(python::VARIABLE, python::ensure(workspace)?.into()), (compose::VARIABLE, compose::ensure(workspace)?)];
    let toolbox = tools::ensure(workspace, &[Tool::Geckodriver])?;
    if alone {
        build::build(workspace)?;
    }
    let stream = build_stream(workspace, Optimised::Debug)?;
    let mut command = process::cargo(workspace, ["test", "--package", SYSTEM_TESTS]);
    command.envs(browsers).envs(monitors).envs(readers).env("GECKODRIVER", toolbox.path(Tool::Geckodriver)?);
    command.env("MONKEYTOWN_SITE", workspace.dist()).env("MONKEYTOWN_STREAM", stream);
    process::run("testing the whole system", &mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passed_tests_are_counted_over_all_summaries() {
        let output = "running 2 tests\ntest a ... ok\n\ntest result: ok. 2 passed; 0 failed; 0 ignored\n\n    test result: ok. 40 passed; 0 failed\n";
        assert_eq!(passed(output), 42);
    }

    #[test]
    fn a_run_without_tests_counts_none() {
        assert_eq!(passed("no tests to run!\n"), 0);
        assert_eq!(passed("test result: FAILED. 3 passed; 1 failed"), 0);
    }

    #[test]
    fn the_site_is_built_before_it_is_measured_and_visited() {
        let position = |stage: Stage| Stage::value_variants().iter().position(|each| *each == stage).unwrap();
        assert!(position(Stage::Build) < position(Stage::Budget));
        assert!(position(Stage::Build) < position(Stage::System));
    }
}
