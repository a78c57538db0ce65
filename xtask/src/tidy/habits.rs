//! Habits of every file: small, introduced, named for what it holds.

use super::Complaint;

/// The longest file. Longer ones hold more than one thing.
const MOST_LINES: usize = 500;
/// Kinds of files that people write and read.
const COUNTED: [&str; 5] = ["css", "html", "js", "py", "rs"];
/// Names that say nothing.
const EMPTY_NAMES: [&str; 8] = ["common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"];

/// Holds any file against the habits.
pub(super) fn check(path: &str, text: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let (stem, kind) = path.rsplit_once('.').unwrap_or((path, ""));
    if COUNTED.contains(&kind) {
        let lines = text.lines().count();
        if lines > MOST_LINES {
            complaints.push(Complaint::new(
                path,
                0,
                format!("{lines} lines; at most {MOST_LINES}: split it by meaning"),
            ));
        }
        for part in stem.split('/') {
            if part.split(['_', '-']).any(|word| EMPTY_NAMES.contains(&word)) {
                complaints.push(Complaint::new(path, 0, format!("`{part}` names nothing: say what it holds")));
            }
        }
    }
    if kind == "rs" && !is_introduced(text) {
        complaints.push(Complaint::new(path, 1, "a module opens with `//!`: what it owns, and what it must not know"));
    }
    complaints
}

/// Whether the first thing in a module is its `//!`.
fn is_introduced(text: &str) -> bool {
    text.lines().map(str::trim).find(|line| !line.is_empty()).is_some_and(|line| line.starts_with("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<String> {
        check(path, text).into_iter().map(|complaint| complaint.rule).collect()
    }

    #[test]
    fn a_file_that_is_too_long_is_refused() {
        let lines = |count: usize| format!("//! A.\n{}", "x\n".repeat(count - 1));
        assert_eq!(rules("src/a.rs", &lines(500)), Vec::<String>::new());
        assert_eq!(rules("src/a.rs", &lines(501)), ["501 lines; at most 500: split it by meaning"]);
        assert_eq!(rules("Cargo.lock", &lines(9_000)), Vec::<String>::new());
    }

    #[test]
    fn a_module_without_an_introduction_is_refused() {
        assert_eq!(rules("src/a.rs", "use std::fmt;\n").len(), 1);
        assert_eq!(rules("src/a.rs", "").len(), 1);
        assert_eq!(rules("src/a.rs", "\n//! Owns a.\n"), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_says_nothing_is_refused() {
        for path in ["src/utils.rs", "src/common/a.rs", "crates/stream/src/connection_manager.rs", "style/misc.css"] {
            assert_eq!(rules(path, "//! A.\n").len(), 1, "{path}");
        }
        assert_eq!(rules("src/commonwealth.rs", "//! A.\n"), Vec::<String>::new());
    }
}
