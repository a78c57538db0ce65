//! geckodriver in a process of its own, and the one session that it opens: a Firefox with a profile and preferences.
//!
//! It starts and ends the browser. What is asked of pages goes past it, over the session's socket.

use super::PROGRAMS;
use crate::{browser::on_path, wait::PATIENCE};
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;
use tokio::{sync::oneshot, time::timeout};

/// Where `cargo xtask test system` puts it.
const SHELF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tools/bin/geckodriver");
/// Lines of its log that a failure shows.
const LAST_WORDS: usize = 30;

/// A running geckodriver and its Firefox. Dropping it kills both.
pub(super) struct Driver {
    child: Child,
    folder: TempDir,
    http: reqwest::Client,
    session: String,
    /// Where the session is spoken to.
    pub(super) socket: String,
    /// What the browser calls itself.
    pub(super) version: String,
}

/// A program: what `variable` names, or one of `names` on the `PATH`.
fn program(variable: &str, names: &[&str]) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).or_else(|| on_path(names))
}

impl Driver {
    /// Starts both, with `profile` and `preferences`.
    pub(super) async fn start(profile: &Path, preferences: &Value) -> Result<Self> {
        let firefox = program("FIREFOX", &PROGRAMS)
            .context("no Firefox on the PATH: apt-get install firefox-esr, or name one with FIREFOX=")?;
        let installed = || Some(PathBuf::from(SHELF)).filter(|path| path.is_file());
        let geckodriver = program("GECKODRIVER", &["geckodriver"]).or_else(installed).context(
            "no geckodriver on the PATH: cargo xtask test system installs it, or name one with GECKODRIVER=",
        )?;
        let folder = tempfile::tempdir().context("no folder for a log")?;
        let mut command = Command::new(geckodriver);
        command.args(["--host", "127.0.0.1", "--port", "0", "--websocket-port", "0", "--log", "info"]);
        let log = File::create(log(&folder))?;
        // A group of its own, so that what Firefox starts ends with it.
        let child = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.try_clone()?);
        let mut child = child.spawn().context("geckodriver does not start")?;
        let (tell, told) = oneshot::channel();
        let output = child.stdout.take().context("a pipe was asked for")?;
        std::thread::spawn(move || follow(BufReader::new(output), log, tell));
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE * 2).build()?;
        let mut driver =
            Self { child, folder, http, session: String::new(), socket: String::new(), version: String::new() };
        match timeout(PATIENCE, told).await {
            Ok(Ok(address)) => driver.open(&address, &firefox, profile, preferences).await.map(|()| driver),
            _ => bail!("geckodriver says no address\n{}", driver.last_words()),
        }
    }

    async fn open(&mut self, address: &str, firefox: &Path, profile: &Path, preferences: &Value) -> Result<()> {
        let options = json!({
            "binary": firefox, "args": ["-headless", "-profile", profile], "prefs": preferences,
        });
        let asked = json!({"capabilities": {"alwaysMatch": {
            "browserName": "firefox", "webSocketUrl": true, "moz:firefoxOptions": options,
        }}});
        let answer = self.http.post(format!("http://{address}/session")).json(&asked).send().await;
        let answer: Value = answer.with_context(|| self.last_words())?.json().await?;
        let field = |path: &str| answer.pointer(path).and_then(Value::as_str);
        let (session, socket) = (field("/value/sessionId"), field("/value/capabilities/webSocketUrl"));
        let (Some(session), Some(socket)) = (session, socket) else {
            bail!("Firefox does not start: {answer}\n{}", self.last_words());
        };
        self.session = format!("http://{address}/session/{session}");
        self.socket = socket.to_owned();
        self.version = field("/value/capabilities/browserVersion").unwrap_or_default().to_owned();
        Ok(())
    }

    /// Ends the browser as its owner does.
    pub(super) async fn close(&self) -> Result<()> {
        let answer = self.http.delete(&self.session).send().await;
        let status = answer.with_context(|| self.last_words())?.status();
        if !status.is_success() {
            bail!("Firefox does not end: {status}\n{}", self.last_words());
        }
        Ok(())
    }

    /// The end of the log, for whoever reads a failure.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(log(&self.folder)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let mut lines: Vec<&str> = log.lines().rev().take(LAST_WORDS).collect();
        lines.reverse();
        lines.join("\n")
    }
}

fn log(folder: &TempDir) -> PathBuf {
    folder.path().join("log")
}

/// Writes what geckodriver and Firefox say into `log`, and tells where geckodriver listens.
fn follow(output: impl BufRead, mut log: File, tell: oneshot::Sender<String>) {
    let mut tell = Some(tell);
    for line in output.split(b'\n').map_while(Result::ok) {
        let words = String::from_utf8_lossy(&line);
        if let Some((_, address)) = words.split_once("Listening on ") {
            // Whoever asked may have given up.
            let _ = tell.take().map(|tell| tell.send(address.trim().to_owned()));
        }
        // A log that cannot be written is no reason to stop reading: a full pipe would stop the browser.
        let _ = writeln!(log, "{words}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("what geckodriver and Firefox said:\n{}", self.last_words());
        }
        // All of the group; the browser may have ended on its own.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
