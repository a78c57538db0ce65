//! Reading a history of 50,000 commits, beside `git log --numstat` on the same repository: seconds and memory.
//!
//! The stream's side also works out domains, references and flows and makes events of them; git's side writes lines.

use crate::table::{Table, quantile};
use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::process::Command;

const COMMITS: &str = "50000";
const RUNS: usize = 3;
/// Longest time for one run, in seconds.
const RUN_SECONDS: u64 = 300;
const SAMPLE_MILLIS: u64 = 5;

/// What one run took.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    /// Most memory that was resident, mapped files included, in MiB.
    peak_mib: f64,
    /// Most memory that no file backs, in MiB.
    anonymous_mib: f64,
}

/// Makes the repository and measures both, by turns.
pub(crate) async fn measure() -> Result<Table> {
    let reader = build_reader().await?;
    let folder = tempfile::tempdir().context("a folder for the repository")?;
    let repository = folder.path().join("history.git");
    eprintln!("making a repository of {COMMITS} commits, about a minute");
    let mut maker = Command::new(&reader);
    cost(maker.arg("make-repo").arg(&repository).arg(COMMITS)).await.context("making the repository")?;
    let mut ours = Vec::new();
    let mut gits = Vec::new();
    for run in 1..=RUNS {
        eprintln!("reading it, run {run} of {RUNS}");
        ours.push(cost(Command::new(&reader).arg(&repository)).await?);
        gits.push(cost(&mut git_log(&repository)).await?);
    }
    let medians = |costs: &[Cost]| {
        let median = |read: fn(&Cost) -> f64| {
            let mut values: Vec<f64> = costs.iter().map(read).collect();
            values.sort_unstable_by(f64::total_cmp);
            quantile(&values, 0.5)
        };
        vec![median(|cost| cost.seconds), median(|cost| cost.peak_mib), median(|cost| cost.anonymous_mib)]
    };
    Ok(Table {
        title: format!("a history of {COMMITS} commits, medians of {RUNS} runs by turns"),
        columns: ["seconds", "peak_rss_mib", "peak_anon_mib"].map(str::to_owned).to_vec(),
        rows: vec![
            ("the stream's reader".to_owned(), medians(&ours)),
            ("git log --numstat".to_owned(), medians(&gits)),
        ],
        notes: vec![
            "both read packs through mapped files, which count as resident but can be dropped at any time".to_owned(),
            format!("memory is looked at every {SAMPLE_MILLIS} ms in /proc"),
        ],
    })
}

/// The example of the stream's crate that reads and makes histories, built as what runs in production.
async fn build_reader() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["build", "--release", "--quiet", "--package", "monkeytown-stream", "--example", "git_history"]);
    let status = command.status().await.context("cargo")?;
    ensure!(status.success(), "the reader of histories does not build");
    let program = std::env::current_exe().context("where this program is")?;
    let target = program.ancestors().nth(2).context("a target folder around this program")?;
    let reader = target.join("release/examples/git_history");
    ensure!(reader.is_file(), "there is no {}", reader.display());
    Ok(reader)
}

fn git_log(repository: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(repository).args(["log", "--numstat", "--format=%H %an %at %s", "HEAD"]);
    command
}

/// Runs a command to its end and looks at its memory meanwhile.
async fn cost(command: &mut Command) -> Result<Cost> {
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::null()).kill_on_drop(true).spawn().context("starting a run")?;
    let process = child.id().context("a child that was just started")?;
    let mut cost = Cost { seconds: 0.0, peak_mib: 0.0, anonymous_mib: 0.0 };
    let mut look = tokio::time::interval(Duration::from_millis(SAMPLE_MILLIS));
    let ended = async {
        loop {
            tokio::select! {
                status = child.wait() => return status,
                _ = look.tick() => {
                    cost.peak_mib = cost.peak_mib.max(memory_mib(process, "VmHWM:"));
                    cost.anonymous_mib = cost.anonymous_mib.max(memory_mib(process, "RssAnon:"));
                }
            }
        }
    };
    let status = tokio::time::timeout(Duration::from_secs(RUN_SECONDS), ended).await;
    let status = status.with_context(|| format!("a run takes longer than {RUN_SECONDS} s"))??;
    ensure!(status.success(), "a run ends with {status}");
    cost.seconds = begun.elapsed().as_secs_f64();
    Ok(cost)
}

/// A field of `/proc/ID/status`; 0 when the process has just ended.
fn memory_mib(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
