//! The tools of the build at their pinned versions: found on the `PATH` when the version fits, otherwise installed
//! into `target/tools`. Says what it installs, about how long that takes, and how long it took.
//! Knows nothing of what the tools are used for.

use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, ask, is_executable, on_path, said};
use crate::workspace::{WASM_TARGET, Workspace};

/// A tool that can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Bundles the site.
    Trunk,
    /// Writes the page's JavaScript beside its WebAssembly.
    WasmBindgen,
    /// Runs tests that were built for WebAssembly.
    WasmBindgenTestRunner,
    /// Makes the WebAssembly smaller.
    WasmOpt,
    /// Bundles and shortens style sheets and scripts.
    Esbuild,
    /// Looks at a first visit by its own rules.
    Lighthouse,
    /// Drives Firefox.
    Geckodriver,
}

/// How a tool is had.
enum Recipe {
    /// `cargo install`, in the debug profile: it builds in a tenth of the time and bundles no slower.
    Cargo {
        package: &'static str,
        /// The lock file of wasm-bindgen-cli may name a version that registries no longer give out.
        locked: bool,
        binaries: &'static [&'static str],
    },
    Npm {
        package: &'static str,
    },
}

/// What is known of a tool, stated once.
struct Entry {
    tool: Tool,
    program: &'static str,
    /// As the package manager names it. `None`: the version of `wasm-bindgen` in `Cargo.lock`.
    version: Option<&'static str>,
    /// The word in `--version`'s answer that shows this version, where it differs from `version`.
    shown_as: Option<&'static str>,
    recipe: Recipe,
    about: &'static str,
}

const WASM_BINDGEN_CLI: Recipe = Recipe::Cargo {
    package: "wasm-bindgen-cli",
    locked: false,
    binaries: &["wasm-bindgen", "wasm-bindgen-test-runner"],
};

const TABLE: [Entry; 7] = [
    // 0.22 wants a newer compiler than rust-toolchain.toml names.
    Entry {
        tool: Tool::Trunk,
        program: "trunk",
        version: Some("0.21.14"),
        shown_as: None,
        recipe: Recipe::Cargo { package: "trunk", locked: true, binaries: &["trunk"] },
        about: "about three minutes",
    },
    Entry {
        tool: Tool::WasmBindgen,
        program: "wasm-bindgen",
        version: None,
        shown_as: None,
        recipe: WASM_BINDGEN_CLI,
        about: "about a minute",
    },
    Entry {
        tool: Tool::WasmBindgenTestRunner,
        program: "wasm-bindgen-test-runner",
        version: None,
        shown_as: None,
        recipe: WASM_BINDGEN_CLI,
        about: "about a minute",
    },
    // `Trunk.toml` names this version as `version_132`. Others exit with 0 and break the page.
    Entry {
        tool: Tool::WasmOpt,
        program: "wasm-opt",
        version: Some("132.0.0"),
        shown_as: Some("132"),
        recipe: Recipe::Npm { package: "binaryen" },
        about: "a few seconds",
    },
    Entry {
        tool: Tool::Esbuild,
        program: "esbuild",
        version: Some("0.28.2"),
        shown_as: None,
        recipe: Recipe::Npm { package: "esbuild" },
        about: "a few seconds",
    },
    // 13 wants Node 22.
    Entry {
        tool: Tool::Lighthouse,
        program: "lighthouse",
        version: Some("12.8.2"),
        shown_as: None,
        recipe: Recipe::Npm { package: "lighthouse" },
        about: "half a minute",
    },
    Entry {
        tool: Tool::Geckodriver,
        program: "geckodriver",
        version: Some("0.37.1"),
        shown_as: None,
        recipe: Recipe::Cargo { package: "geckodriver", locked: true, binaries: &["geckodriver"] },
        about: "about two minutes",
    },
];

/// Tools that are there, at their versions.
pub(crate) struct Toolbox {
    found: Vec<(Tool, PathBuf)>,
    shelf: PathBuf,
}

impl Toolbox {
    /// Where `tool` lies.
    ///
    /// # Errors
    /// When it was not asked for in [`ensure`].
    pub(crate) fn path(&self, tool: Tool) -> Result<&Path> {
        let found = self.found.iter().find(|(each, _)| *each == tool);
        found.map(|(_, path)| path.as_path()).with_context(|| format!("{tool:?} was not asked for"))
    }

    /// A `PATH` on which these tools come first, and of their folders nothing else: an old wasm-opt may lie beside
    /// a fitting wasm-bindgen.
    ///
    /// # Errors
    /// When the current `PATH` cannot be joined.
    pub(crate) fn search_path(&self) -> Result<std::ffi::OsString> {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(self.shelf.clone()).chain(std::env::split_paths(&rest));
        std::env::join_paths(folders).context("the PATH holds a folder with a colon in its name")
    }
}

/// Makes sure that `tools` are there, installing what is missing.
///
/// # Errors
/// When one cannot be installed: names it, and the command that would.
pub(crate) fn ensure(workspace: &Workspace, tools: &[Tool]) -> Result<Toolbox> {
    let folder = workspace.tools();
    let _alone = lock(&folder)?;
    let shelf = folder.join("path");
    std::fs::create_dir_all(&shelf).with_context(|| format!("{} cannot be made", shelf.display()))?;

    let bindgen_version = locked_version(workspace, "wasm-bindgen")?;
    let mut found = Vec::new();
    for &tool in tools {
        let entry = TABLE.iter().find(|entry| entry.tool == tool).context("a tool is missing from the table")?;
        let version = entry.version.unwrap_or(&bindgen_version);
        let path = match fitting(&folder, entry, version) {
            Some(path) => path,
            None => {
                install(workspace, &folder, entry, version)?;
                fitting(&folder, entry, version).with_context(|| {
                    format!("{} {version} was installed, but what is there is not that version", entry.program)
                })?
            }
        };
        put_on_shelf(&shelf, entry.program, &path)?;
        found.push((tool, path));
    }
    Ok(Toolbox { found, shelf })
}

/// The folder of tools for this process alone, until what is given is dropped: two xtasks at once would install into one
/// another.
///
/// # Errors
/// When the folder cannot be made or locked.
pub(crate) fn lock(folder: &Path) -> Result<File> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let lock = File::create(folder.join("lock")).context("the lock file of target/tools cannot be made")?;
    if lock.try_lock().is_err() {
        eprintln!("· waiting for another xtask that is installing tools");
        lock.lock().context("target/tools cannot be locked")?;
    }
    Ok(lock)
}

/// The tool's path when one of the right version is there.
fn fitting(folder: &Path, entry: &Entry, version: &str) -> Option<PathBuf> {
    let own = match entry.recipe {
        Recipe::Cargo { .. } => folder.join("bin").join(entry.program),
        Recipe::Npm { .. } => folder.join("npm/node_modules/.bin").join(entry.program),
    };
    let own = is_executable(&own).then_some(own);
    let shown = entry.shown_as.unwrap_or(version);
    on_path(entry.program).into_iter().chain(own).find(|path| {
        let answer = ask(path, &["--version"]);
        answer.is_some_and(|answer| shows_version(&answer, shown))
    })
}

/// Whether an answer to `--version` names exactly `version`.
fn shows_version(answer: &str, version: &str) -> bool {
    answer.split_whitespace().any(|word| word == version)
}

fn put_on_shelf(shelf: &Path, program: &str, path: &Path) -> Result<()> {
    let link = shelf.join(program);
    if std::fs::read_link(&link).is_ok_and(|target| target == path) {
        return Ok(());
    }
    // It may or may not be there.
    let _ = std::fs::remove_file(&link);
    symlink(path, &link).with_context(|| format!("{} cannot be made", link.display()))
}

fn install(workspace: &Workspace, folder: &Path, entry: &Entry, version: &str) -> Result<()> {
    let mut command = match &entry.recipe {
        Recipe::Cargo { package, locked, binaries } => {
            let mut command = process::cargo(workspace, ["install", package, "--version", version, "--debug"]);
            command.args(["--no-default-features", "--force", "--quiet"]);
            if *locked {
                command.arg("--locked");
            }
            for binary in *binaries {
                command.args(["--bin", binary]);
            }
            command.arg("--root").arg(folder);
            // Kept until the tool is there, so that an interrupted installation goes on where it was.
            command.arg("--target-dir").arg(folder.join("build"));
            command.env("CARGO_PROFILE_DEV_DEBUG", "0");
            command
        }
        Recipe::Npm { package } => {
            ensure_node(workspace)?;
            let mut command = process::command(workspace, "npm");
            command.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"]);
            command.args(["--loglevel", "error", "--prefix"]).arg(folder.join("npm"));
            command.arg(format!("{package}@{version}"));
            std::fs::create_dir_all(folder.join("npm")).context("target/tools/npm cannot be made")?;
            command
        }
    };
    eprintln!("· installing {} {version} into target/tools: {}", entry.program, entry.about);
    let begun = Instant::now();
    if process::run(&format!("installing {}", entry.program), &mut command).is_err() {
        // The program has said why on stderr; this says what to do.
        let (program, line) = (entry.program, process::line(&command));
        bail!("{program} {version} is needed and could not be installed; when its registry can be reached: {line}");
    }
    eprintln!("  {} {version} is there after {}", entry.program, said(begun.elapsed()));
    // Gigabytes that nothing needs again.
    let _ = std::fs::remove_dir_all(folder.join("build"));
    Ok(())
}

/// Node with npm: some tools come from its registry, and tests for WebAssembly run in it.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn ensure_node(workspace: &Workspace) -> Result<()> {
    if on_path("node").is_some() && on_path("npm").is_some() {
        return Ok(());
    }
    install_debian(workspace, "Node with npm", &["nodejs", "npm"], "a minute or two")
}

/// Redis: the stream's tests ask a real one, and share a log over it.
///
/// # Errors
/// When it is missing and cannot be installed.
pub(crate) fn ensure_redis(workspace: &Workspace) -> Result<()> {
    if on_path("redis-server").is_some() {
        return Ok(());
    }
    install_debian(workspace, "Redis", &["redis-server"], "half a minute")
}

/// Installs Debian packages where that is possible: as root, with `apt-get`.
///
/// # Errors
/// When it is not possible or fails: names `what` and the command that would install it.
pub(crate) fn install_debian(workspace: &Workspace, what: &str, packages: &[&str], about: &str) -> Result<()> {
    let list = packages.join(" ");
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {list}");
    if on_path("apt-get").is_none() {
        bail!("{what} is needed and not on the PATH; install it with this system's package manager ({list})");
    }
    if ask("id", &["-u"]).as_deref() != Some("0") {
        bail!("{what} is needed and not on the PATH; as root: {by_hand}");
    }
    eprintln!("· installing {what} ({list}) with apt-get: {about}");
    let begun = Instant::now();
    let what_waits = format!("installing {what}");
    let apt = |arguments: &[&str]| -> Result<()> {
        let mut command = process::command(workspace, "apt-get");
        // Something else may be installing just now.
        command.args(["-o", "DPkg::Lock::Timeout=600"]).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        process::run(&what_waits, &mut command)
    };
    let install = [&["install", "-y", "-q", "--no-install-recommends"], packages].concat();
    if apt(&["update", "-q"]).and_then(|()| apt(&install)).is_err() {
        bail!("{what} is needed and could not be installed; when Debian's registry can be reached: {by_hand}");
    }
    eprintln!("  {what} is there after {}", said(begun.elapsed()));
    Ok(())
}

/// The standard library for WebAssembly.
///
/// # Errors
/// When it is missing and cannot be added.
pub(crate) fn ensure_wasm_target(workspace: &Workspace) -> Result<()> {
    let present = || {
        let mut rustc = process::command(workspace, "rustc");
        rustc.args(["--print", "target-libdir", "--target", WASM_TARGET]);
        let answer = rustc.output().ok().filter(|output| output.status.success());
        answer.is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
    };
    if present() {
        return Ok(());
    }
    let mut command = process::command(workspace, "rustup");
    command.args(["target", "add", WASM_TARGET]);
    rustup(&mut command, &format!("the standard library for {WASM_TARGET}"))?;
    if !present() {
        bail!(
            "the standard library for {WASM_TARGET} was added, but the compiler does not find it: is `rustc` rustup's?"
        );
    }
    Ok(())
}

/// A component of the toolchain, such as clippy, known by a Cargo subcommand.
///
/// # Errors
/// When it is missing and cannot be added.
pub(crate) fn ensure_component(workspace: &Workspace, subcommand: &str, component: &str) -> Result<()> {
    let mut probe = process::cargo(workspace, [subcommand, "--version"]);
    if probe.output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let mut command = process::command(workspace, "rustup");
    command.args(["component", "add", component]);
    rustup(&mut command, component)
}

/// Makes sure that the source of the standard library is there: the page is compiled with one of its own.
///
/// # Errors
/// When it is missing and cannot be added.
pub(crate) fn ensure_library_source(workspace: &Workspace) -> Result<()> {
    let mut probe = process::command(workspace, "rustc");
    let sysroot = process::capture("asking where the compiler is", probe.args(["--print", "sysroot"]))?;
    if Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock").exists() {
        return Ok(());
    }
    let mut command = process::command(workspace, "rustup");
    command.args(["component", "add", "rust-src"]);
    rustup(&mut command, "the source of the standard library")
}

fn rustup(command: &mut Command, what: &str) -> Result<()> {
    let line = process::line(command);
    if on_path("rustup").is_none() {
        bail!("{what} is needed, and there is no rustup that could add it (https://rustup.rs); with it: {line}");
    }
    eprintln!("· adding {what}: a few seconds");
    let begun = Instant::now();
    if process::run(&format!("adding {what}"), command).is_err() {
        bail!("{what} is needed and could not be added; when the network is there: {line}");
    }
    eprintln!("  {what} is there after {}", said(begun.elapsed()));
    Ok(())
}

/// The version of `package` in `Cargo.lock`.
fn locked_version(workspace: &Workspace, package: &str) -> Result<String> {
    let text = std::fs::read_to_string(workspace.root.join("Cargo.lock")).context("Cargo.lock cannot be read")?;
    version_in_lock(&text, package)
}

fn version_in_lock(text: &str, package: &str) -> Result<String> {
    let lock: toml::Table = text.parse().context("Cargo.lock does not parse")?;
    let packages = lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock names no packages")?;
    let field = |entry: &toml::Value, name: &str| entry.get(name)?.as_str().map(str::to_owned);
    let found = packages.iter().find(|entry| field(entry, "name").as_deref() == Some(package));
    found.and_then(|entry| field(entry, "version")).with_context(|| format!("Cargo.lock does not name {package}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_fits_only_when_it_is_exactly_the_same() {
        assert!(shows_version("trunk 0.21.14", "0.21.14"));
        assert!(shows_version("wasm-opt version 132 (version_132)", "132"));
        assert!(shows_version("0.28.2", "0.28.2"));
        assert!(!shows_version("wasm-opt version 108", "132"));
        assert!(!shows_version("wasm-bindgen 0.2.130", "0.2.13"));
    }

    #[test]
    fn the_version_of_wasm_bindgen_is_the_one_that_the_page_is_built_with() {
        let lock = "[[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(version_in_lock(lock, "wasm-bindgen").unwrap(), "0.2.130");
        assert!(version_in_lock(lock, "trunk").unwrap_err().to_string().contains("trunk"));
    }

    #[test]
    fn trunk_asks_for_the_wasm_opt_that_is_installed() {
        let config = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Trunk.toml")).unwrap();
        let config: toml::Table = config.parse().unwrap();
        let asked = config["tools"]["wasm_opt"].as_str().unwrap().to_owned();
        let entry = TABLE.iter().find(|entry| entry.tool == Tool::WasmOpt).unwrap();
        assert_eq!(asked, format!("version_{}", entry.shown_as.unwrap()));
    }

    #[test]
    fn every_tool_has_an_entry_of_its_own() {
        let every = [
            Tool::Trunk,
            Tool::WasmBindgen,
            Tool::WasmBindgenTestRunner,
            Tool::WasmOpt,
            Tool::Esbuild,
            Tool::Lighthouse,
            Tool::Geckodriver,
        ];
        for tool in every {
            assert_eq!(TABLE.iter().filter(|entry| entry.tool == tool).count(), 1, "{tool:?}");
        }
    }
}
