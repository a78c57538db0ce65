//! Bad input of the operator: one line that says what to do, and exit 2. What needs no repository is tested with the
//! stream.

use monkeytown_tests::{program, repository::Repository};
use std::{fs, process::Output};

/// What the program says when it must not start: one line.
fn complaint(arguments: &[&str]) -> String {
    let output: Output = program::stream().args(["--listen", "127.0.0.1:0"]).args(arguments).output().expect("it runs");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    let text = String::from_utf8(output.stderr).expect("text");
    assert_eq!(text.trim_end().lines().count(), 1, "{arguments:?}: {text}");
    text
}

#[test]
fn a_path_that_is_no_repository_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let text = complaint(&["--git", &path]);
    assert!(text.contains(&format!("{path}: not a Git repository; give the path of one")), "{text}");
    let gone = format!("{path}/gone");
    let text = complaint(&["--git", &gone]);
    assert!(text.contains(&gone), "{text}");
}

#[test]
fn a_branch_that_does_not_exist_is_named_with_those_that_do() {
    let town = Repository::new();
    town.commit(0, "begin", &[("src/a", "1")]);
    let path = town.path().display().to_string();
    let text = complaint(&["--git", &path, "--git-branch", "mian"]);
    assert!(text.contains("mian") && text.contains("main"), "{text}");
}

#[test]
fn a_domain_map_that_does_not_parse_is_named_with_its_line() {
    let town = Repository::new();
    town.commit(0, "begin", &[("src/a", "1")]);
    let path = town.path().display().to_string();
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("domains.toml");
    let file = map.display().to_string();
    for (map_text, told) in [
        ("[[agent]]\nid = \"a\"\npaths = [\"src/\"", "domains.toml:3: "),
        ("[[agent]]\nid = \"a\"\npats = [\"src/\"]\n", "domains.toml:3: "),
        (
            "[[agent]]\nid = \"a\"\npaths = [\"a/\"]\n[[agent]]\nid = \"a\"\npaths = [\"b/\"]\n",
            "domains.toml:5: another agent has the id `a`",
        ),
    ] {
        fs::write(&map, map_text).unwrap();
        let text = complaint(&["--git", &path, "--domains", &file]);
        assert!(text.contains(told) && text.contains(&file), "{map_text}: {text}");
    }
    fs::remove_file(&map).unwrap();
    let text = complaint(&["--git", &path, "--domains", &file]);
    assert!(text.contains(&file), "{text}");
}
