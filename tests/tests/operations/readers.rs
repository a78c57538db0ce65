//! The programs that read what is deployed beside Prometheus' files: Compose, `check-jsonschema`, `kubernetes-validate` and
//! PyYAML. Knows no file in particular.

use crate::tools::deploy;
use serde_json::Value;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A program of `target/tools/python`, by its name.
pub(crate) fn python_tool(name: &str) -> Command {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/python/bin");
    let folder = std::env::var_os("PYTHON_TOOLS").map_or_else(usual, PathBuf::from);
    let program = folder.join(name);
    assert!(program.is_file(), "{} is missing; cargo xtask test system installs it", program.display());
    Command::new(program)
}

/// What `command` writes to stdout; it must end well.
pub(crate) fn output(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The documents of a YAML text as PyYAML reads them. A key that stands twice in one mapping is refused, which YAML forbids
/// and PyYAML does not mind.
pub(crate) fn yaml(text: &str) -> Vec<Value> {
    const READ: &str = "
import json, sys, yaml
class Once(yaml.SafeLoader): pass
def strict(loader, node):
    own = [key.value for key, _ in node.value if key.tag != 'tag:yaml.org,2002:merge']
    twice = {key for key in own if own.count(key) > 1}
    if twice: raise SystemExit(f'given twice: {twice}')
    loader.flatten_mapping(node)
    return {loader.construct_object(key, True): loader.construct_object(value, True) for key, value in node.value}
Once.add_constructor('tag:yaml.org,2002:map', strict)
json.dump(list(yaml.load_all(sys.stdin.read(), Once)), sys.stdout)";
    let mut command = python_tool("python");
    command.args(["-c", READ]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("Python starts");
    child.stdin.take().expect("a pipe was asked for").write_all(text.as_bytes()).expect("Python reads");
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "PyYAML refuses:\n{text}");
    let documents: Value = serde_json::from_slice(&output.stdout).expect("JSON was asked for");
    documents.as_array().expect("a list of documents").clone()
}

/// The folder of the Compose files.
pub(crate) fn compose_folder() -> PathBuf {
    deploy().join("compose").canonicalize().expect("deploy/compose")
}

/// Compose in its folder, with `env_file` as the file of the environment, and nothing in its own environment that is meant
/// for it.
pub(crate) fn compose(env_file: &str, arguments: &[&str]) -> Command {
    let words = std::env::var("COMPOSE").unwrap_or_else(|_| "docker-compose".to_owned());
    let mut words = words.split(' ');
    let mut command = Command::new(words.next().expect("a word"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("MONKEYTOWN_") || text.starts_with("COMPOSE_") {
            command.env_remove(&name);
        }
    }
    command.args(words).args(["--env-file", env_file]).args(arguments).current_dir(compose_folder());
    command
}

#[test]
fn yaml_is_read_with_its_references_and_a_key_that_stands_twice_is_refused() {
    let text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n---\n- c\n";
    let read = serde_json::json!([{"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}}, ["c"]]);
    assert_eq!(Value::from(yaml(text)), read);
    assert!(std::panic::catch_unwind(|| yaml("a: 1\nb: 2\na: 3\n")).is_err());
}
