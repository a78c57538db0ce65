//! `cargo xtask bench`: builds what is measured and hands over to the benchmarks, which live with the system's tests.

use anyhow::Result;

use crate::browsers::CHROMIUM;
use crate::run::{Optimised, build_stream};
use crate::tools::{self, Tool};
use crate::workspace::{SYSTEM_TESTS, Workspace};
use crate::{build, process};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The benchmark to run; all of them when none is named
    name: Option<String>,
    /// Write the figures as JSON to stdout
    #[arg(long)]
    json: bool,
    /// How long `client` looks at each load, in seconds, instead of 60, and `attack` at each attack, instead of 10;
    /// `memory` takes so many seconds' events
    #[arg(long)]
    seconds: Option<u64>,
    /// The one rate of events a second for `client` and `memory`, instead of all
    #[arg(long)]
    rate: Option<u32>,
}

/// Benchmarks of the stream alone: they need no page and no browser.
const PAGELESS: [&str; 1] = ["attack"];

/// Runs the benchmarks in the release profile.
///
/// # Errors
/// When something cannot be built, or a benchmark fails.
pub(crate) fn bench(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let with_page = arguments.name.as_deref().is_none_or(|name| !PAGELESS.contains(&name));
    if with_page {
        build::build(workspace)?;
    }
    let stream = build_stream(workspace, Optimised::Release)?;
    let mut command =
        process::cargo(workspace, ["run", "--release", "--quiet", "--package", SYSTEM_TESTS, "--bin", "bench", "--"]);
    command.args(&arguments.name);
    if arguments.json {
        command.arg("--json");
    }
    for (flag, value) in [("--seconds", arguments.seconds), ("--rate", arguments.rate.map(u64::from))] {
        if let Some(value) = value {
            command.arg(flag).arg(value.to_string());
        }
    }
    if with_page {
        command.env(CHROMIUM.variable, CHROMIUM.ensure(workspace)?);
    }
    if arguments.name.as_deref().is_none_or(|name| name == "lighthouse") {
        let tools = tools::ensure(workspace, &[Tool::Lighthouse])?;
        command.env("LIGHTHOUSE", tools.path(Tool::Lighthouse)?);
    }
    command.env("MONKEYTOWN_SITE", workspace.dist()).env("MONKEYTOWN_STREAM", stream);
    process::hand_over("measuring", &mut command)
}
