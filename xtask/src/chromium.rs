//! The browser for the tests: the one that `CHROME` names, one that is installed, or one that is installed now.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{is_executable, on_path};
use crate::tools::install_debian;
use crate::workspace::Workspace;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const MAC: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// A Chromium, installed when there is none.
///
/// # Errors
/// When there is none and none can be installed: names the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROME").map(PathBuf::from) {
        if !is_executable(&named) {
            bail!("CHROME names {}, which is not a program", named.display());
        }
        return Ok(named);
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    install_debian(workspace, "Chromium", &["chromium"], "a minute")?;
    find().context("chromium was installed, but is not on the PATH; name it with CHROME=")
}

fn find() -> Option<PathBuf> {
    let mac = || MAC.iter().map(PathBuf::from).find(|path| is_executable(path));
    NAMES.iter().find_map(|name| on_path(name)).or_else(mac)
}
