//! The programs that read workflows: where they are, and YAML as JSON. Knows no workflow.

use crate::runner::file;
use serde_json::Value;
use std::{path::PathBuf, process::Command};

/// A program of `target/tools/python`, which `cargo xtask test system` installs.
pub(crate) fn python_tool(name: &str) -> Command {
    let folder = std::env::var_os("PYTHON_TOOLS").map_or_else(|| file("target/tools/python/bin"), PathBuf::from);
    let program = folder.join(name);
    assert!(program.is_file(), "there is no {}: cargo xtask test system installs it", program.display());
    Command::new(program)
}

/// What a program says, which must be content.
pub(crate) fn content(mut command: Command) -> String {
    let output = command.current_dir(file("")).output().expect("it starts");
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {text}");
    text
}

/// The YAML of a file, as JSON.
pub(crate) fn yaml(path: &str) -> Value {
    let mut python = python_tool("python");
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    serde_json::from_str(&content_of(python.args(["-c", script, path]))).expect("JSON")
}

fn content_of(command: &mut Command) -> String {
    let output = command.current_dir(file("")).output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
