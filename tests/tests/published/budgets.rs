//! The comment that says what a first visit loads: the program of the workflow, with a GitHub that is none.

use crate::{readers::yaml, runner::file};
use serde_json::{Value, json};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

/// In place of `gh`: keeps what it is asked and what it is to write, and answers as the files say.
const GH: &str = r#"#!/usr/bin/env bash
set -eu
echo "$*" >> "$FAKE/asked"
case "$*" in
  *"/pulls "*) cat "$FAKE/pulls.json" ;;
  *--method*) for word in "$@"; do case "$word" in body=@*) cp "${word#body=@}" "$FAKE/written" ;; esac; done ;;
  *comments*) cat "$FAKE/comments.json" ;;
esac
"#;

struct Case {
    figures: String,
    pulls: Value,
    comments: Value,
}

fn figures(path: &str) -> Value {
    json!({"budget_bytes": 200_000, "within_budget": true, "total": {"gzip_bytes": 194_000, "brotli_bytes": 170_000},
        "files": [{"path": path, "raw_bytes": 9, "gzip_bytes": 7, "brotli_bytes": 6}]})
}

fn sound() -> Case {
    Case {
        figures: figures("assets/app-0123.wasm").to_string(),
        pulls: json!([{"number": 6, "head": {"sha": "other"}}, {"number": 7, "head": {"sha": "c0ffee"}}]),
        comments: json!([]),
    }
}

/// What the workflow asks of GitHub, and what it writes.
fn commented(case: &Case) -> (String, Option<String>) {
    let document = yaml(".github/workflows/budget-comment.yml");
    let steps = document.pointer("/jobs/comment/steps").and_then(Value::as_array).expect("steps");
    let script = steps.last().and_then(|step| step.get("run")?.as_str()).expect("a program");
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("budget")).expect("a folder");
    fs::write(path("budget/budget.json"), &case.figures).expect("it is written");
    fs::write(path("pulls.json"), case.pulls.to_string()).expect("it is written");
    fs::write(path("comments.json"), case.comments.to_string()).expect("it is written");
    fs::write(path("gh"), GH).expect("it is written");
    fs::set_permissions(path("gh"), fs::Permissions::from_mode(0o755)).expect("it may be run");
    let search = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
    let output: Output = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
        .env("PATH", search)
        .env("FAKE", folder.path())
        .env("RUNNER_TEMP", folder.path())
        .env("REPOSITORY", "owner/name")
        .env("HEAD", "fork:a-branch; echo")
        .env("COMMIT", "c0ffee")
        .current_dir(file(""))
        .output()
        .expect("bash starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let asked = fs::read_to_string(path("asked")).unwrap_or_default();
    (asked, fs::read_to_string(path("written")).ok())
}

#[test]
fn the_pull_request_of_the_commit_is_told_once() {
    let (asked, written) = commented(&sound());
    let written = written.expect("a comment");
    assert!(written.starts_with("<!-- budget -->\n**A first visit loads 194000 bytes** (gzip) of 200000, at c0ffee."));
    assert!(written.contains("| assets/app-0123.wasm | 7 | 6 |"), "{written}");
    assert!(asked.contains("--method POST repos/owner/name/issues/7/comments"), "{asked}");
    assert!(asked.contains("head=fork:a-branch; echo"), "{asked}");

    let another = json!({"id": 1, "user": {"login": "somebody"}, "body": "<!-- budget --> mine"});
    let ours = json!({"id": 2, "user": {"login": "github-actions[bot]"}, "body": "<!-- budget -->\nolder"});
    let (asked, _) = commented(&Case { comments: json!([another, ours]), ..sound() });
    assert!(asked.contains("--method PATCH repos/owner/name/issues/comments/2"), "{asked}");
    let over = figures("a").to_string().replace("true", "false");
    assert!(commented(&Case { figures: over, ..sound() }).1.expect("a comment").contains("over the budget"));
}

#[test]
fn nothing_is_said_where_no_pull_request_ends_with_the_commit() {
    let (asked, written) = commented(&Case { pulls: json!([{"number": 7, "head": {"sha": "other"}}]), ..sound() });
    assert_eq!(written, None, "{asked}");
}

#[test]
fn figures_that_are_none_are_not_said() {
    let mut hostile = vec![
        String::new(),
        "no json".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "x".repeat(200_000),
        figures("a | b").to_string(),
        figures("[press](https://example.org)").to_string(),
        figures("@everybody").to_string(),
        figures("<img src=x>").to_string(),
        figures("two\nlines").to_string(),
        figures(&"x".repeat(200)).to_string(),
    ];
    for wrong in [json!("<b>1</b>"), json!(-1), json!(null), json!([1]), json!({"a": 1})] {
        let mut figures = figures("a");
        figures["total"]["gzip_bytes"] = wrong;
        hostile.push(figures.to_string());
    }
    for figures in hostile {
        let (asked, written) = commented(&Case { figures: figures.clone(), ..sound() });
        assert_eq!((asked.as_str(), written), ("", None), "{figures:.200}");
    }
}
