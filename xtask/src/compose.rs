//! Compose for the tests of what operators deploy: the one that a variable names, `docker-compose`, Docker's `docker compose`,
//! or Debian's. It only reads files; no engine is asked.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::process::{ask, on_path};
use crate::tools::install_debian;
use crate::workspace::Workspace;

/// The variable by which tests find it: words of a command, apart by spaces.
pub(crate) const VARIABLE: &str = "COMPOSE";

/// The words that start Compose; installed when it is missing.
///
/// # Errors
/// When it is missing and cannot be installed: names the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return Ok(named);
    }
    if let Some(found) = find() {
        return Ok(found);
    }
    install_debian(workspace, "Compose", &["docker-compose"], "half a minute")?;
    find().context("docker-compose is not on the PATH; name it with COMPOSE=")
}

fn find() -> Option<OsString> {
    if let Some(alone) = on_path("docker-compose") {
        return Some(alone.into_os_string());
    }
    let docker = on_path("docker")?;
    ask(docker, &["compose", "version"]).map(|_| "docker compose".into())
}
