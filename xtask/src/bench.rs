//! `cargo xtask bench`: builds what is measured and hands over to the benchmarks, which live with the system's tests.

use anyhow::Result;

use crate::browsers::CHROMIUM;
use crate::run::{Optimised, build_stream};
use crate::tools::{self, Tool};
use crate::workspace::{SYSTEM_TESTS, Workspace};
use crate::{build, peers, process};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The benchmark to run; all of them when none is named
    name: Option<String>,
    /// Write the figures as JSON to stdout
    #[arg(long)]
    json: bool,
    /// How long `client` looks at each load, in seconds, instead of 60, `stream` at each corner and `attack` at each attack,
    /// instead of 10, `soak` in all instead of 1,800; `memory` takes so many seconds' events
    #[arg(long)]
    seconds: Option<u64>,
    /// The one rate of events a second for `client`, `memory` and `stream`, instead of all
    #[arg(long)]
    rate: Option<u32>,
    /// How many subscribers `stream` has, instead of 10,100,1000
    #[arg(long, value_name = "N,N")]
    subscribers: Option<String>,
    /// Whom `stream` measures, instead of the stream and every peer that is here
    #[arg(long, value_name = "NAME,NAME")]
    subjects: Option<String>,
    /// How long an event of `stream` is, instead of 200 bytes
    #[arg(long)]
    bytes: Option<usize>,
}

/// Benchmarks of the stream alone: they need no page and no browser.
const PAGELESS: [&str; 6] = ["stream", "resume", "footprint", "rewind", "attack", "soak"];

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
    let given = [
        ("--seconds", arguments.seconds.map(|seconds| seconds.to_string())),
        ("--rate", arguments.rate.map(|rate| rate.to_string())),
        ("--subscribers", arguments.subscribers.clone()),
        ("--subjects", arguments.subjects.clone()),
        ("--bytes", arguments.bytes.map(|bytes| bytes.to_string())),
    ];
    for (flag, value) in given {
        if let Some(value) = value {
            command.arg(flag).arg(value);
        }
    }
    if with_page {
        command.env(CHROMIUM.variable, CHROMIUM.ensure(workspace)?);
    }
    if arguments.name.as_deref().is_none_or(|name| name == "lighthouse") {
        let tools = tools::ensure(workspace, &[Tool::Lighthouse])?;
        command.env("LIGHTHOUSE", tools.path(Tool::Lighthouse)?);
    }
    if arguments.name.as_deref().is_none_or(|name| name == "stream") {
        command.env("MONKEYTOWN_BENCH_PEERS", peers::ensure(workspace)?);
    }
    command.env("MONKEYTOWN_SITE", workspace.dist()).env("MONKEYTOWN_STREAM", stream);
    process::hand_over("measuring", &mut command)
}
