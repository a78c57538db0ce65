//! `cargo xtask bench`: builds what is measured and hands over to the benchmarks, which live with the system's tests.

use anyhow::Result;

use crate::run::{Optimised, build_stream};
use crate::workspace::{SYSTEM_TESTS, Workspace};
use crate::{build, chromium, process};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The benchmark to run; all of them when none is named
    name: Option<String>,
    /// Write the figures as JSON to stdout
    #[arg(long)]
    json: bool,
}

/// Runs the benchmarks in the release profile.
///
/// # Errors
/// When something cannot be built, or a benchmark fails.
pub(crate) fn bench(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    build::build(workspace)?;
    let stream = build_stream(workspace, Optimised::Release)?;
    let mut command =
        process::cargo(workspace, ["run", "--release", "--quiet", "--package", SYSTEM_TESTS, "--bin", "bench", "--"]);
    command.args(&arguments.name);
    if arguments.json {
        command.arg("--json");
    }
    command.env("CHROME", chromium::ensure(workspace)?);
    command.env("MONKEYTOWN_SITE", workspace.dist()).env("MONKEYTOWN_STREAM", stream);
    process::hand_over("measuring", &mut command)
}
