//! A Redis of a test's own: its files in a folder that goes with it, its socket beside them.

use monkeytown_stream::RedisUrl;
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// The keys, as an operator sees them.
pub(crate) const LOG: &str = "{monkeytown}:log";
pub(crate) const EVENTS: &str = "{monkeytown}:events";
pub(crate) const IDENTITIES: &str = "{monkeytown}:identities";
pub(crate) const STATE: &str = "{monkeytown}:state";

/// A running Redis that writes down every change before it answers, or one that is not running just now.
pub(crate) struct Redis {
    folder: tempfile::TempDir,
    child: Option<Child>,
    options: Vec<String>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self { folder: tempfile::tempdir().unwrap(), child: None, options };
        redis.run();
        redis
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    pub(crate) fn address(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub(crate) fn url(&self) -> RedisUrl {
        self.address().parse().unwrap()
    }

    /// Starts it on what its folder holds, and waits until it answers.
    pub(crate) fn run(&mut self) {
        self.run_at_once();
        loop {
            if let Ok(mut connection) = self.client().get_connection()
                && redis::cmd("PING")
                    .query::<String>(&mut connection)
                    .map_or_else(|error| error.code() == Some("NOAUTH"), |answer| answer == "PONG")
            {
                return;
            }
            assert_eq!(self.child.as_mut().unwrap().try_wait().unwrap(), None, "Redis ends at once");
            std::thread::yield_now();
        }
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn run_at_once(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(self.socket());
        command.arg("--dir").arg(self.folder.path()).args(&self.options).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "these tests need a Redis, and redis-server cannot be started ({error}): \
                 apt-get update && apt-get install -y --no-install-recommends redis-server"
            )
        });
        self.child = Some(child);
    }

    pub(crate) fn client(&self) -> redis::Client {
        redis::Client::open(self.address()).unwrap()
    }

    /// Asks it something, as an operator does.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.client().get_connection().unwrap()).unwrap()
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as its service does.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
        self.child.take().unwrap().wait().unwrap();
    }

    pub(crate) fn stall(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    /// The file that every change is written to.
    fn file(&self) -> PathBuf {
        let files = fs::read_dir(self.folder.path().join("appendonlydir")).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with(".incr.aof"));
        files.sort();
        files.pop().unwrap()
    }

    /// How much is written down.
    pub(crate) fn written(&self) -> u64 {
        fs::metadata(self.file()).unwrap().len()
    }

    /// Has its file hold something else in one place. It must not be running.
    pub(crate) fn alter(&self, what: &[u8], to: &[u8]) {
        let mut written = fs::read(self.file()).unwrap();
        let place = written.windows(what.len()).position(|window| window == what).unwrap();
        written[place..place + to.len()].copy_from_slice(to);
        fs::write(self.file(), written).unwrap();
    }

    /// Has what was written last be lost, as with a Redis that writes once a second. It must not be running. Whole changes
    /// go: Redis 7.0 leaves half of one in a file that was torn within it, and takes that for true at the start after the next.
    pub(crate) fn forget(&self, from: u64) {
        const CHANGE: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
        let written = fs::read(self.file()).unwrap();
        let kept = &written[..usize::try_from(from).unwrap().min(written.len())];
        let torn = kept.windows(CHANGE.len()).rposition(|window| window == CHANGE);
        let torn = torn.filter(|_| !kept.ends_with(b"*1\r\n$4\r\nEXEC\r\n"));
        let whole = torn.map_or(from, |place| u64::try_from(place).unwrap());
        fs::OpenOptions::new().write(true).open(self.file()).unwrap().set_len(whole).unwrap();
    }
}
