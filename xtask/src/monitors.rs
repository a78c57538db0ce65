//! The programs of operators, for the tests of what they deploy: those that variables name, those that are installed, or
//! Debian's.
//!
//! Debian starts some of them as services where it can. The tests do not use those: they start their own, on free ports.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::{is_executable, on_path};
use crate::tools::install_debian;
use crate::workspace::Workspace;

/// A program: the variable by which the tests find it, and what it is called.
struct Program {
    variable: &'static str,
    names: &'static [&'static str],
}

/// Programs that come together, and Debian's packages of them.
struct Group {
    what: &'static str,
    programs: &'static [Program],
    packages: &'static [&'static str],
}

const GROUPS: [Group; 2] = [
    Group {
        what: "Prometheus with Alertmanager",
        programs: &[
            Program { variable: "PROMETHEUS", names: &["prometheus"] },
            Program { variable: "PROMTOOL", names: &["promtool"] },
            // Debian's name, and everybody else's.
            Program { variable: "ALERTMANAGER", names: &["prometheus-alertmanager", "alertmanager"] },
            Program { variable: "AMTOOL", names: &["amtool"] },
        ],
        packages: &["prometheus", "prometheus-alertmanager"],
    },
    Group {
        what: "nginx with brotli",
        programs: &[Program { variable: "NGINX", names: &["nginx"] }],
        packages: &["nginx", "libnginx-mod-http-brotli-static"],
    },
];
/// Where Debian puts what only root is thought to start; it is not on everybody's `PATH`.
const FOR_ROOT: &str = "/usr/sbin";

/// Where each program is, by its variable; installed when one is missing.
///
/// # Errors
/// When a variable names no program, or one is missing and cannot be installed: names the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    let programs = || GROUPS.iter().flat_map(|group| group.programs);
    for variable in programs().map(|program| program.variable) {
        if let Some(named) = std::env::var_os(variable).map(PathBuf::from).filter(|named| !is_executable(named)) {
            bail!("{variable} names {}, which is not a program", named.display());
        }
    }
    for group in GROUPS.iter().filter(|group| group.programs.iter().any(|program| program.find().is_none())) {
        install_debian(workspace, group.what, group.packages, "half a minute")?;
    }
    let found = programs().map(|program| {
        let told = || format!("{} is not on the PATH; name it with {}=", program.names.join(" or "), program.variable);
        Ok((program.variable, program.find().with_context(told)?))
    });
    found.collect()
}

impl Program {
    fn find(&self) -> Option<PathBuf> {
        let named = std::env::var_os(self.variable).map(PathBuf::from);
        let installed = || self.names.iter().find_map(|name| on_path(name).or_else(|| for_root(name)));
        named.or_else(installed)
    }
}

fn for_root(name: &str) -> Option<PathBuf> {
    Some(Path::new(FOR_ROOT).join(name)).filter(|path| is_executable(path))
}
