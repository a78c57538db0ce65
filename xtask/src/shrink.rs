//! What Trunk's output still carries and no visit uses: classes that a dependency exports to JavaScript whether anybody
//! calls them or not, and what only they need. They are cut from the glue, the rest from the program (`ARCHITECTURE.md`,
//! "Bytes": 3 KB gzip together with functions of one kind lying side by side, which compress better).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::tools::{Tool, Toolbox};
use crate::workspace::Workspace;

/// What wasm-opt does to the program: found by trying, smallest after gzip. Which features it may use is what the module
/// itself says: asked for all of them, it writes types that no browser knows yet.
const PASSES: [&str; 5] = ["--flatten", "--rereloop", "--local-cse", "-Oz", "-Oz"];

/// Makes the glue say what it does not use, so that esbuild can leave it out: `source` is wasm-bindgen's, the file that
/// is returned exports the program's start alone.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn prune_glue(source: &Path, folder: &Path) -> Result<PathBuf> {
    let glue = std::fs::read_to_string(source).with_context(|| format!("{} cannot be read", source.display()))?;
    // A registry that nobody registers with has no effect; bundlers cannot know that of a constructor.
    let glue = glue.replace("new FinalizationRegistry(", "/* @__PURE__ */ new FinalizationRegistry(");
    let (pruned, entry) = (folder.join("glue.js"), folder.join("entry.js"));
    write(&pruned, glue.as_bytes())?;
    write(&entry, b"export { default } from \"./glue.js\";\n")?;
    Ok(entry)
}

/// Writes to `target` what of the program `source` is reached from the exports that `glue` uses.
///
/// # Errors
/// When a file cannot be read or written, the program is no WebAssembly, or a tool fails.
pub(crate) fn shrink(
    workspace: &Workspace,
    toolbox: &Toolbox,
    glue: &Path,
    source: &Path,
    target: &Path,
    folder: &Path,
) -> Result<()> {
    let glue = std::fs::read_to_string(glue).with_context(|| format!("{} cannot be read", glue.display()))?;
    let program = std::fs::read(source).with_context(|| format!("{} cannot be read", source.display()))?;
    let graph: Vec<serde_json::Value> = exports(&program)?
        .iter()
        .map(|name| match is_used(&glue, name) {
            true => serde_json::json!({ "name": name, "export": name, "root": true }),
            false => serde_json::json!({ "name": name, "export": name }),
        })
        .collect();
    let [list, reached, small, sorted] =
        ["exports.json", "reached.wasm", "small.wasm", "sorted.wasm"].map(|name| folder.join(name));
    write(&list, serde_json::to_string(&graph)?.as_bytes())?;

    let wasm_opt = toolbox.path(Tool::WasmOpt)?;
    let beside = |name: &str| wasm_opt.with_file_name(name);
    let mut metadce = process::command(workspace, beside("wasm-metadce"));
    metadce.args(["--debuginfo", "--quiet"]).arg(source).arg("--graph-file").arg(&list);
    metadce.arg("-o").arg(&reached);
    // It lists all that it leaves out, of which nobody needs to know.
    process::capture("leaving out what nobody reaches", &mut metadce)?;

    let mut optimise = process::command(workspace, wasm_opt);
    optimise.args(PASSES).arg("--debuginfo").arg(&reached).arg("-o").arg(&small);
    process::run("optimising the program", &mut optimise)?;
    // Names are kept up to here: by them like lies next to like.
    let mut sort = process::command(workspace, wasm_opt);
    sort.args(["--debuginfo", "--reorder-functions-by-name"]).arg(&small).arg("-o").arg(&sorted);
    process::run("putting like functions together", &mut sort)?;
    let mut strip = process::command(workspace, wasm_opt);
    // Without names, once more: functions that differed in them alone are one now.
    strip.args(["--strip-debug", "--strip-producers", "-Oz"]).arg(&sorted).arg("-o").arg(target);
    process::run("leaving out names", &mut strip)
}

/// Whether `glue` speaks of the export: `wasm.NAME`, whatever `wasm` is called there.
fn is_used(glue: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    glue.match_indices(name).any(|(at, _)| {
        let before = glue.get(..at).and_then(|text| text.chars().next_back());
        let after = glue.get(at + name.len()..).and_then(|text| text.chars().next());
        before == Some('.') && !after.is_some_and(is_name)
    })
}

/// Names of what a module exports (WebAssembly core specification, section 5.5.10).
fn exports(program: &[u8]) -> Result<Vec<String>> {
    let mut module = Reader { bytes: program.strip_prefix(b"\0asm\x01\0\0\0").context("no WebAssembly module")? };
    while !module.bytes.is_empty() {
        let kind = module.byte()?;
        let mut section = Reader { bytes: module.vector()? };
        if kind != 7 {
            continue;
        }
        let count = section.number()?;
        return (0..count)
            .map(|_| {
                let name = String::from_utf8(section.vector()?.to_vec())?;
                section.byte()?;
                section.number()?;
                Ok(name)
            })
            .collect();
    }
    bail!("the module exports nothing")
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().context("the module is cut short")?;
        self.bytes = rest;
        Ok(*first)
    }

    /// An unsigned number of at most 32 bits in LEB128 (section 5.2.2).
    fn number(&mut self) -> Result<usize> {
        let mut value = 0_u64;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(usize::try_from(value)?);
            }
        }
        bail!("a number in the module is too long")
    }

    fn vector(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        let (taken, rest) = self.bytes.split_at_checked(length).context("the module is cut short")?;
        self.bytes = rest;
        Ok(taken)
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with a memory and a function, both exported.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01\x07\x0f\x02\x06memory\x02\0\x02go\0\0";

    #[test]
    fn exports_are_read_and_a_torn_module_is_refused() {
        assert_eq!(exports(MODULE).unwrap(), ["memory", "go"]);
        for end in 0..MODULE.len() {
            assert!(exports(&MODULE[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn an_export_is_used_by_its_whole_name() {
        let glue = "w.start_now();a.memory.buffer;free";
        assert!(is_used(glue, "start_now") && is_used(glue, "memory"));
        assert!(!is_used(glue, "start") && !is_used(glue, "free"));
    }
}
