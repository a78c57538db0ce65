//! wasm-bindgen's JavaScript: the functions that it gives the program, and the names by which both know each other.
//!
//! Reads the text as wasm-bindgen writes it, an import a paragraph; what it cannot find is an error, so that another
//! version of wasm-bindgen breaks the build and not the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};

/// Where the functions that the program imports begin and end.
const BEGIN: &str = "const import0 = {\n        __proto__: null,\n";
const END: &str = "\n    };\n";
/// How exports are called.
const OF: &str = "wasm.";
/// How far a function's name is indented there.
const INDENT: &str = "        ";

/// The text around the imports, and each import's name with its function.
pub(crate) struct Glue {
    before: String,
    imports: Vec<(String, String)>,
    after: String,
}

impl Glue {
    /// Reads it.
    ///
    /// # Errors
    /// When it is not as wasm-bindgen writes it.
    pub(crate) fn read(text: &str) -> Result<Self> {
        // A registry that nobody registers with has no effect; bundlers cannot know that of a constructor. Nor can
        // they know that a class which nobody uses need not be disposable.
        let text = text.replace("new FinalizationRegistry(", "/* @__PURE__ */ new FinalizationRegistry(");
        let lines = text.lines().filter(|line| !line.starts_with("if (Symbol.dispose) "));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();

        let (before, rest) = text.split_once(BEGIN).context("the glue's imports cannot be found")?;
        let (table, after) = rest.split_once(END).context("the glue's imports do not end")?;
        let mut imports: Vec<(String, String)> = Vec::new();
        for line in table.lines() {
            let begun = line.strip_prefix(INDENT).filter(|rest| !rest.starts_with([' ', '}']));
            if let Some((name, function)) = begun.and_then(|begun| begun.split_once(": ")) {
                imports.push((name.to_owned(), function.to_owned()));
            } else {
                let (_, function) = imports.last_mut().context("a function of the glue has no name")?;
                function.push('\n');
                function.push_str(line);
            }
        }
        Ok(Self {
            before: format!("{before}{BEGIN}"),
            imports,
            after: format!("{}{after}", END.trim_start_matches('\n')),
        })
    }

    /// Leaves out what is not among `wanted`.
    ///
    /// # Errors
    /// When one of `wanted` is not there.
    pub(crate) fn keep(&mut self, wanted: &[String]) -> Result<()> {
        self.imports.retain(|(name, _)| wanted.contains(name));
        for name in wanted {
            let found = self.imports.iter().any(|(held, _)| held == name);
            found.then_some(()).with_context(|| format!("the glue has no {name}"))?;
        }
        Ok(())
    }

    /// Imports whose function another one has too, each with the first of that function.
    pub(crate) fn twins(&self) -> BTreeMap<String, String> {
        let mut first: BTreeMap<&str, &str> = BTreeMap::new();
        let mut twins = BTreeMap::new();
        for (name, function) in &self.imports {
            let of = *first.entry(function.trim_end_matches(',')).or_insert(name);
            if of != name {
                twins.insert(name.clone(), of.to_owned());
            }
        }
        twins
    }

    /// Gives imports and exports other names. `module` is the name of the module that the program imports from, and
    /// what it is called now.
    ///
    /// # Errors
    /// When the module's name is not there, or an export is called otherwise than by `wasm.NAME`.
    pub(crate) fn rename(
        &mut self,
        module: (&str, &str),
        imports: &BTreeMap<String, String>,
        exports: &BTreeMap<String, String>,
    ) -> Result<()> {
        let quoted = format!("\"{}\": import0", module.0);
        anyhow::ensure!(self.after.contains(&quoted), "the glue does not name {}", module.0);
        self.after = exported(&self.after.replace(&quoted, &format!("\"{}\": import0", module.1)), exports);
        self.before = exported(&self.before, exports);
        for (name, function) in &mut self.imports {
            *name = imports.get(name).cloned().unwrap_or_else(|| name.clone());
            *function = exported(function, exports);
        }
        let text = self.text();
        for (old, new) in exports {
            let call = format!("{OF}{new}");
            let follows = |(at, _)| text.get(at + call.len()..).and_then(|rest| rest.chars().next());
            let is_called = text.match_indices(&call).map(follows).any(|next| !next.is_some_and(is_of_name));
            anyhow::ensure!(is_called, "the glue calls the export {old} in a way that is not known here");
        }
        Ok(())
    }

    /// The whole text.
    pub(crate) fn text(&self) -> String {
        let mut text = self.before.clone();
        for (name, function) in &self.imports {
            // Writing into a string never fails.
            let _ = writeln!(text, "{INDENT}{name}: {}", arrow(function));
        }
        text + &self.after
    }
}

/// A function of the glue in the short form: none of them asks for its `this`.
fn arrow(function: &str) -> String {
    const CAUGHT: &str = "function() { return handleError(function (";
    let (head, rest) = match (function.strip_prefix(CAUGHT), function.strip_prefix("function(")) {
        (Some(rest), _) => ("(...all) => { return handleError((", rest.replace("}, arguments); }", "}, all); }")),
        (None, Some(rest)) => ("(", rest.to_owned()),
        (None, None) => return function.to_owned(),
    };
    [head, &rest.replacen(") {", ") => {", 1)].concat()
}

/// `text` with other names for exports: the glue says `wasm.NAME`.
fn exported(text: &str, exports: &BTreeMap<String, String>) -> String {
    let mut parts = text.split(OF);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(OF);
        let end = part.find(|c: char| !is_of_name(c)).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        out.push_str(exports.get(name).map_or(name, String::as_str));
        out.push_str(rest);
    }
    out
}

/// Whether `glue` speaks of the export: `wasm.NAME`, whatever `wasm` is called there.
pub(crate) fn is_used(glue: &str, name: &str) -> bool {
    glue.match_indices(name).any(|(at, _)| {
        let before = glue.get(..at).and_then(|text| text.chars().next_back());
        let after = glue.get(at + name.len()..).and_then(|text| text.chars().next());
        before == Some('.') && !after.is_some_and(is_of_name)
    })
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// Names of one or two letters, no two alike.
pub(crate) fn short_names() -> impl Iterator<Item = String> {
    let letters = || ('a'..='z').chain('A'..='Z');
    letters().map(String::from).chain(letters().flat_map(move |one| letters().map(move |two| format!("{one}{two}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GLUE: &str = "export class Unused {}
if (Symbol.dispose) Unused.prototype[Symbol.dispose] = Unused.prototype.free;
function __wbg_get_imports() {
    const import0 = {
        __proto__: null,
        __wbg_close_1: function() { return handleError(function (arg0) {
            arg0.close();
        }, arguments); },
        __wbg_close_2: function() { return handleError(function (arg0) {
            arg0.close();
        }, arguments); },
        __wbg_get_3: function(arg0) {
            const options = {
                first: arg0,
            };
            const ret = wasm.make(options, wasm.make_more);
            return ret;
        },
    };
    return {
        __proto__: null,
        \"./page_bg.js\": import0,
    };
}
const registry = new FinalizationRegistry(ptr => wasm.drop(ptr));
";

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
    }

    #[test]
    fn what_the_program_does_not_import_goes_and_what_it_needs_must_be_there() {
        let mut glue = Glue::read(GLUE).unwrap();
        glue.keep(&["__wbg_get_3".to_owned()]).unwrap();
        let text = glue.text();
        assert!(text.contains("__wbg_get_3: (arg0) => {\n") && !text.contains("close"), "{text}");
        assert!(!text.contains("Symbol.dispose") && text.contains("/* @__PURE__ */ new FinalizationRegistry("));
        let error = glue.keep(&["__wbg_close_1".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "the glue has no __wbg_close_1");
        assert!(Glue::read("function init() {}").is_err());
    }

    #[test]
    fn functions_are_written_in_the_short_form() {
        let text = Glue::read(GLUE).unwrap().text();
        assert!(text.contains("close_1: (...all) => { return handleError((arg0) => {\n"), "{text}");
        assert!(text.contains("        }, all); },\n") && !text.contains("arguments"), "{text}");
    }

    #[test]
    fn functions_of_one_text_are_twins() {
        let glue = Glue::read(GLUE).unwrap();
        assert_eq!(glue.twins(), map(&[("__wbg_close_2", "__wbg_close_1")]));
    }

    #[test]
    fn both_sides_get_the_same_names() {
        let mut glue = Glue::read(GLUE).unwrap();
        let (imports, exports) = (map(&[("__wbg_get_3", "c")]), map(&[("make", "x"), ("drop", "y")]));
        glue.rename(("./page_bg.js", "a"), &imports, &exports).unwrap();
        let text = glue.text();
        assert!(text.contains("        c: (arg0) => {\n") && text.contains("wasm.x(options, wasm.make_more);"));
        assert!(text.contains("        \"a\": import0,\n") && text.contains("ptr => wasm.y(ptr)"), "{text}");
        assert!(glue.rename(("./page_bg.js", "a"), &imports, &exports).is_err(), "it is called otherwise now");
        let mut other = Glue::read(&GLUE.replace("wasm.make(", "instance.exports.make(")).unwrap();
        let error = other.rename(("./page_bg.js", "a"), &imports, &exports).unwrap_err().to_string();
        assert!(error.contains("the export make"), "{error}");
    }

    #[test]
    fn an_export_is_used_by_its_whole_name() {
        let glue = "w.start_now();a.memory.buffer;free";
        assert!(is_used(glue, "start_now") && is_used(glue, "memory"));
        assert!(!is_used(glue, "start") && !is_used(glue, "free"));
    }

    #[test]
    fn short_names_are_short_and_no_two_alike() {
        let names: std::collections::BTreeSet<String> = short_names().collect();
        assert_eq!((short_names().next().unwrap().as_str(), names.len()), ("a", 52 + 52 * 52));
    }
}
