//! The stream's program in a process of its own, on an address that a later one may have again; started by hand, under
//! another program, or by its image's start script.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

/// A process whose first line has said where it listens. Killed when dropped, without a word.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: String,
}

/// A process that ended before it listened.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    /// What it said on stderr.
    pub(crate) said: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// When it ends instead.
    pub(crate) fn start(command: &mut Command) -> Result<Self, Ended> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let mut log = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut errors = child.stderr.take().expect("a pipe was asked for");
        let mut first = String::new();
        log.read_line(&mut first).expect("its log is text");
        if first.is_empty() {
            let mut said = String::new();
            errors.read_to_string(&mut said).expect("what it says is text");
            return Err(Ended { code: child.wait().expect("it ends").code(), said });
        }
        let line: Value = serde_json::from_str(&first).unwrap_or_else(|why| panic!("{first:?} is no log line: {why}"));
        let address = line.pointer("/context/address").and_then(Value::as_str).expect("an address").to_owned();
        // Pipes that nobody reads would fill, and stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
        Ok(Self { child, address })
    }

    /// An address on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a deployment does, and gives its code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let told = Command::new("kill").arg(self.id().to_string()).status().expect("kill starts");
        assert!(told.success());
        self.child.wait().expect("it ends").code()
    }
}

/// A port that is free now; that somebody else takes it meanwhile is as good as impossible.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}
