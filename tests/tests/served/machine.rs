//! One machine as `deploy/blue-green` has it: nginx, a folder of releases, the switch itself, and Redis where it is asked for.
//! Everything lies in a folder of its own and ends when this is dropped.

use crate::web::{NOBODY, ROOT, copy, deploy, free_port, search_path};
use monkeytown_tests::{program, site, stream::TOKEN, wait::PATIENCE};
use std::{
    fs::{self, File, Permissions},
    net::TcpStream,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What keeps the events.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Memory,
    Journal,
    Redis,
}

pub(crate) struct Machine {
    folder: TempDir,
    nginx: Child,
    redis: Option<Child>,
    port: u16,
}

impl Machine {
    /// With nothing deployed.
    pub(crate) async fn new(store: Store) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        // nginx' workers are somebody else where this is root.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("its rights");
        copy(&deploy().join("nginx"), &path("nginx"));
        copy(&site::folder(), &path("site"));
        for name in ["run", "nginx/local", "journal"] {
            fs::create_dir_all(path(name)).expect("a folder");
        }
        if *ROOT {
            chown(path("journal"), Some(NOBODY), Some(NOBODY)).expect("nobody's folder");
        }
        let port = free_port();
        let write = |name: &str, text: String| fs::write(path(name), text).expect("it is written");
        write(
            "nginx/local/server-listen.conf",
            format!("listen 127.0.0.1:{port};\naccess_log {} monkeytown;\n", path("run/access.log").display()),
        );

        let mut redis = None;
        let mut variables = format!(
            "MONKEYTOWN_PUBLISH_TOKENS={TOKEN}\nMONKEYTOWN_TRUST_PROXY=127.0.0.1\nMONKEYTOWN_DRAIN_SECONDS=2\n"
        );
        match store {
            Store::Memory => {}
            Store::Journal => variables += &format!("MONKEYTOWN_JOURNAL={}\n", path("journal").display()),
            Store::Redis => {
                let port = free_port();
                redis = Some(start_redis(port, &path("redis")).await);
                variables += &format!("MONKEYTOWN_REDIS=redis://127.0.0.1:{port}\n");
            }
        }
        write("stream.env", variables);
        let nginx = format!("nginx -e stderr -p {}/ -c {}", path("run").display(), path("nginx/nginx.conf").display());
        write(
            "blue-green.conf",
            format!(
                "STATE={}\nSTREAM_ENV={}\nNGINX_LOCAL={}\nPAGE={}\nPORT_BLUE={}\nPORT_GREEN={}\nPUBLIC=http://127.0.0.1:{port}\n\
                 NGINX_TEST='{nginx} -t -q'\nNGINX_RELOAD='{nginx} -s reload'\nWATCH_SECONDS=1\nSTART_SECONDS=30\nRUN_AS=nobody\n",
                path("state").display(),
                path("stream.env").display(),
                path("nginx/local").display(),
                path("page").display(),
                free_port(),
                free_port(),
            ),
        );
        let prepared = switch(&path("blue-green.conf"), &["prepare"]).output().expect("it runs");
        assert!(prepared.status.success(), "{prepared:?}");
        let mut words = nginx.split(' ');
        let mut command = Command::new(words.next().expect("a program"));
        let log = File::create(path("run/stderr")).expect("a file");
        let nginx = command.args(words).env("PATH", search_path()).stdout(Stdio::null()).stderr(log).spawn();
        let machine = Self { nginx: nginx.expect("nginx starts"), folder, redis, port };
        listening(port).await;
        machine
    }

    /// Adds a line to the switch's own configuration.
    pub(crate) fn configure(&self, line: &str) {
        let path = self.path("blue-green.conf");
        let text = fs::read_to_string(&path).expect("its configuration");
        fs::write(path, format!("{text}{line}\n")).expect("it is written");
    }

    /// Adds a line to the streams' variables.
    pub(crate) fn give(&self, line: &str) {
        let path = self.path("stream.env");
        let text = fs::read_to_string(&path).expect("their variables");
        fs::write(path, format!("{text}{line}\n")).expect("it is written");
    }

    /// What the switch's configuration has for `name`.
    pub(crate) fn setting(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path("blue-green.conf")).expect("its configuration");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("{name} is not set")).to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The folder of a release with the stream's own program and the built page.
    pub(crate) fn release(&self, name: &str) -> String {
        self.release_with(name, "exec \"$REAL\" \"$@\"")
    }

    /// The same whose program is a script; `$REAL` is the stream's own.
    pub(crate) fn release_with(&self, name: &str, script: &str) -> String {
        let folder = self.path(name);
        fs::create_dir_all(&folder).expect("a folder");
        let real = program::stream().get_program().to_owned();
        let script = format!("#!/bin/sh\nREAL={}\n{script}\n", real.to_str().expect("a path"));
        let path = folder.join("monkeytown-stream");
        fs::write(&path, script).expect("it is written");
        fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("its rights");
        symlink(self.path("site"), folder.join("site")).expect("a link");
        folder.to_str().expect("a path").to_owned()
    }

    /// The switch with `arguments`, which has not been started.
    pub(crate) fn switch(&self, arguments: &[&str]) -> Command {
        switch(&self.path("blue-green.conf"), arguments)
    }

    /// What the switch answers.
    pub(crate) async fn switched(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = tokio::process::Command::from(self.switch(arguments));
        let output: Output = command.output().await.expect("it runs");
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), text)
    }

    /// Deploys what must be taken.
    pub(crate) async fn deployed(&self, release: &str) -> String {
        let (code, said) = self.switched(&["deploy", release]).await;
        assert_eq!(code, Some(0), "{said}\n{}", self.logs());
        said
    }

    /// Which colour has the traffic, by the switch's own words.
    pub(crate) async fn active(&self) -> String {
        let (_, said) = self.switched(&["status"]).await;
        let line = said.lines().find_map(|line| line.strip_prefix("active: "));
        line.unwrap_or_else(|| panic!("{said}")).to_owned()
    }

    fn logs(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.path(name)).unwrap_or_default();
        ["state/blue.log", "state/green.log", "run/stderr"].map(read).join("\n")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for colour in ["blue", "green"] {
            if let Ok(id) = fs::read_to_string(self.path(&format!("state/{colour}.pid"))) {
                // The keeper and its stream: a group of their own.
                let _ = Command::new("kill")
                    .args(["-KILL", "--", &format!("-{}", id.trim())])
                    .stderr(Stdio::null())
                    .status();
            }
        }
        let _ = Command::new("kill").args(["-TERM", &self.nginx.id().to_string()]).status();
        let _ = self.nginx.wait();
        if let Some(redis) = &mut self.redis {
            let _ = redis.kill();
            let _ = redis.wait();
        }
    }
}

fn switch(config: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.arg(deploy().join("blue-green/switch.sh")).args(arguments).env("PATH", search_path());
    command.env("MONKEYTOWN_BLUE_GREEN", config);
    command
}

async fn start_redis(port: u16, folder: &std::path::Path) -> Child {
    fs::create_dir_all(folder).expect("a folder");
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir"]);
    let child = command.arg(folder).stdout(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|why| panic!("redis-server: {why}; cargo xtask test system installs it"));
    listening(port).await;
    child
}

async fn listening(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nobody listens on {port}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
