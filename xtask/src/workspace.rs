//! Where things lie in this repository. Knows no program and no network.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The page's package, whose binary is the WebAssembly program.
pub(crate) const CLIENT: &str = "monkeytown-witness";
/// The event stream's package and binary.
pub(crate) const STREAM: &str = "monkeytown-stream";
/// The tests of the browser and the whole system.
pub(crate) const SYSTEM_TESTS: &str = "monkeytown-tests";
/// Packages without I/O, tested on WebAssembly as well.
pub(crate) const PURE: [&str; 3] = ["monkeytown-protocol", "monkeytown-civilization", "monkeytown-keepsakes"];
/// The target of the page.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The repository's folders.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// The repository that this program was started for.
    pub(crate) fn find() -> Result<Self> {
        // Cargo sets it at run time; the constant serves a binary that is started by hand.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.parent().context("xtask lies in no workspace")?;
        let root = root.canonicalize().with_context(|| format!("{} cannot be opened", root.display()))?;
        Ok(Self { root })
    }

    /// The site as it is served.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// Tools at their pinned versions. Always here, wherever Cargo's own target folder may be.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// What Trunk leaves, to be finished. `Trunk.toml` names it too.
    pub(crate) fn trunk_output(&self) -> PathBuf {
        self.root.join("target/site/trunk")
    }

    /// Where the site is put together before it is published to [`Workspace::dist`].
    pub(crate) fn stage(&self) -> PathBuf {
        self.root.join("target/site/stage")
    }
}

/// Every file below `folder`, as paths relative to it with `/` between their parts, in order.
///
/// # Errors
/// When a folder cannot be read.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<String>> {
    fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
        let entries = std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            if entry.file_type()?.is_dir() {
                walk(&entry.path(), &path, found)?;
            } else {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    found.sort();
    Ok(found)
}
