//! A Redis of a test's own with the deployed `redis.conf`: its files in a folder that goes with it, on a port of its own.

use crate::{process::free_port, tools::text};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// A running Redis, or one that is not running just now.
pub(crate) struct Redis {
    folder: TempDir,
    child: Option<Child>,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    /// Redis as it is deployed, but for its paths, with the users of `acl`.
    pub(crate) fn deployed(acl: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = text("deploy/compose/redis.conf");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        let put = |text: String, old: &str, new: &Path| {
            assert_eq!(text.matches(old).count(), 1, "{old}");
            text.replace(old, &new.display().to_string())
        };
        let config = put(
            put(config, "dir /data", &PathBuf::from(format!("dir {}", data.display()))),
            "/run/secrets/redis_users",
            acl,
        );
        fs::write(folder.path().join("redis.conf"), config).expect("it is written");
        let mut redis = Self { folder, child: None, port: free_port() };
        redis.run().expect("Redis starts");
        redis
    }

    /// Host and port.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where its append-only file lies.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it on what its folder holds, and waits until it is ready.
    ///
    /// # Errors
    /// What it said when it ends instead.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "it runs already");
        let mut command = Command::new("redis-server");
        command.arg(self.folder.path().join("redis.conf")).args([
            "--bind",
            "127.0.0.1",
            "--port",
            &self.port.to_string(),
        ]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("redis-server, which cargo xtask test installs");
        let mut log = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut heard = String::new();
        while !heard.contains("Ready to accept connections") {
            if log.read_line(&mut heard).expect("its log") == 0 {
                child.wait().expect("it has ended");
                return Err(heard);
            }
        }
        // A pipe that nobody reads would fill, and stop it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        self.child = Some(child);
        Ok(())
    }

    /// Ends it as a power cut does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended on its own.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What it answers to somebody.
    pub(crate) fn asked(&self, user: Option<(&str, &str)>, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["--no-auth-warning", "-p", &self.port.to_string()]);
        if let Some((name, password)) = user {
            cli.args(["--user", name, "--pass", password]);
        }
        let output = cli.args(command).output().expect("redis-cli, which comes with redis-server");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}
