//! The readers of deployment files that PyPI has (`check-jsonschema`, `kubernetes-validate`, `kubectl`, PyYAML, libseccomp's
//! binding), in an environment of their own in `target/tools/python`, at the versions of `python.txt`.
//!
//! Knows no file that they read.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, ask, is_executable, on_path, said};
use crate::tools::{self, install_debian};
use crate::workspace::Workspace;

/// Every package at its exact version, what they need included.
const REQUIREMENTS: &str = include_str!("python.txt");
/// Written last, so that an interrupted installation is none.
const STAMP: &str = "installed.txt";
/// The variable by which tests find the programs: a folder.
pub(crate) const VARIABLE: &str = "PYTHON_TOOLS";
/// What must be there when it is whole.
const PROGRAMS: [&str; 4] = ["python", "check-jsonschema", "kubernetes-validate", "kubectl"];

/// The folder of the programs (`python`, `check-jsonschema`, `kubernetes-validate`, `kubectl`), installed when they are missing or of
/// other versions.
///
/// # Errors
/// When they cannot be installed: names the command that would.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.tools();
    let _alone = tools::lock(&folder)?;
    let folder = folder.join("python");
    let programs = folder.join("bin");
    if is_whole(&folder) {
        return Ok(programs);
    }
    ensure_python(workspace)?;
    eprintln!("· installing the readers of deployment files (PyPI) into target/tools/python: half a minute");
    let begun = Instant::now();
    if install(workspace, &folder).is_err() {
        // The program has said why on stderr; this says what to do.
        bail!(
            "the readers of deployment files are needed and could not be installed; when PyPI can be reached: \
             python3 -m venv {0} && {0}/bin/pip install -r xtask/src/python.txt",
            folder.display()
        );
    }
    if !is_whole(&folder) {
        bail!("{} was installed, but does not hold {}", folder.display(), PROGRAMS.join(", "));
    }
    eprintln!("  they are there after {}", said(begun.elapsed()));
    Ok(programs)
}

/// Whether everything is there at these versions, and its interpreter still is.
fn is_whole(folder: &Path) -> bool {
    let same = std::fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == REQUIREMENTS);
    let programs = PROGRAMS.iter().all(|program| is_executable(&folder.join("bin").join(program)));
    same && programs && ask(folder.join("bin/python"), &["-c", "import pyseccomp, yaml"]).is_some()
}

fn install(workspace: &Workspace, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut venv = process::command(workspace, "python3");
    process::run("making an environment for Python", venv.args(["-m", "venv", "--clear"]).arg(folder))?;
    let list = folder.join("python.txt");
    std::fs::write(&list, REQUIREMENTS).with_context(|| format!("{} cannot be written", list.display()))?;
    let mut pip = process::command(workspace, folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]);
    process::run("installing the readers of deployment files", pip.arg("--requirement").arg(&list))?;
    std::fs::write(folder.join(STAMP), REQUIREMENTS).context("target/tools/python cannot be written")
}

/// Python with what makes environments, which Debian keeps apart.
fn ensure_python(workspace: &Workspace) -> Result<()> {
    const FITS: &str = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))";
    let fits = || on_path("python3").is_some_and(|python| ask(python, &["-c", FITS]).is_some());
    if fits() {
        return Ok(());
    }
    install_debian(workspace, "Python 3.11 or later with venv", &["python3", "python3-venv"], "half a minute")?;
    if !fits() {
        bail!("Python 3.11 or later with venv is needed; the python3 on the PATH is older, or has no venv");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_to_one_version() {
        let packages: Vec<_> = REQUIREMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(packages.len() > PROGRAMS.len(), "{packages:?}");
        for package in packages {
            let (name, version) = package.split_once("==").unwrap_or_else(|| panic!("{package} names no version"));
            assert!(!name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit()), "{package}");
        }
    }

    #[test]
    fn an_environment_of_other_versions_is_not_whole() {
        let folder = std::env::temp_dir().join(format!("monkeytown-python-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(STAMP), "PyYAML==1.0\n").unwrap();
        let whole = is_whole(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(!whole);
    }
}
