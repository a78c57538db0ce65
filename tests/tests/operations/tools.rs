//! The programs of the operator: where they are, and how they are started and ended. Knows no rule and no metric.

use monkeytown_tests::wait::PATIENCE;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// What the log of either program says before its address.
const LISTENING: &str = "msg=\"Listening on\" address=";

/// The folder of what is deployed.
pub(crate) fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// A file of the repository, by its path from the root.
pub(crate) fn text(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|why| panic!("{path}: {why}"))
}

fn program(variable: &str, usual: &str) -> Command {
    Command::new(std::env::var_os(variable).unwrap_or_else(|| usual.into()))
}

/// What `promtool` says to arguments in the folder of what is deployed, which it must be content with.
pub(crate) fn promtool(arguments: &[&str]) -> String {
    said(program("PROMTOOL", "promtool"), arguments)
}

/// The same of `amtool`.
pub(crate) fn amtool(arguments: &[&str]) -> String {
    said(program("AMTOOL", "amtool"), arguments)
}

fn said(mut command: Command, arguments: &[&str]) -> String {
    let output = command.args(arguments).current_dir(deploy()).output();
    let output = output.unwrap_or_else(|why| panic!("{command:?}: {why}; cargo xtask test system installs it"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A Redis that keeps what it has in a folder of its own, until it is dropped.
pub(crate) struct Redis {
    folder: tempfile::TempDir,
    child: Option<Child>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Redis {
    pub(crate) fn start() -> Self {
        let mut redis = Self { folder: tempfile::tempdir().expect("a folder"), child: None };
        redis.start_again();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Where a stream finds it.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Ends it as a machine that fails does.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it on what its folder holds, and waits until it takes connections.
    pub(crate) fn start_again(&mut self) {
        self.stop();
        // What the one before left would look as if it were there already.
        let _ = std::fs::remove_file(self.socket());
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--unixsocket"]);
        command.arg(self.socket()).arg("--dir").arg(self.folder.path()).stdout(Stdio::null());
        let child = command.spawn();
        self.child =
            Some(child.unwrap_or_else(|why| panic!("{command:?}: {why}; cargo xtask test system installs it")));
        while UnixStream::connect(self.socket()).is_err() {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("its state"));
            assert_eq!(ended, None, "Redis ends at once");
            std::thread::yield_now();
        }
    }
}

/// A program that serves HTTP on a port of its own until it is dropped.
pub(crate) struct Serving {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Prometheus with the configuration `folder/prometheus.yml`, its data beside it.
    pub(crate) fn prometheus(folder: &Path) -> Self {
        let mut command = program("PROMETHEUS", "prometheus");
        command.arg(format!("--config.file={}", folder.join("prometheus.yml").display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
        // It listens first, and reads its rules then.
        Self::start(command, "Server is ready to receive web requests.")
    }

    /// Alertmanager with the configuration `folder/alertmanager.yml`, alone, its data beside it.
    pub(crate) fn alertmanager(folder: &Path) -> Self {
        let mut command = program("ALERTMANAGER", "prometheus-alertmanager");
        command.arg(format!("--config.file={}", folder.join("alertmanager.yml").display()));
        command.arg(format!("--storage.path={}", folder.join("kept").display()));
        command.arg("--cluster.listen-address=");
        Self::start(command, LISTENING)
    }

    /// Starts it on a free port, which its log names, and waits until its log says `ready`.
    fn start(mut command: Command, ready: &str) -> Self {
        command.arg("--web.listen-address=127.0.0.1:0").stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.spawn();
        let mut child = child.unwrap_or_else(|why| panic!("{command:?}: {why}; cargo xtask test system installs it"));
        let mut log = BufReader::new(child.stderr.take().expect("a pipe was asked for"));
        let mut heard = String::new();
        while !(heard.contains(LISTENING) && heard.contains(ready)) {
            if log.read_line(&mut heard).expect("its log") == 0 {
                panic!("{command:?} has ended: {heard}");
            }
        }
        let address = heard.split_once(LISTENING).and_then(|(_, rest)| rest.lines().next()).expect("it is there");
        let address = address.trim().to_owned();
        // A pipe that nobody reads would fill, and stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Self { child, address }
    }

    /// The JSON at `path`.
    pub(crate) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("http://{}{path}", self.address);
        let url = reqwest::Url::parse_with_params(&url, parameters).expect("an address");
        let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
        let status = answer.status();
        let body = answer.text().await.expect("a body");
        assert!(status.is_success(), "{path} {parameters:?}: {status} {body}");
        serde_json::from_str(&body).unwrap_or_else(|why| panic!("{path}: {why}: {body}"))
    }

    /// The samples that Prometheus finds for a query now: the labels of each, and its value.
    pub(crate) async fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let answer = self.get("/api/v1/query", &[("query", query)]).await;
        let result = answer.pointer("/data/result").and_then(Value::as_array).expect("a vector").clone();
        let samples = result.into_iter().map(|sample| {
            let value = sample.pointer("/value/1").and_then(Value::as_str).expect("a value");
            (sample.get("metric").expect("labels").clone(), value.parse().expect("a number"))
        });
        samples.collect()
    }

    /// Every rule that Prometheus has loaded.
    pub(crate) async fn rules(&self) -> Vec<Value> {
        let answer = self.get("/api/v1/rules", &[]).await;
        let groups = answer.pointer("/data/groups").and_then(Value::as_array).expect("groups").clone();
        let rules = groups.into_iter().filter_map(|group| group.get("rules").and_then(Value::as_array).cloned());
        rules.flatten().collect()
    }
}
