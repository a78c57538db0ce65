//! Prometheus and Alertmanager for the tests of what operators deploy: those that variables name, those that are
//! installed, or Debian's.
//!
//! Debian starts both as services where it can. The tests do not use those: they start their own, on free ports.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::process::{is_executable, on_path};
use crate::tools::install_debian;
use crate::workspace::Workspace;

/// A program: the variable by which the tests find it, and what it is called.
struct Program {
    variable: &'static str,
    names: &'static [&'static str],
}

const PROGRAMS: [Program; 4] = [
    Program { variable: "PROMETHEUS", names: &["prometheus"] },
    Program { variable: "PROMTOOL", names: &["promtool"] },
    // Debian's name, and everybody else's.
    Program { variable: "ALERTMANAGER", names: &["prometheus-alertmanager", "alertmanager"] },
    Program { variable: "AMTOOL", names: &["amtool"] },
];
const PACKAGES: [&str; 2] = ["prometheus", "prometheus-alertmanager"];

/// Where each program is, by its variable; installed when one is missing.
///
/// # Errors
/// When a variable names no program, or one is missing and cannot be installed: names the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    for variable in PROGRAMS.iter().map(|program| program.variable) {
        if let Some(named) = std::env::var_os(variable).map(PathBuf::from).filter(|named| !is_executable(named)) {
            bail!("{variable} names {}, which is not a program", named.display());
        }
    }
    if PROGRAMS.iter().any(|program| program.find().is_none()) {
        install_debian(workspace, "Prometheus with Alertmanager", &PACKAGES, "half a minute")?;
    }
    let found = PROGRAMS.iter().map(|program| {
        let told = || format!("{} is not on the PATH; name it with {}=", program.names.join(" or "), program.variable);
        Ok((program.variable, program.find().with_context(told)?))
    });
    found.collect()
}

impl Program {
    fn find(&self) -> Option<PathBuf> {
        let named = std::env::var_os(self.variable).map(PathBuf::from);
        named.or_else(|| self.names.iter().find_map(|name| on_path(name)))
    }
}
