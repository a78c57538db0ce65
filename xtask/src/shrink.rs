//! What Trunk's output still carries and no visit uses: classes that a dependency exports to JavaScript whether anybody
//! calls them or not, what only they need, and long names between the program and its glue (`ARCHITECTURE.md`, "Bytes").

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use crate::glue::{self, Glue};
use crate::module;
use crate::order;
use crate::parted;
use crate::process;
use crate::tools::{Tool, Toolbox};
use crate::workspace::Workspace;

/// What wasm-opt does to the program: found by trying, smallest after gzip. Which features it may use is what the module
/// itself says: asked for all of them, it writes types that no browser knows yet.
const PASSES: [&str; 5] = ["--flatten", "--rereloop", "--local-cse", "-Oz", "-Oz"];
/// Nothing is kept in the first kilobyte of memory, so a sum that is an address is no wrapped one: the stack begins
/// there and grows down to it, and a program that has used all of it but a kilobyte is about to trap.
const LOW_MEMORY: &str = "--low-memory-unused";
/// Hints about addresses that a processor of today makes nothing of, and that would have to be compressed.
const NO_HINTS: &str = "--dealign";
/// What the program imports from, once the names are short.
const MODULE: &str = "a";

/// A class of which the exports begin so makes the promises of a crate that Leptos brings along for its servers. When
/// nobody uses the class, nobody makes those; but tables in the program's data name their functions, so no tool sees it.
const CLASS: &str = "intounderlying";
const PROMISES: [&str; 2] = ["future_to_promise", "wasm_streams"];

/// Where a program and its glue are, or are to be.
pub(crate) struct Pair<'a> {
    pub(crate) glue: &'a Path,
    pub(crate) program: &'a Path,
}

/// Writes to `target` what a visit reaches of `source`. `shorten` bundles and shortens a script; files between two steps
/// lie in `folder`.
///
/// # Errors
/// When a file cannot be read or written, one is not what wasm-bindgen writes, or a tool fails.
pub(crate) fn shrink(
    workspace: &Workspace,
    toolbox: &Toolbox,
    source: &Pair<'_>,
    target: &Pair<'_>,
    folder: &Path,
    shorten: &dyn Fn(&Path, &Path) -> Result<()>,
) -> Result<()> {
    let [script, entry, bundled] = ["glue.js", "entry.js", "bundled.js"].map(|name| folder.join(name));
    let [list, reached, once, small, bare, numbered, sorted] =
        ["list.json", "reached.wasm", "once.wasm", "small.wasm", "bare.wasm", "numbered.wasm", "sorted.wasm"]
            .map(|name| folder.join(name));
    let wasm_opt = toolbox.path(Tool::WasmOpt)?;
    let optimise = |what: &str, passes: &[&str], from: &Path, to: &Path| {
        let mut command = process::command(workspace, wasm_opt);
        command.args(passes).arg(from).arg("-o").arg(to);
        process::run(what, &mut command)
    };

    // Exports that the glue does not use go, and what only they reach.
    let mut glue = Glue::read(&read_text(source.glue)?)?;
    write(&entry, b"export { default } from \"./glue.js\";\n")?;
    write(&script, glue.text().as_bytes())?;
    shorten(&entry, &bundled)?;
    let used = read_text(&bundled)?;
    let exports = module::exports(&read(source.program)?)?;
    let graph: Vec<serde_json::Value> = exports
        .iter()
        .map(|name| match glue::is_used(&used, name) {
            true => serde_json::json!({ "name": name, "export": name, "root": true }),
            false => serde_json::json!({ "name": name, "export": name }),
        })
        .collect();
    write(&list, serde_json::to_string(&graph)?.as_bytes())?;
    let mut metadce = process::command(workspace, wasm_opt.with_file_name("wasm-metadce"));
    metadce.args(["--debuginfo", "--quiet"]).arg(source.program).arg("--graph-file").arg(&list);
    metadce.arg("-o").arg(&reached);
    // It lists all that it leaves out, of which nobody needs to know.
    process::capture("leaving out what nobody reaches", &mut metadce)?;

    // Functions of the glue that do the same are one, and so are those of the program that differed in them alone.
    let mut program = read(&reached)?;
    if !module::exports(&program)?.iter().any(|export| export.starts_with(CLASS)) {
        program = module::emptied(&program, |name| PROMISES.iter().all(|part| name.contains(part)))?;
    }
    glue.keep(&module::imports(&program)?)?;
    let twins = glue.twins();
    let other = |name: &str| twins.get(name).map_or(name, String::as_str).to_owned();
    let from = format!("./{}.js", stem(source.program)?);
    write(&once, &module::renamed(&program, false, &from, other, str::to_owned)?)?;

    let passes: Vec<&str> = [LOW_MEMORY, NO_HINTS].into_iter().chain(PASSES).chain(["--debuginfo"]).collect();
    optimise("optimising the program", &passes, &once, &small)?;
    // Without names, once more: functions that differed in them alone are one now.
    let last = ["--strip-debug", "--strip-producers", LOW_MEMORY, NO_HINTS, "-Oz"];
    optimise("leaving out names", &last, &small, &bare)?;
    let program = read(&bare)?;
    let order = order::of(&module::functions(&program)?);
    write(&numbered, &module::numbered(&program, &order)?)?;
    let sort = ["--debuginfo", "--reorder-functions-by-name"];
    optimise("putting like functions together", &sort, &numbered, &sorted)?;

    // Names between the two are nobody else's business: those of wasm-bindgen hold a hash each.
    let program = read(&sorted)?;
    let (imports, exports) = (module::imports(&program)?, module::exports(&program)?);
    glue.keep(&imports)?;
    let room = glue::short_names().count();
    anyhow::ensure!(imports.len().max(exports.len()) <= room, "there are only {room} short names");
    let imports: BTreeMap<String, String> = imports.into_iter().zip(glue::short_names()).collect();
    let exports: BTreeMap<String, String> = exports.into_iter().zip(glue::short_names()).collect();
    let short = |names: &BTreeMap<String, String>, name: &str| names.get(name).cloned().unwrap_or_default();
    let renamed = module::renamed(&program, true, MODULE, |name| short(&imports, name), |name| short(&exports, name))?;
    glue.rename((&from, MODULE), &imports, &exports)?;
    parted::write(workspace, &renamed, target.program, folder)?;
    write(&script, glue.text().as_bytes())?;
    shorten(&entry, target.glue)
}

fn stem(path: &Path) -> Result<&str> {
    path.file_stem().and_then(|stem| stem.to_str()).context("a program without a name")
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}
