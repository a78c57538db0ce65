//! The built page. The tests drive what is deployed, not a build of their own.

use std::path::{Path, PathBuf};

/// The folder of the built page: what `MONKEYTOWN_SITE` names, or `dist` of this workspace.
///
/// # Panics
/// When there is none: a test that is skipped would be a test that passes.
#[must_use]
pub fn folder() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    let folder = std::env::var_os("MONKEYTOWN_SITE").map_or_else(built, PathBuf::from);
    let page = folder.join("index.html");
    assert!(page.is_file(), "there is no built page at {}: cargo xtask build writes it", page.display());
    folder
}
