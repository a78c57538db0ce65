//! The directions and habits of ARCHITECTURE.md, held by a program so that nobody has to remember them.
//!
//! Rules are functions over a path and a text, so that each can be shown a bad sample. This file only walks the
//! repository and says what was found.

mod code;
mod habits;
mod layers;
mod manifests;

use std::fmt;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 5] = [".git", "dist", "node_modules", "target", "vendor"];

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    path: String,
    /// Counted from 1; 0 when the whole file is meant.
    line: usize,
    rule: String,
}

impl Complaint {
    fn new(path: &str, line: usize, rule: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule: rule.into() }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.path, self.rule),
            line => write!(formatter, "{}:{line}: {}", self.path, self.rule),
        }
    }
}

/// Holds every file against every rule.
///
/// # Errors
/// When a rule is broken, or a file cannot be read.
pub(crate) fn tidy(workspace: &Workspace) -> Result<()> {
    let files = source_files(workspace)?;
    if !files.iter().any(|path| path == "src/main.rs") {
        bail!("{} holds no src/main.rs: nothing was checked", workspace.root.display());
    }
    let mut complaints = Vec::new();
    for path in &files {
        let bytes = std::fs::read(workspace.root.join(path)).with_context(|| format!("{path} cannot be read"))?;
        // Pictures and fonts have no lines.
        let Ok(text) = String::from_utf8(bytes) else { continue };
        complaints.extend(habits::check(path, &text));
        if path.ends_with(".rs") {
            complaints.extend(layers::check(path, &text));
        }
        if path.ends_with("Cargo.toml") {
            complaints.extend(manifests::check(path, &text)?);
        }
    }
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if !complaints.is_empty() {
        bail!("{} places break the rules of ARCHITECTURE.md", complaints.len());
    }
    eprintln!("   {} files keep the rules", files.len());
    Ok(())
}

/// Every file of the repository's own, with `/` between the parts of its path.
fn source_files(workspace: &Workspace) -> Result<Vec<String>> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(&workspace.root).context("the repository cannot be read")?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            let below = crate::workspace::files_below(&entry.path())?;
            files.extend(below.into_iter().map(|path| format!("{name}/{path}")));
        } else {
            files.push(name);
        }
    }
    files.retain(|path| !path.split('/').any(|part| SKIPPED.contains(&part)));
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_names_its_place_as_an_editor_reads_it() {
        assert_eq!(Complaint::new("src/a.rs", 7, "is wrong").to_string(), "src/a.rs:7: is wrong");
        assert_eq!(Complaint::new("src/a.rs", 0, "is wrong").to_string(), "src/a.rs: is wrong");
    }

    #[test]
    fn an_empty_repository_is_not_called_tidy() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace { root: root.path().to_owned() };
        assert!(tidy(&workspace).unwrap_err().to_string().contains("nothing was checked"));
    }

    #[test]
    fn a_broken_rule_anywhere_fails_the_stage() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("src")).unwrap();
        std::fs::write(root.path().join("src/main.rs"), "//! The start.\nfn main() {}\n").unwrap();
        let workspace = Workspace { root: root.path().to_owned() };
        tidy(&workspace).unwrap();
        std::fs::write(root.path().join("src/utils.rs"), "//! Things.\n").unwrap();
        assert_eq!(tidy(&workspace).unwrap_err().to_string(), "1 places break the rules of ARCHITECTURE.md");
    }
}
