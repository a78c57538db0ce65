//! The workflows: by their schema, by an auditor, and by rules of our own.

use crate::{
    readers::{content, python_tool, yaml},
    runner::file,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

const ACTION: &str = "deploy/github-action/action.yml";
pub(crate) const EXAMPLE: &str = "deploy/github-action/examples/architect.yml";
const FOLDER: &str = ".github/workflows";
/// Jobs that may write, and what. Nobody else may.
const WRITE: [(&str, &str, &str); 8] = [
    (".github/workflows/budget-comment.yml", "comment", "pull-requests"),
    (".github/workflows/cd.yml", "build", "packages"),
    (".github/workflows/cd.yml", "name", "packages"),
    (".github/workflows/cd.yml", "production", "packages"),
    (".github/workflows/cd.yml", "roll-back", "packages"),
    (".github/workflows/cd.yml", "staging", "packages"),
    (".github/workflows/put.yml", "put", "packages"),
    (EXAMPLE, "propose", "contents, pull-requests"),
];

/// The workflows of this repository, and the example.
fn workflows() -> Vec<String> {
    let files = fs::read_dir(file(FOLDER)).expect("workflows");
    let mut paths: Vec<String> =
        files.map(|entry| format!("{FOLDER}/{}", entry.expect("a file").file_name().to_string_lossy())).collect();
    paths.sort();
    assert!(paths.len() >= 4, "{paths:?}");
    paths.push(EXAMPLE.to_owned());
    paths
}

pub(crate) fn object<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flatten()
}

/// Every step of a workflow, or of an action.
pub(crate) fn steps(document: &Value) -> Vec<Value> {
    let jobs = object(document, "jobs").map(|(_, job)| job);
    let all = jobs.chain(document.get("runs")).filter_map(|job| job.get("steps")?.as_array()).flatten();
    all.cloned().collect()
}

#[test]
fn they_are_what_their_schema_says() {
    for (schema, paths) in [("workflows", workflows()), ("actions", vec![ACTION.to_owned()])] {
        let mut check = python_tool("check-jsonschema");
        check.args(["--builtin-schema", &format!("vendor.github-{schema}")]).args(paths);
        content(check);
    }
}

#[test]
fn an_auditor_finds_nothing_in_them() {
    let mut zizmor = python_tool("zizmor");
    zizmor.args(["--offline", "--no-progress", "--min-severity", "medium", FOLDER, ACTION]);
    content(zizmor);
}

#[test]
fn actions_of_others_are_pinned_by_hash_and_named_by_version() {
    let mut pinned: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in workflows().into_iter().chain([ACTION.to_owned()]) {
        let text = fs::read_to_string(file(&path)).expect("text");
        for line in text.lines().filter_map(|line| line.trim_start_matches(['-', ' ']).strip_prefix("uses: ")) {
            // Ours: of this commit, or of the one that its user has read.
            if line.starts_with("./") || (path == EXAMPLE && line.starts_with("owner/name/deploy/github-action@")) {
                continue;
            }
            let (action, rest) = line.split_once('@').unwrap_or_else(|| panic!("{path}: {line}"));
            let (hash, version) = rest.split_once(" # v").unwrap_or_else(|| panic!("{path}: {line} names no version"));
            assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{path}: {line}");
            assert_eq!(version.split('.').count(), 3, "{path}: {line}");
            pinned.entry(action.to_owned()).or_default().insert(rest.to_owned());
        }
    }
    assert!(pinned.len() >= 6, "{pinned:?}");
    for (action, versions) in pinned {
        assert_eq!(versions.len(), 1, "{action} is there in several versions: {versions:?}");
    }
}

#[test]
fn nothing_may_write_but_what_must() {
    let mut found = BTreeSet::new();
    for path in workflows() {
        let document = yaml(&path);
        assert!(document.get("permissions").is_some(), "{path} says nothing of what it may do");
        assert_eq!(written(&document), "", "{path}: a job writes, not a workflow");
        for (name, job) in object(&document, "jobs") {
            let may = written(job);
            if !may.is_empty() {
                found.insert((path.clone(), name.clone(), may));
            }
        }
    }
    let allowed = WRITE.map(|(path, job, may)| (path.to_owned(), job.to_owned(), may.to_owned()));
    assert_eq!(found, BTreeSet::from(allowed));
}

/// What a workflow or a job may write.
fn written(value: &Value) -> String {
    match value.get("permissions") {
        Some(Value::String(all)) => all.clone(),
        _ => {
            let may = object(value, "permissions").filter(|(_, access)| *access != "read");
            may.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn what_comes_from_outside_is_never_part_of_a_program() {
    for path in workflows().into_iter().chain([ACTION.to_owned()]) {
        let document = yaml(&path);
        for step in steps(&document) {
            let run = step.get("run").and_then(Value::as_str).unwrap_or_default();
            assert!(!run.contains("${{"), "{path}: {run}");
            if step.get("uses").and_then(Value::as_str).is_some_and(|uses| uses.starts_with("actions/checkout@")) {
                assert_eq!(step.pointer("/with/persist-credentials"), Some(&Value::Bool(false)), "{path}: {step}");
            }
        }
        // YAML's `on` is read as `true` by its older version.
        let on = document.get("on").or(document.get("true")).map(Value::to_string).unwrap_or_default();
        assert!(!on.contains("pull_request_target"), "{path} runs what anybody proposes, with our rights");
    }
}

#[test]
fn who_comments_on_a_change_runs_nothing_of_it() {
    let document = yaml(".github/workflows/budget-comment.yml");
    let steps = steps(&document);
    assert!(steps.iter().all(|step| step.get("uses").is_none()), "no checkout, no action: {steps:?}");
    assert_eq!(steps.len(), 2);
}

#[test]
fn the_images_are_built_from_files_that_are_there() {
    for path in [".github/workflows/ci.yml", ".github/workflows/cd.yml"] {
        let document = yaml(path);
        let (_, job) =
            object(&document, "jobs").find(|(name, _)| ["images", "build"].contains(&name.as_str())).expect("one");
        let images = job.pointer("/strategy/matrix/image").and_then(Value::as_array).expect("images");
        assert_eq!(images.len(), 2);
        for image in images.iter().filter_map(Value::as_str) {
            let dockerfile = file(&format!("deploy/docker/{image}/Dockerfile"));
            let text = fs::read_to_string(&dockerfile).unwrap_or_else(|why| panic!("{path}: {image}: {why}"));
            let arguments = text.lines().filter_map(|line| line.strip_prefix("ARG ")).flat_map(str::split_whitespace);
            let takes: BTreeSet<_> = arguments.filter_map(|argument| argument.split('=').next()).collect();
            for argument in ["VERSION", "REVISION", "CREATED", "SOURCE"] {
                assert!(takes.contains(argument), "{image} takes no {argument}: {takes:?}");
            }
        }
    }
}

#[test]
fn the_action_is_given_only_what_it_takes() {
    let action = yaml(ACTION);
    let takes: BTreeSet<&String> = object(&action, "inputs").map(|(name, _)| name).collect();
    let needs: Vec<&String> = object(&action, "inputs")
        .filter(|(_, input)| input.get("required") == Some(&Value::Bool(true)))
        .map(|(name, _)| name)
        .collect();
    let mut given = readme_steps();
    given.extend(steps(&yaml(EXAMPLE)));
    let ours = given.iter().filter(|step| {
        step.get("uses").and_then(Value::as_str).is_some_and(|uses| uses.contains("/deploy/github-action@"))
    });
    let ours: Vec<_> = ours.collect();
    assert!(ours.len() >= 3);
    for step in ours {
        let with: BTreeSet<&String> = object(step, "with").map(|(name, _)| name).collect();
        assert!(with.is_subset(&takes), "{step}: {takes:?}");
        assert!(needs.iter().all(|need| with.contains(need)), "{step} lacks one of {needs:?}");
    }
    // The script reads each input by the variable that it is handed on in.
    let script = fs::read_to_string(file("deploy/github-action/run.mjs")).expect("the script")
        + &fs::read_to_string(file("deploy/github-action/publish.mjs")).expect("the script");
    for name in takes {
        let variable = name.to_uppercase().replace('-', "_");
        assert!(action.pointer(&format!("/runs/steps/0/env/PUBLISH_{variable}")).is_some(), "{name} is not handed on");
        let reads = [format!("given(\"{variable}\")"), format!("env.PUBLISH_{variable}")];
        assert!(reads.iter().any(|read| script.contains(read)), "{name} is not read");
    }
    let give = fs::read_to_string(file("deploy/github-action/publish.mjs")).expect("the script");
    for (name, output) in object(&action, "outputs") {
        assert!(output.to_string().contains(&format!("steps.publish.outputs.{name} ")), "{name}: {output}");
        assert!(
            give.contains(&format!("\"{name}\""))
                || give.contains(&format!("{name}:"))
                || give.contains(&format!(" {name}")),
            "{name} is never given"
        );
    }
}

/// The steps that the README shows.
fn readme_steps() -> Vec<Value> {
    let readme = fs::read_to_string(file("README.md")).expect("the README");
    let (_, section) = readme.split_once("\n### Publish from a workflow\n").expect("the section");
    let block = section.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the lines");
    assert!(block.lines().count() <= 3, "three lines: {block}");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("steps.yml");
    fs::write(
        &path,
        format!(
            "jobs: {{}}\nruns:\n  steps:\n{}",
            block.lines().map(|line| format!("    {line}\n")).collect::<String>()
        ),
    )
    .expect("it is written");
    steps(&yaml(path.to_str().expect("text")))
}
