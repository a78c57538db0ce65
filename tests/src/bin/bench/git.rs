//! Reading the history of 50,000 commits, beside `git log --numstat` on the same repository.

use crate::Figures;
use serde_json::{Value, json};
use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

const COMMITS: u32 = 50_000;
const RUNS: usize = 3;

pub(crate) fn measure() -> Figures {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let repository = folder.path().join("repository");
    eprintln!("making a repository of {COMMITS} commits, about two minutes");
    let path = repository.to_str().ok_or("a folder whose name is no text")?;
    reader(&["make-repo", path, &COMMITS.to_string()])?;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        ours.push(read_history(path)?);
        peer.push(git_log(&repository)?);
    }
    let (ours, peer) = (median(ours), median(peer));
    eprintln!("history of {COMMITS} commits, median of {RUNS} runs in turn");
    eprintln!("{:<24}{:>10}{:>14}", "", "seconds", "peak MB");
    for (name, (seconds, megabytes)) in [("the Git source", ours), ("git log --numstat", peer)] {
        eprintln!("{name:<24}{seconds:>10.2}{megabytes:>14.0}");
    }
    let figures = |(seconds, megabytes)| json!({ "seconds": seconds, "peak_megabytes": megabytes });
    Ok(json!({ "benchmark": "git", "commits": COMMITS, "source": figures(ours), "git_log_numstat": figures(peer) }))
}

/// Runs the example that reads a history, and gives what it printed.
fn reader(arguments: &[&str]) -> Result<String, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["run", "--release", "--quiet", "--package", "monkeytown-stream", "--example", "git_history", "--"]);
    let output = command.args(arguments).stderr(Stdio::inherit()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("git_history {arguments:?} failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Seconds and peak memory of the source, by its own account.
fn read_history(path: &str) -> Result<(f64, f64), String> {
    let told: Value = serde_json::from_str(&reader(&[path])?).map_err(|error| error.to_string())?;
    let number = |key: &str| told.get(key).and_then(Value::as_f64).ok_or_else(|| format!("no {key} in {told}"));
    Ok((number("seconds")?, number("peak_rss_kib")? * 1_024.0 / 1e6))
}

/// Seconds and peak memory of `git log --numstat`, as the kernel counts it.
fn git_log(repository: &Path) -> Result<(f64, f64), String> {
    let begun = Instant::now();
    let mut child = Command::new("git")
        .current_dir(repository)
        .args(["log", "--numstat"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let status = format!("/proc/{}/status", child.id());
    let mut output = child.stdout.take().ok_or("no output")?;
    let (mut block, mut peak_kilobytes, mut blocks) = (vec![0; 1 << 16], 0.0_f64, 0_u64);
    loop {
        // The high-water mark only rises, so a look now and then, and one near the end, is enough.
        if blocks % 64 == 0
            && let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse().ok());
            peak_kilobytes = peak_kilobytes.max(kilobytes.unwrap_or(0.0));
        }
        blocks += 1;
        if output.read(&mut block).map_err(|error| error.to_string())? == 0 {
            break;
        }
    }
    let ended = child.wait().map_err(|error| error.to_string())?;
    if !ended.success() {
        return Err("git log failed".to_owned());
    }
    Ok((begun.elapsed().as_secs_f64(), peak_kilobytes * 1_024.0 / 1e6))
}

fn median(mut runs: Vec<(f64, f64)>) -> (f64, f64) {
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    runs.get(runs.len() / 2).copied().unwrap_or((f64::NAN, f64::NAN))
}
