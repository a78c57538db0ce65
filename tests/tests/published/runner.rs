//! GitHub's runner, as far as the publish action meets it: its environment and its files. Knows no stream.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A file of this repository.
pub(crate) fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A job on a runner of its own.
pub(crate) struct Job {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What came of a step.
pub(crate) struct Step {
    /// What it said.
    pub(crate) log: String,
    /// Its outputs, in order.
    pub(crate) outputs: Vec<(String, String)>,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Job {
    /// A job that publishes to `stream` with `token`.
    pub(crate) fn new(stream: &str, token: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut job = Self { folder, environment: Vec::new() };
        fs::create_dir(job.workspace()).expect("a folder");
        for (name, value) in [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "owner/name"),
            ("GITHUB_WORKFLOW", "Chaos Architect"),
            ("GITHUB_RUN_ID", "4711"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_RUN_NUMBER", "12"),
            ("GITHUB_JOB", "architect"),
            ("PUBLISH_STREAM", stream),
            ("PUBLISH_TOKEN", token),
            ("PUBLISH_STATUS", "success"),
        ] {
            job.set(name, value);
        }
        job.set("GITHUB_WORKSPACE", &job.workspace().display().to_string());
        job.set("PUBLISH_EVENTS", &job.events().display().to_string());
        job
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Where the repository is checked out.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// Where the run writes its events.
    pub(crate) fn events(&self) -> PathBuf {
        self.folder.path().join("events.jsonl")
    }

    /// What later steps are given as variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        read(&self.folder.path().join("env"))
    }

    /// The action as a step; it must end well.
    pub(crate) fn publish(&self) -> Step {
        self.publish_on(std::env::var_os("PATH").expect("a PATH").to_str().expect("text"))
    }

    /// The same with another `PATH`.
    pub(crate) fn publish_on(&self, path: &str) -> Step {
        let begun = Instant::now();
        let outputs = self.folder.path().join("output");
        // Of another step.
        let _ = fs::remove_file(&outputs);
        let output = Command::new("/bin/bash")
            .arg(file("deploy/github-action/publish.sh"))
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_ENV", self.folder.path().join("env"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path())
            .output()
            .expect("bash starts");
        let took = begun.elapsed();
        assert!(output.status.success(), "the step fails: {}", said(&output));
        Step { log: said(&output), outputs: read(&outputs), took }
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn read(path: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let pairs = text.lines().map(|line| line.split_once('=').expect("a name and a value"));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Step {
    /// The output called `name`.
    pub(crate) fn output(&self, name: &str) -> &str {
        let found = self.outputs.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no output {name}: {:?}; {}", self.outputs, self.log)).1
    }

    /// What the runner shows beside the run.
    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.log.lines().filter_map(|line| line.strip_prefix("::warning title=Monkeytown::")).collect()
    }

    /// One warning of `words`, and nothing else that the runner would take for a command.
    pub(crate) fn warns(&self, words: &str) {
        let commands = self.log.lines().filter(|line| line.starts_with("::")).count();
        assert_eq!(commands, self.warnings().len(), "{}", self.log);
        assert!(self.warnings().iter().any(|warning| warning.contains(words)), "{words}: {}", self.log);
    }
}
