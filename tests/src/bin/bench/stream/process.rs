//! What a process costs, with those that it has started: seconds of the processor, and memory at its most.

use anyhow::{Context, Result};
use std::fs;

/// Ticks of the kernel's accounting in a second; it is the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The processes of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Processes(Vec<u32>);

impl Processes {
    /// `process` and its children as they are now.
    pub(crate) fn of(process: u32) -> Self {
        let mut all = vec![process];
        let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
                all.extend(Self::of(child).0);
            }
        }
        Self(all)
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self(vec![std::process::id()])
    }

    /// Seconds of the processor so far, the kernel's on their behalf included.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        self.0.iter().map(|process| cpu_seconds(*process)).sum()
    }

    /// Most memory that they had resident, in MB (1,000,000 bytes).
    pub(crate) fn peak_memory(&self) -> Result<f64> {
        self.0.iter().map(|process| status(*process, "VmHWM:")).sum()
    }

    /// Memory that they have resident now, in MB.
    pub(crate) fn memory(&self) -> Result<f64> {
        self.0.iter().map(|process| status(*process, "VmRSS:")).sum()
    }

    /// Files and sockets that they have open now.
    #[expect(clippy::cast_precision_loss, reason = "far fewer files than f64 counts exactly")]
    pub(crate) fn open_files(&self) -> Result<f64> {
        let of = |process| Ok(fs::read_dir(format!("/proc/{process}/fd")).context("open files")?.count() as f64);
        self.0.iter().map(of).sum()
    }
}

fn cpu_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("a process that was measured has ended")?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("a process without a name")?;
    let field = |number: usize| fields.split_whitespace().nth(number).and_then(|field| field.parse::<f64>().ok());
    // Fields 14 and 15 of the whole (proc(5)): in user mode and in the kernel.
    let (user, kernel) = field(11).zip(field(12)).context("a process without times")?;
    Ok((user + kernel) / TICKS_PER_SECOND)
}

fn status(process: u32, name: &str) -> Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("a process that was measured has ended")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("a process without memory")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse().context("memory is a number")?;
    Ok(kibibytes * 1_024.0 / 1_000_000.0)
}
