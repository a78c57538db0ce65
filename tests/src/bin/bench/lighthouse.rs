//! Lighthouse on the built page, mobile preset (a mid-range telephone on a slow network, simulated): what somebody
//! else's rules say of a first visit. The simulator speaks slowly meanwhile, so that there is something to show.

use crate::table::{Table, quantile};
use anyhow::{Context, Result, ensure};
use monkeytown_tests::{browser::executable, program::Running, site};
use serde_json::Value;
use std::{collections::BTreeSet, path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

const RUNS: usize = 3;
const RATE: &str = "4";
/// Longest time for one run.
const RUN_MAX: Duration = Duration::from_secs(180);
const CHROME_FLAGS: &str =
    "--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --disable-background-networking";

/// The figures: name, where the report has it, how much of its unit makes one of ours.
const FIGURES: [(&str, &str, f64); 11] = [
    ("performance", "/categories/performance/score", 0.01),
    ("accessibility", "/categories/accessibility/score", 0.01),
    ("best_practices", "/categories/best-practices/score", 0.01),
    ("seo", "/categories/seo/score", 0.01),
    ("first_paint_ms", "/audits/first-contentful-paint/numericValue", 1.0),
    ("largest_paint_ms", "/audits/largest-contentful-paint/numericValue", 1.0),
    ("speed_index_ms", "/audits/speed-index/numericValue", 1.0),
    ("blocking_ms", "/audits/total-blocking-time/numericValue", 1.0),
    ("layout_shift", "/audits/cumulative-layout-shift/numericValue", 1.0),
    ("interactive_ms", "/audits/interactive/numericValue", 1.0),
    ("transferred_kib", "/audits/total-byte-weight/numericValue", 1_024.0),
];

/// Runs it, and gives medians.
///
/// # Errors
/// When it is not installed, or a run does not come to a report.
pub(crate) async fn measure() -> Result<Table> {
    let told = "LIGHTHOUSE names the program; cargo xtask bench lighthouse installs it and sets it";
    let program = std::env::var_os("LIGHTHOUSE").context(told)?;
    let site = site::folder().display().to_string();
    let folder = tempfile::tempdir().context("a folder for reports")?;
    let mut found: Vec<Vec<f64>> = FIGURES.iter().map(|_| Vec::new()).collect();
    let mut faults = BTreeSet::new();
    let mut version = String::new();
    for run in 1..=RUNS {
        eprintln!("lighthouse, run {run} of {RUNS}, up to a minute");
        let stream = Running::start(&["--site", &site, "--simulate", RATE]);
        let report = folder.path().join(format!("{run}.json"));
        let mut command = Command::new(&program);
        command.arg(format!("http://{}/", stream.address)).args(["--quiet", "--output", "json", "--output-path"]);
        command.arg(&report).arg(format!("--chrome-flags={CHROME_FLAGS}")).env("CHROME_PATH", executable());
        let report = audit(&mut command, &report).await?;
        for (list, (name, pointer, unit)) in found.iter_mut().zip(FIGURES) {
            let value = report.pointer(pointer).and_then(Value::as_f64);
            list.push(value.with_context(|| format!("the report says nothing of {name}"))? / unit);
        }
        faults.extend(faults_in(&report));
        let said = report.get("lighthouseVersion").and_then(Value::as_str);
        said.unwrap_or_default().clone_into(&mut version);
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        quantile(values, 0.5)
    };
    let rows = FIGURES.iter().zip(&mut found).map(|((name, ..), values)| {
        let median = median(values);
        let ends = [values.first(), values.last()].map(|end| end.copied().unwrap_or(f64::NAN));
        ((*name).to_owned(), vec![median, ends[0], ends[1]])
    });
    let mut notes = vec![format!("{RATE} simulated events a second; local stream, its files compressed")];
    notes.extend(faults.into_iter().map(|fault| format!("not at its best: {fault}")));
    Ok(Table {
        title: format!("Lighthouse {version}, mobile preset, {RUNS} runs"),
        columns: ["median", "least", "most"].map(str::to_owned).to_vec(),
        rows: rows.collect(),
        notes,
    })
}

async fn audit(command: &mut Command, report: &Path) -> Result<Value> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    let status = tokio::time::timeout(RUN_MAX, command.status()).await;
    let status = status.with_context(|| format!("a run takes longer than {RUN_MAX:?}"))?.context("lighthouse")?;
    ensure!(status.success(), "lighthouse ends with {status}");
    let text = std::fs::read_to_string(report).context("the report")?;
    let report: Value = serde_json::from_str(&text).context("the report is no JSON")?;
    let broken = report.pointer("/runtimeError/message").and_then(Value::as_str);
    ensure!(broken.is_none(), "lighthouse could not look at the page: {}", broken.unwrap_or_default());
    Ok(report)
}

/// Audits that count and do not pass.
fn faults_in(report: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, category) in report.get("categories").and_then(Value::as_object).into_iter().flatten() {
        for reference in category.get("auditRefs").and_then(Value::as_array).into_iter().flatten() {
            let counts = reference.get("weight").and_then(Value::as_f64).is_some_and(|weight| weight > 0.0);
            let id = reference.get("id").and_then(Value::as_str).unwrap_or_default();
            let audit = report.get("audits").and_then(|audits| audits.get(id));
            let score = audit.and_then(|audit| audit.get("score")).and_then(Value::as_f64);
            if counts && score.is_some_and(|score| score < 0.9) {
                let title = audit.and_then(|audit| audit.get("title")).and_then(Value::as_str);
                faults.push(format!("{name}: {}", title.unwrap_or(id)));
            }
        }
    }
    faults
}
