//! axe-core: rules of accessibility that nobody here wrote, run in the page. Installed from npm at a pinned version.

use crate::browser::Page;
use serde::Deserialize;
use std::{path::Path, process::Command, sync::LazyLock};

const VERSION: &str = "4.14.1";

/// The program, installed when this machine does not have it yet.
static PROGRAM: LazyLock<String> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/axe").join(VERSION);
    let program = folder.join("node_modules/axe-core/axe.min.js");
    if !program.is_file() {
        std::fs::create_dir_all(&folder).expect("a folder for axe-core");
        let told = format!("npm install --prefix {} axe-core@{VERSION}", folder.display());
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel", "error", "--prefix"]).arg(&folder);
        let status = npm.arg(format!("axe-core@{VERSION}")).status();
        assert!(status.is_ok_and(|status| status.success()), "axe-core is not to be had: {told}");
    }
    std::fs::read_to_string(program).expect("axe-core, which has just been installed")
});

/// A rule that the page breaks.
#[derive(Debug, Deserialize)]
pub struct Violation {
    /// The rule's name.
    pub id: String,
    /// What it asks for.
    pub help: String,
    /// The elements that break it, with what is wrong.
    pub nodes: Vec<String>,
}

#[derive(Deserialize)]
struct Report {
    passes: u32,
    violations: Vec<Violation>,
}

/// The rules of WCAG 2.2, all levels with enhanced contrast, and good practice, that the page breaks.
///
/// # Panics
/// When axe-core cannot be had or does not run.
pub async fn violations(page: &Page) -> Vec<Violation> {
    page.value::<bool>(&format!("{}; true", *PROGRAM)).await;
    let run = "axe.run({
            runOnly: ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
        }).then(({ violations, passes }) => ({ passes: passes.length, violations: violations.map(
            ({ id, help, nodes }) => ({
                id, help, nodes: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`),
            }),
        ) }))";
    let report: Report = page.value(run).await;
    assert!(report.passes > 20, "axe-core found next to nothing to look at: {} rules hold", report.passes);
    report.violations
}
