//! `cargo xtask budget`: what a first visit loads, file by file, and whether that is too much.
//!
//! Compresses the files itself, as any host can: a stale copy beside them, or one made with more effort, cannot make the
//! figure smaller.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::workspace::{Workspace, files_below};
use crate::{build, compress};

/// The most that a first visit may load, gzip. A kilobyte is 1,000 bytes, as in the alert rule for 250 KB.
const BUDGET_BYTES: usize = 200_000;
/// What we would rather have.
const AIM_BYTES: usize = 120_000;
/// Files that no first visit loads; the snapshot is asked for when no stream answers. Any other file counts, so that a new one cannot be forgotten.
pub(crate) const NOT_LOADED: [&str; 3] = ["404.html", "robots.txt", "snapshot.json"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Write the figures as JSON to stdout
    #[arg(long)]
    json: bool,
    /// Measure dist/ as it is
    #[arg(long)]
    no_build: bool,
}

impl Arguments {
    /// As a stage of the tests, after that of the build unless it runs alone.
    pub(crate) fn stage(alone: bool) -> Self {
        Self { json: false, no_build: !alone }
    }
}

/// Sizes in bytes: as the file is, and as it travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sizes {
    pub(crate) raw_bytes: usize,
    pub(crate) gzip_bytes: usize,
    pub(crate) brotli_bytes: usize,
}

#[derive(Debug, Serialize)]
struct Row {
    path: String,
    #[serde(flatten)]
    sizes: Sizes,
}

/// What a first visit loads.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    budget_bytes: usize,
    aim_bytes: usize,
    within_budget: bool,
    within_aim: bool,
    pub(crate) total: Sizes,
    files: Vec<Row>,
}

/// Measures the site and says so.
///
/// # Errors
/// When the site cannot be built or measured, or is over the budget.
pub(crate) fn budget(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !arguments.no_build {
        build::build(workspace)?;
    }
    let measurement = measure(&workspace.dist())?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&measurement)?);
    } else {
        print!("{}", table(&measurement));
    }
    check(&measurement)
}

/// Measures what a first visit to `site` loads.
///
/// # Errors
/// When there is no site, or a file cannot be read.
pub(crate) fn measure(site: &Path) -> Result<Measurement> {
    if !site.join("index.html").is_file() {
        bail!("there is no site in {}; build it: cargo xtask build", site.display());
    }
    let mut files = Vec::new();
    let mut total = Sizes::default();
    for path in files_below(site)? {
        if NOT_LOADED.iter().any(|name| path.trim_end_matches(".gz").trim_end_matches(".br") == *name)
            || is_copy(site, &path)
        {
            continue;
        }
        let bytes = std::fs::read(site.join(&path)).with_context(|| format!("{path} cannot be read"))?;
        let sizes = if compress::is_compressible(&path) {
            Sizes {
                raw_bytes: bytes.len(),
                // What does not become smaller travels as it is.
                gzip_bytes: compress::gzip_as_hosts(&bytes)?.len().min(bytes.len()),
                brotli_bytes: compress::brotli(&bytes)?.len().min(bytes.len()),
            }
        } else {
            Sizes { raw_bytes: bytes.len(), gzip_bytes: bytes.len(), brotli_bytes: bytes.len() }
        };
        total.raw_bytes += sizes.raw_bytes;
        total.gzip_bytes += sizes.gzip_bytes;
        total.brotli_bytes += sizes.brotli_bytes;
        files.push(Row { path, sizes });
    }
    files.sort_by_key(|row| std::cmp::Reverse(row.sizes.gzip_bytes));
    Ok(Measurement {
        budget_bytes: BUDGET_BYTES,
        aim_bytes: AIM_BYTES,
        within_budget: total.gzip_bytes <= BUDGET_BYTES,
        within_aim: total.gzip_bytes <= AIM_BYTES,
        total,
        files,
    })
}

/// Whether `path` is the compressed copy of a file beside it.
fn is_copy(site: &Path, path: &str) -> bool {
    let original = path.strip_suffix(".gz").or_else(|| path.strip_suffix(".br"));
    original.is_some_and(|original| site.join(original).is_file())
}

fn check(measurement: &Measurement) -> Result<()> {
    if !measurement.within_budget {
        bail!(
            "a first visit loads {}, over the budget of {}",
            kilobytes(measurement.total.gzip_bytes),
            kilobytes(BUDGET_BYTES)
        );
    }
    Ok(())
}

/// Bytes as kilobytes of 1,000, one decimal.
pub(crate) fn kilobytes(bytes: usize) -> String {
    format!("{}.{} KB", bytes / 1_000, bytes % 1_000 / 100)
}

fn table(measurement: &Measurement) -> String {
    let width = measurement.files.iter().map(|row| row.path.len()).max().unwrap_or(0).max("in all".len());
    let line =
        |name: &str, raw: &str, gzip: &str, brotli: &str| format!("{name:width$}  {raw:>9}  {gzip:>9}  {brotli:>9}\n");
    let figures = |name: &str, sizes: Sizes| {
        line(name, &sizes.raw_bytes.to_string(), &sizes.gzip_bytes.to_string(), &sizes.brotli_bytes.to_string())
    };
    let mut text = line("a first visit loads, bytes", "raw", "gzip", "brotli");
    for row in &measurement.files {
        text.push_str(&figures(&row.path, row.sizes));
    }
    text.push_str(&figures("in all", measurement.total));
    let verdict = |limit: usize| {
        let used = measurement.total.gzip_bytes;
        if used <= limit {
            format!("{} left", kilobytes(limit - used))
        } else {
            format!("{} over", kilobytes(used - limit))
        }
    };
    text.push_str(&format!(
        "budget {} gzip: {}; aim {}: {}\n",
        kilobytes(BUDGET_BYTES),
        verdict(BUDGET_BYTES),
        kilobytes(AIM_BYTES),
        verdict(AIM_BYTES)
    ));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(font_bytes: usize) -> tempfile::TempDir {
        let site = tempfile::tempdir().unwrap();
        std::fs::write(site.path().join("index.html"), "<!doctype html>".repeat(50)).unwrap();
        std::fs::write(site.path().join("font.woff2"), vec![0; font_bytes]).unwrap();
        site
    }

    #[test]
    fn one_file_over_the_budget_fails() {
        let error = check(&measure(site(BUDGET_BYTES + 1).path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains("over the budget of 200.0 KB"), "{error}");
    }

    #[test]
    fn a_small_site_is_within_budget_and_aim() {
        let measurement = measure(site(1_000).path()).unwrap();
        check(&measurement).unwrap();
        assert!(measurement.within_aim);
        assert_eq!(measurement.total.raw_bytes, 1_000 + 750);
        assert!(measurement.total.gzip_bytes < 1_100, "the HTML counts as it travels");
    }

    #[test]
    fn every_file_counts_once_and_its_compressed_copies_do_not() {
        let site = site(10);
        for name in ["index.html.gz", "index.html.br", "robots.txt", "404.html"] {
            std::fs::write(site.path().join(name), "copy").unwrap();
        }
        std::fs::write(site.path().join("orphan.gz"), "no file beside it").unwrap();
        let measurement = measure(site.path()).unwrap();
        let mut paths: Vec<_> = measurement.files.iter().map(|row| row.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["font.woff2", "index.html", "orphan.gz"]);
    }

    #[test]
    fn a_stale_copy_does_not_make_the_figure_smaller() {
        let site = site(10);
        let before = measure(site.path()).unwrap().total;
        std::fs::write(site.path().join("index.html.gz"), "").unwrap();
        assert_eq!(measure(site.path()).unwrap().total, before);
    }

    #[test]
    fn a_missing_site_is_named_with_the_command_that_builds_it() {
        let error = measure(Path::new("/no/such/site")).unwrap_err().to_string();
        assert_eq!(error, "there is no site in /no/such/site; build it: cargo xtask build");
    }

    #[test]
    fn the_json_names_the_unit_of_every_figure() {
        let json = serde_json::to_value(measure(site(10).path()).unwrap()).unwrap();
        assert_eq!(json["budget_bytes"], 200_000);
        assert_eq!(json["total"]["raw_bytes"], 760);
        assert_eq!(json["files"].as_array().unwrap().len(), 2);
        assert_eq!(json["within_budget"], true);
    }
}
