//! Repositories made with the `git` command, and a sink that keeps what it is given.

use monkeytown_protocol::{
    Alert, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Flow, FlowKind, FlowVerb, Payload, Timestamp,
};
use monkeytown_stream::sources::{
    Sink, SourceClock,
    domains::DomainMap,
    git::{GitConfig, GitError, GitSource, GitSpeed},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, MutexGuard},
};
use tempfile::TempDir;
use tokio::sync::watch;

/// The time of the first commit of every repository made here, in seconds.
pub(crate) const BEGIN: i64 = 1_700_000_000;

pub(crate) struct Repo {
    folder: TempDir,
    name: &'static str,
}

impl Repo {
    /// An empty repository in a folder called `town`.
    pub(crate) fn new() -> Self {
        let repo = Self { folder: tempfile::tempdir().expect("a folder"), name: "town" };
        fs::create_dir(repo.path()).expect("a folder");
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.path(), arguments, BEGIN)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("within the repository")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Commits all that lies there, `minutes` after the beginning, and gives the commit's id.
    pub(crate) fn commit(&self, subject: &str, minutes: i64) -> String {
        self.git(&["add", "--all"]);
        git_in(&self.path(), &["commit", "--quiet", "--allow-empty", "-m", subject], BEGIN + minutes * 60);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes one file and commits it.
    pub(crate) fn change(&self, path: &str, text: &str, subject: &str, minutes: i64) -> String {
        self.write(path, text);
        self.commit(subject, minutes)
    }

    pub(crate) fn merge(&self, branch: &str, message: &[&str], minutes: i64) -> String {
        let mut arguments = vec!["merge", "--quiet", "--no-ff", branch];
        for paragraph in message {
            arguments.extend(["-m", paragraph]);
        }
        git_in(&self.path(), &arguments, BEGIN + minutes * 60);
        self.git(&["rev-parse", "HEAD"])
    }
}

pub(crate) fn git_in(folder: &Path, arguments: &[&str], seconds: i64) -> String {
    git_as(folder, arguments, seconds, "author@example.org")
}

pub(crate) fn git_as(folder: &Path, arguments: &[&str], seconds: i64, email: &str) -> String {
    let date = format!("@{seconds} +0000");
    let output = Command::new("git")
        .current_dir(folder)
        .args(["-c", "protocol.file.allow=always", "-c", "core.quotePath=false", "-c", "gc.auto=0"])
        .args(arguments)
        .env("GIT_AUTHOR_NAME", "A U Thor")
        .env("GIT_AUTHOR_EMAIL", email)
        .env("GIT_COMMITTER_NAME", "C O Mitter")
        .env("GIT_COMMITTER_EMAIL", "committer@example.org")
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Keeps everything; a test waits until what it has is what the test wants.
#[derive(Clone)]
pub(crate) struct Kept {
    state: Arc<Mutex<State>>,
    grown: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: Vec<Event>,
    pub(crate) clocks: Vec<SourceClock>,
    /// When each batch was appended, with the number of its events.
    pub(crate) batches: Vec<(tokio::time::Instant, usize)>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { state: Arc::default(), grown: watch::Sender::new(0) }
    }
}

impl Sink for Kept {
    async fn append(&self, events: Vec<Event>) {
        let mut state = self.state();
        state.batches.push((tokio::time::Instant::now(), events.len()));
        state.events.extend(events);
        drop(state);
        self.grown.send_modify(|grown| *grown += 1);
    }

    fn set_clock(&self, clock: SourceClock) {
        self.state().clocks.push(clock);
        self.grown.send_modify(|grown| *grown += 1);
    }
}

impl Kept {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    pub(crate) async fn until(&self, wanted: impl Fn(&State) -> bool) {
        let mut grown = self.grown.subscribe();
        while !wanted(&self.state()) {
            grown.changed().await.expect("the sender is held here");
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }
}

/// Long after every commit that a test makes, unless it says otherwise.
pub(crate) fn later() -> Timestamp {
    Timestamp::from_millis((BEGIN + 400 * 86_400) * 1_000)
}

pub(crate) fn config(repository: impl AsRef<Path>) -> GitConfig {
    GitConfig {
        repository: repository.as_ref().display().to_string(),
        branch: None,
        speed: GitSpeed::Max,
        domains: None,
        fetch_seconds: 60,
        cache: None,
    }
}

pub(crate) fn refusal(config: GitConfig) -> String {
    let error: GitError = GitSource::open(config).expect_err("it must be refused");
    error.to_string()
}

pub(crate) fn map(text: &str) -> Option<DomainMap> {
    Some(DomainMap::parse(text, Path::new("domains.toml")).expect("a sound map"))
}

/// A source that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) kept: Kept,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn run(config: GitConfig, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Running {
    let source = GitSource::open(config).expect("it opens");
    let kept = Kept::default();
    let sink = kept.clone();
    let task = tokio::spawn(async move { match source.run(sink, now).await {} });
    Running { kept, task }
}

/// The whole history at once: all events until following begins.
pub(crate) async fn history(config: GitConfig) -> Vec<Event> {
    let running = run(config, later);
    // At `max` the clock is said at the start and at the end.
    running.kept.until(|state| state.clocks.len() >= 2).await;
    running.kept.events()
}

pub(crate) fn entities(events: &[Event], verb: EntityVerb) -> Vec<&EntityPatch> {
    events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::Entity(said, patch) if *said == verb => Some(&**patch),
            _ => None,
        })
        .collect()
}

pub(crate) fn created(events: &[Event], kind: EntityKind) -> Vec<&EntityPatch> {
    let mut created = entities(events, EntityVerb::Created);
    created.retain(|patch| patch.kind == Some(kind));
    created
}

pub(crate) fn ids(patches: &[&EntityPatch]) -> Vec<String> {
    patches.iter().map(|patch| patch.id.to_string()).collect()
}

/// `KIND SOURCE>TARGET` of every flow that started.
pub(crate) fn flows(events: &[Event]) -> Vec<String> {
    let started = flow_events(events, FlowVerb::Started);
    started.iter().map(|flow| format!("{} {}>{}", kind(flow.kind), flow.source, flow.target)).collect()
}

pub(crate) fn flow_events(events: &[Event], verb: FlowVerb) -> Vec<&Flow> {
    events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::Flow(said, flow) if *said == verb => Some(flow),
            _ => None,
        })
        .collect()
}

fn kind(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Message => "message",
        FlowKind::Resource => "resource",
        FlowKind::Contract => "contract",
        FlowKind::Signal => "signal",
    }
}

pub(crate) fn alerts(events: &[Event]) -> Vec<&Alert> {
    events
        .iter()
        .filter_map(|event| match &event.payload {
            Payload::SystemAlert(alert) => Some(alert),
            _ => None,
        })
        .collect()
}

/// Who did each commit, in order: `AGENT: SUBJECT`.
pub(crate) fn work(events: &[Event]) -> Vec<String> {
    created(events, EntityKind::Transaction)
        .iter()
        .map(|patch| {
            let parent = match &patch.parent {
                monkeytown_protocol::Field::Set(parent) => parent.as_str(),
                _ => "nobody",
            };
            format!("{parent}: {}", patch.label.as_ref().expect("a label"))
        })
        .collect()
}

/// `(agent, status)` in order.
pub(crate) fn statuses(events: &[Event]) -> Vec<(String, EntityStatus)> {
    let changed = entities(events, EntityVerb::StatusChanged);
    changed.iter().map(|patch| (patch.id.to_string(), patch.status.expect("a status"))).collect()
}

/// The last number of files that was said of `agent`.
pub(crate) fn files(events: &[Event], agent: &str) -> u32 {
    events
        .iter()
        .rev()
        .find_map(|event| match &event.payload {
            Payload::Entity(_, patch) if patch.id.as_str() == agent => match &patch.domain {
                monkeytown_protocol::Field::Set(domain) => Some(domain.files),
                _ => None,
            },
            _ => None,
        })
        .expect("its domain was told")
}
