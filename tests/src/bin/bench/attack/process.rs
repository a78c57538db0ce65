//! What a process takes of the machine, as Linux tells it.

use anyhow::{Context, Result};
use std::time::Duration;
use tokio::{sync::oneshot, task::JoinHandle};

const PACE: Duration = Duration::from_millis(50);

/// Memory of a process over a time.
pub(super) struct Memory {
    pub(super) before_mib: f64,
    pub(super) peak_mib: f64,
}

/// A process that is looked at again and again.
pub(super) struct Watched {
    before_mib: f64,
    stop: oneshot::Sender<()>,
    looking: JoinHandle<Result<f64>>,
}

impl Watched {
    pub(super) fn begin(id: u32) -> Result<Self> {
        let before_mib = resident_mib(id)?;
        let (stop, mut stopped) = oneshot::channel::<()>();
        let looking = tokio::spawn(async move {
            let mut peak = before_mib;
            let mut pace = tokio::time::interval(PACE);
            loop {
                tokio::select! {
                    _ = &mut stopped => return Ok(peak),
                    _ = pace.tick() => peak = peak.max(resident_mib(id)?),
                }
            }
        });
        Ok(Self { before_mib, stop, looking })
    }

    pub(super) async fn end(self) -> Result<Memory> {
        // It may have ended on its own, with an error.
        let _ = self.stop.send(());
        Ok(Memory { before_mib: self.before_mib, peak_mib: self.looking.await?? })
    }
}

fn resident_mib(id: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("the stream's process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process has memory")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1_024.0)
}
