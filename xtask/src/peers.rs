//! What people use in the place of our stream, for the benchmark that measures both. Installs what it can; what it
//! cannot is said, and the benchmark leaves it out by name.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::process::{self, on_path};
use crate::tools;
use crate::workspace::Workspace;

/// Packages of npm, at the versions that were measured.
const PACKAGES: [(&str, &str); 2] = [("ws", "8.23.0"), ("socket.io", "4.8.4")];
/// Programs that Debian has, with their packages.
const PROGRAMS: [(&str, &[&str]); 2] = [("nats-server", &["nats-server"]), ("nginx", &["nginx", "libnginx-mod-nchan"])];

/// The folder in which the packages of npm lie, once all has been tried.
///
/// # Errors
/// When there is no place for it.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools().join("peers");
    std::fs::create_dir_all(&folder).context("target/tools/peers cannot be made")?;
    for (package, version) in PACKAGES {
        let told = std::fs::read_to_string(folder.join("node_modules").join(package).join("package.json"));
        if told.is_ok_and(|told| told.contains(&format!("\"version\": \"{version}\""))) {
            continue;
        }
        let mut npm = process::command(workspace, "npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact", "--loglevel", "error"]);
        npm.arg("--prefix").arg(&folder).arg(format!("{package}@{version}"));
        let installed =
            tools::ensure_node(workspace).and_then(|()| process::run(&format!("installing {package}"), &mut npm));
        missed(package, installed);
    }
    for (program, packages) in PROGRAMS {
        if on_path(program).is_none() {
            missed(program, tools::install_debian(workspace, program, packages, "a few seconds"));
        }
    }
    Ok(folder)
}

/// A peer that is not to be had is no reason to measure nothing.
fn missed(name: &str, installed: Result<()>) {
    if let Err(why) = installed {
        eprintln!("· {name} is left out: {why:#}");
    }
}
