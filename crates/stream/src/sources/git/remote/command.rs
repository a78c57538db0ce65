//! The `git` command, run so that nothing it is told by a peer can make it ask, wait for ever, or run anything.
//!
//! Knows nothing of which repository it is for.

use std::{
    env,
    io::{self, Read},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Most that is read of what `git` writes, in bytes.
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;
/// How long a `git` that was told to end may take, for its children to end too.
const PARTING: Duration = Duration::from_secs(10);
/// Variables that would make it work elsewhere than it is told to, or leave more than it should.
const NOT_INHERITED: [&str; 8] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_TEMPLATE_DIR",
];
/// What holds for every run, beside the operator's own configuration.
const SETTINGS: [(&str, &str); 6] = [
    // A peer that stalls is given up by git itself, long before the deadline.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    // A clone here is read by this program alone: no hook is to run in it, whoever put one into a template.
    ("core.hooksPath", "/dev/null"),
    ("init.templateDir", ""),
    ("fetch.recurseSubmodules", "false"),
    ("maintenance.auto", "false"),
];

/// Why a run came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such command, in the system's words.
    NotThere(String),
    /// In its own words, which may hold what it was told.
    Said(String),
}

/// Runs `git` to its end, with more `settings`, and over `protocols` alone (separated by colons). Gives what it wrote to its
/// standard error.
///
/// # Errors
/// When it cannot be started, does not succeed, or has not ended when `deadline` has passed.
pub(super) fn run(
    mut command: Command,
    settings: &[(String, String)],
    protocols: &str,
    deadline: Duration,
) -> Result<String, Failure> {
    command
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_ALLOW_PROTOCOL", protocols)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    for inherited in NOT_INHERITED {
        command.env_remove(inherited);
    }
    if env::var_os("GIT_SSH_COMMAND").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15");
    }
    let own = settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let settings: Vec<(&str, &str)> = SETTINGS.into_iter().chain(own).collect();
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (at, (key, value)) in settings.into_iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    let mut child = command.spawn().map_err(|error| Failure::NotThere(error.to_string()))?;
    let stderr = child.stderr.take();
    let (send, ended) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // What was read until then is what can be told.
            let _ = stderr.by_ref().take(OUTPUT_MAX_BYTES).read_to_end(&mut text);
            let _ = io::copy(&mut stderr, &mut io::sink());
        }
        // Nobody listens any more when the deadline has passed.
        let _ = send.send(String::from_utf8_lossy(&text).into_owned());
    });
    // `git` and what it started close their standard error when they end.
    let Ok(output) = ended.recv_timeout(deadline) else {
        end(&mut child, &ended);
        return Err(Failure::Said(format!("no end after {} s", deadline.as_secs())));
    };
    let status = child.wait().map_err(|error| Failure::Said(error.to_string()))?;
    if status.success() {
        return Ok(output);
    }
    let told = output.lines().map(str::trim).rfind(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let reason = told.or_else(|| output.lines().last()).unwrap_or("git said nothing");
    Err(Failure::Said(reason.to_owned()))
}

/// Asked to end, `git` ends its children and takes away what it had begun. Killed, it does neither.
fn end(child: &mut Child, ended: &mpsc::Receiver<String>) {
    if let Some(id) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended just now, and then there is nobody to ask.
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    if ended.recv_timeout(PARTING).is_err() {
        let _ = child.kill();
    }
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_stalls_is_given_up_at_the_deadline_and_nothing_stays_behind() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let folder = tempfile::tempdir().expect("a folder");
        let address = listener.local_addr().expect("bound");
        let mut command = Command::new("git");
        command.args(["clone", "--quiet", "--bare", &format!("http://{address}/town.git")]);
        command.arg(folder.path().join("clone"));
        let failure = run(command, &[], "http", Duration::from_secs(1)).expect_err("it stalls");
        assert_eq!(failure, Failure::Said("no end after 1 s".to_owned()));
        assert_eq!(std::fs::read_dir(folder.path()).expect("made").count(), 0);
    }

    #[test]
    fn only_the_protocols_that_are_named_are_spoken() {
        let mut command = Command::new("git");
        command.args(["ls-remote", "--quiet", "file:///nowhere"]);
        let Err(Failure::Said(said)) = run(command, &[], "https", Duration::from_secs(60)) else { panic!("refused") };
        assert!(said.contains("transport 'file' not allowed"), "{said}");
    }
}
