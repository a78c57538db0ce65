//! `cargo xtask build`: the release site in `dist/`.
//!
//! Trunk compiles the page and writes its HTML; the rest is finished here, on a folder of its own: style sheets and
//! scripts become one small file each, names hold the hash of what is in them, compressed copies lie beside them.
//! Only then is `dist/` brought up to date, so that a server that stands on it never serves half a version.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{self, said};
use crate::shrink::Pair;
use crate::tools::{self, Tool, Toolbox};
use crate::workspace::{CLIENT, WASM_TARGET, Workspace, files_below};
use crate::{assets, budget, compress, shell, shrink};

/// The browsers of the product's promise, as esbuild names them.
const BROWSERS: &str = "--target=chrome97,firefox102,safari16";

/// The standard library is compiled along with the page, for size: the one that comes with the compiler is compiled for
/// speed. That is not stable yet, so the compiler is told to accept it; only the page is built so, never the stream
/// (`ARCHITECTURE.md`, "Bytes").
const SMALL_LIBRARY: [(&str, &str); 3] = [
    ("RUSTC_BOOTSTRAP", "1"),
    ("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort"),
    ("CARGO_UNSTABLE_BUILD_STD_FEATURES", "optimize_for_size"),
];
/// A panic of the page is a trap and says nothing more: what would say where and why is a tenth of the program. The
/// witness is told (`src/boot.js`); a build without these (`cargo build`, the tests) tells the engineer why.
const BARE_PANICS: [&str; 4] =
    ["-Zlocation-detail=none", "-Zfmt-debug=none", "-Zunstable-options", "-Cpanic=immediate-abort"];

/// Builds the site into `dist/`.
///
/// # Errors
/// When a tool is missing and cannot be installed, or a step fails.
pub(crate) fn build(workspace: &Workspace) -> Result<()> {
    let begun = Instant::now();
    tools::ensure_wasm_target(workspace)?;
    tools::ensure_library_source(workspace)?;
    let toolbox = tools::ensure(workspace, &[Tool::Trunk, Tool::WasmBindgen, Tool::WasmOpt, Tool::Esbuild])?;

    compile(workspace)?;
    bundle(workspace, &toolbox)?;
    assemble(workspace, &toolbox)?;
    assets::fingerprint(&workspace.stage())?;
    write_worker(workspace, &toolbox)?;
    check_policy(&workspace.stage())?;
    compress::compress_site(&workspace.stage())?;
    publish(&workspace.stage(), &workspace.dist())?;

    let total = budget::measure(&workspace.dist())?.total;
    eprintln!(
        "the site is in dist/ after {}: a first visit loads {} (gzip)",
        said(begun.elapsed()),
        budget::kilobytes(total.gzip_bytes)
    );
    Ok(())
}

/// Compiles the page the way Trunk will ask for it again, because Trunk may not fetch packages and says nothing
/// while it waits.
fn compile(workspace: &Workspace) -> Result<()> {
    eprintln!("· compiling the page to WebAssembly: about three minutes the first time, one after a change");
    let begun = Instant::now();
    let manifest = workspace.root.join("Cargo.toml");
    let mut command = process::cargo(workspace, ["build", "--profile", "site", "--bin", CLIENT]);
    command.arg(format!("--target={WASM_TARGET}")).arg("--manifest-path").arg(manifest);
    command.envs(flags()).envs(SMALL_LIBRARY);
    process::run("compiling the page", &mut command)?;
    eprintln!("  the page is compiled after {}", said(begun.elapsed()));
    Ok(())
}

fn bundle(workspace: &Workspace, toolbox: &Toolbox) -> Result<()> {
    eprintln!("· bundling with Trunk: a few seconds");
    let mut command = process::command(workspace, toolbox.path(Tool::Trunk)?);
    command.args(["build", "--config"]).arg(workspace.root.join("Trunk.toml"));
    command.env("PATH", toolbox.search_path()?).envs(flags()).envs(SMALL_LIBRARY);
    // It reads NO_COLOR as a value of its own and stumbles over the usual `1`.
    command.env_remove("NO_COLOR").env("RUST_LOG", "warn");
    process::run("bundling the page", &mut command)
}

/// Compiler flags that keep this machine's folders out of the program: they are nobody's business, and with them the
/// same source would give other bytes on another machine. The repository's own files are named relative to it anyway.
fn flags() -> Vec<(&'static str, OsString)> {
    let given = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut flags: Vec<String> = given.split_whitespace().chain(BARE_PANICS).map(str::to_owned).collect();
    let home = std::env::var("CARGO_HOME").or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    if let Ok(home) = home {
        flags.push(format!("--remap-path-prefix={home}=cargo"));
        // Of several rules the last that fits holds.
        let sources = std::fs::read_dir(Path::new(&home).join("registry/src")).into_iter().flatten().flatten();
        flags.extend(sources.map(|source| format!("--remap-path-prefix={}=dep", source.path().display())));
    }
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().ok();
    if let Some(sysroot) = sysroot.and_then(|told| String::from_utf8(told.stdout).ok()) {
        flags.push(format!("--remap-path-prefix={}/lib/rustlib/src/rust/library=std", sysroot.trim()));
    }
    // Unlike RUSTFLAGS, it bears folders with spaces in their names.
    vec![("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f").into())]
}

/// Puts the site's files together, under the names that the sources use.
fn assemble(workspace: &Workspace, toolbox: &Toolbox) -> Result<()> {
    let (trunk, stage) = (workspace.trunk_output(), workspace.stage());
    if stage.exists() {
        std::fs::remove_dir_all(&stage).with_context(|| format!("{} cannot be emptied", stage.display()))?;
    }
    let folder = stage.join(assets::FOLDER);
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;

    // Indentation is for those who write the page.
    let page = trunk.join("index.html");
    let html = std::fs::read_to_string(&page).with_context(|| format!("{} cannot be read", page.display()))?;
    let lines: Vec<&str> = html.lines().map(str::trim_start).filter(|line| !line.is_empty()).collect();
    let page = stage.join("index.html");
    std::fs::write(&page, lines.join("\n")).with_context(|| format!("{} cannot be written", page.display()))?;
    for path in files_below(&workspace.root.join("public"))? {
        copy(&workspace.root.join("public").join(&path), &stage.join(&path))?;
    }

    let esbuild = |source: &Path, target: &Path| shorten(workspace, toolbox, source, target, &[]);
    let (glue, program) = (format!("{CLIENT}.js"), format!("{CLIENT}_bg.wasm"));
    let made = trunk.join(assets::FOLDER);
    let between = tempfile::tempdir().context("no folder for files between two steps")?;
    let source = Pair { glue: &made.join(&glue), program: &made.join(&program) };
    let target = Pair { glue: &folder.join(&glue), program: &folder.join(&program) };
    shrink::shrink(workspace, toolbox, &source, &target, between.path(), &esbuild)?;
    esbuild(&workspace.root.join("src/boot.js"), &folder.join("boot.js"))?;
    esbuild(&workspace.root.join("style/main.css"), &folder.join("main.css"))
}

/// Bundles and shortens a style sheet or a script; `defined` are names in it and the JSON that they stand for.
fn shorten(
    workspace: &Workspace,
    toolbox: &Toolbox,
    source: &Path,
    target: &Path,
    defined: &[(&str, String)],
) -> Result<()> {
    let mut command: Command = process::command(workspace, toolbox.path(Tool::Esbuild)?);
    command.arg(source).args(["--bundle", "--minify", "--format=esm", "--legal-comments=none", BROWSERS]);
    command.args(["--loader:.woff2=file", "--asset-names=[name]", "--log-level=warning"]);
    command.args(defined.iter().map(|(name, json)| format!("--define:{name}={json}")));
    command.arg(format!("--outfile={}", target.display()));
    process::run("shortening style sheets and scripts", &mut command)
}

/// Gives the site its version, and the service worker that keeps it.
fn write_worker(workspace: &Workspace, toolbox: &Toolbox) -> Result<()> {
    let stage = workspace.stage();
    let sealed = shell::seal(&stage)?;
    let (version, files) = (serde_json::to_string(&sealed.version)?, serde_json::to_string(&sealed.addresses)?);
    let source = workspace.root.join("src/worker.js");
    shorten(workspace, toolbox, &source, &stage.join(shell::WORKER), &[("VERSION", version), ("FILES", files)])
}

fn check_policy(stage: &Path) -> Result<()> {
    for page in files_below(stage)?.iter().filter(|path| path.ends_with(".html")) {
        let html = std::fs::read_to_string(stage.join(page)).with_context(|| format!("{page} cannot be read"))?;
        let refused = assets::inline_code(&html);
        if !refused.is_empty() {
            bail!("{page} holds {}, which the Content-Security-Policy refuses", refused.join(" and "));
        }
    }
    Ok(())
}

/// Brings `dist` up to date with `stage`: what pages refer to first, then the pages, then what is left of old versions
/// goes. A file is replaced whole or not at all.
fn publish(stage: &Path, dist: &Path) -> Result<()> {
    let mut files = files_below(stage)?;
    files.sort_by_key(|path| !path.starts_with(assets::FOLDER));
    for path in &files {
        let target = dist.join(path);
        let bytes = std::fs::read(stage.join(path)).with_context(|| format!("{path} cannot be read"))?;
        if std::fs::read(&target).is_ok_and(|present| present == bytes) {
            continue;
        }
        let new = target.with_added_extension("new");
        let parent = target.parent().context("a file without a folder")?;
        std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
        std::fs::write(&new, bytes).with_context(|| format!("{} cannot be written", new.display()))?;
        std::fs::rename(&new, &target).with_context(|| format!("{} cannot be replaced", target.display()))?;
    }
    for path in files_below(dist)?.iter().filter(|path| !files.contains(path)) {
        std::fs::remove_file(dist.join(path)).with_context(|| format!("the old {path} cannot be removed"))?;
    }
    Ok(())
}

fn copy(source: &Path, target: &Path) -> Result<()> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    }
    std::fs::copy(source, target)
        .with_context(|| format!("{} cannot be copied to {}", source.display(), target.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_version_replaces_the_old_one_and_leaves_nothing_of_it() {
        let (stage, dist) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |folder: &Path, path: &str, text: &str| {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(dist.path(), "index.html", "old");
        write(dist.path(), "assets/a-1.js", "old");
        write(dist.path(), "assets/a-1.js.gz", "old");
        write(stage.path(), "index.html", "new");
        write(stage.path(), "assets/a-2.js", "new");
        publish(stage.path(), dist.path()).unwrap();
        assert_eq!(files_below(dist.path()).unwrap(), ["assets/a-2.js", "index.html"]);
        assert_eq!(std::fs::read_to_string(dist.path().join("index.html")).unwrap(), "new");
    }

    #[test]
    fn a_page_that_its_own_policy_would_break_is_not_published() {
        let stage = tempfile::tempdir().unwrap();
        std::fs::write(stage.path().join("index.html"), "<script>go()</script>").unwrap();
        let error = check_policy(stage.path()).unwrap_err().to_string();
        assert_eq!(error, "index.html holds an inline <script>, which the Content-Security-Policy refuses");
    }
}
