//! The `git` command, run so that nothing it is told by a peer can make it ask, wait for ever, or run anything.
//!
//! Knows nothing of which repository it is for.

use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    env,
    io::{self, Read},
    os::unix::process::CommandExt,
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

/// Runs what is behind it, as the leader of a process group. Whoever started it holds the other end of its standard input;
/// when that goes, as it does when a process is killed, all of the group is ended. Its standard output is a lock that is held
/// for as long as the command lives, so that nobody changes what a command changes that is about to end.
const WATCHED: &str = r#"
exec 3<&0 4>&1
"$@" </dev/null >/dev/null 3<&- &
command=$!
{ trap '' TERM; read -r _ <&3; kill -TERM 0; sleep 5; kill -KILL 0; } >/dev/null 2>&1 4>&- &
watch=$!
exec 3<&-
wait "$command"
code=$?
kill -KILL "$watch"
exit "$code"
"#;
const SHELL: &str = "/bin/sh";
/// What a shell says of a command that is not there.
const NOT_FOUND: i32 = 127;
/// How `git` is told settings by its environment: how many, and each.
const SETTINGS_COUNT: &str = "GIT_CONFIG_COUNT";

/// Why a run came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no such command, in the system's words.
    NotThere(String),
    /// It had not ended after this time.
    Late(Duration),
    /// In its own words, which may hold what it was told.
    Said(String),
}

/// Runs `git` to its end, with more `settings`, and over `protocols` alone (separated by colons). Gives what it wrote to its
/// standard error. `held` is what stays open until it has ended, whatever becomes of this process: it ends soon after it.
///
/// # Errors
/// When it cannot be started, does not succeed, or has not ended when `deadline` has passed.
pub(super) fn run(
    command: &Command,
    settings: &[(String, String)],
    protocols: &str,
    deadline: Duration,
    held: Stdio,
) -> Result<String, Failure> {
    let mut watched = watched(command, settings, protocols);
    watched.stdin(Stdio::piped()).stdout(held).stderr(Stdio::piped());
    let mut child = watched.spawn().map_err(|error| Failure::NotThere(format!("{SHELL}: {error}")))?;
    let (stderr, alive) = (child.stderr.take(), child.stdin.take());
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
    // `git`, what it started and the shell close their standard error when they end.
    let Ok(output) = ended.recv_timeout(deadline) else {
        end(&mut child, &ended);
        return Err(Failure::Late(deadline));
    };
    let status = child.wait().map_err(|error| Failure::Said(error.to_string()))?;
    drop(alive);
    if status.success() {
        return Ok(output);
    }
    let told = output.lines().map(str::trim).rfind(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    let reason = told.or_else(|| output.lines().last()).unwrap_or("git said nothing");
    Err(if status.code() == Some(NOT_FOUND) && told.is_none() {
        Failure::NotThere(reason.to_owned())
    } else {
        Failure::Said(reason.to_owned())
    })
}

/// `command`, watched, with the environment that it is to have.
fn watched(command: &Command, settings: &[(String, String)], protocols: &str) -> Command {
    let mut watched = Command::new(SHELL);
    watched.args(["-c", WATCHED, "sh"]).arg(command.get_program()).args(command.get_args()).process_group(0);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => watched.env(name, value),
            None => watched.env_remove(name),
        };
    }
    watched
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ASKPASS", "true")
        .env("GIT_ALLOW_PROTOCOL", protocols)
        .env("LC_ALL", "C");
    for inherited in NOT_INHERITED {
        watched.env_remove(inherited);
    }
    if env::var_os("GIT_SSH_COMMAND").is_none() {
        watched.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15");
    }
    // Behind the operator's own, which git reads from the same variables.
    let given = command.get_envs().find(|(name, _)| *name == SETTINGS_COUNT).and_then(|(_, value)| value);
    let given = given.map(ToOwned::to_owned).or_else(|| env::var_os(SETTINGS_COUNT));
    let before = given.and_then(|count| count.to_str()?.parse::<usize>().ok()).unwrap_or_default();
    let own = settings.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let mut count = before;
    for (key, value) in SETTINGS.into_iter().chain(own) {
        watched.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
        count = count.saturating_add(1);
    }
    watched.env(SETTINGS_COUNT, count.to_string());
    watched
}

/// Asked to end, `git` ends its children and takes away what it had begun. Killed, it does neither.
fn end(child: &mut Child, ended: &mpsc::Receiver<String>) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let tell = |signal| {
        if let Some(group) = group {
            // All may have ended just now, and then there is nobody to tell.
            let _ = kill_process_group(group, signal);
        }
    };
    tell(Signal::TERM);
    let _ = ended.recv_timeout(PARTING);
    // What did not, and who watched.
    tell(Signal::KILL);
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
        let failure = run(&command, &[], "http", Duration::from_secs(1), Stdio::null()).expect_err("it stalls");
        assert_eq!(failure, Failure::Late(Duration::from_secs(1)));
        assert_eq!(std::fs::read_dir(folder.path()).expect("made").count(), 0);
    }

    #[test]
    fn only_the_protocols_that_are_named_are_spoken() {
        let mut command = Command::new("git");
        command.args(["ls-remote", "--quiet", "file:///nowhere"]);
        let refused = run(&command, &[], "https", Duration::from_secs(60), Stdio::null());
        let Err(Failure::Said(said)) = refused else { panic!("refused") };
        assert!(said.contains("transport 'file' not allowed"), "{said}");
    }

    #[test]
    fn a_command_that_is_not_there_is_told_from_one_that_fails() {
        let run = |program: &str, argument: &str| {
            run(Command::new(program).arg(argument), &[], "", Duration::from_secs(60), Stdio::null())
        };
        let Err(Failure::NotThere(said)) = run("no-such-git", "x") else { panic!("it is not there") };
        assert!(said.contains("no-such-git"), "{said}");
        assert!(matches!(run("git", "no-such-command"), Err(Failure::Said(_))));
    }

    #[test]
    fn what_the_operator_set_by_the_environment_stays_set_and_what_is_set_here_comes_behind_it() {
        let mut command = Command::new("git");
        command.env("GIT_CONFIG_COUNT", "2").env("GIT_CONFIG_KEY_0", "http.proxy").env("GIT_CONFIG_VALUE_0", "a-proxy");
        command.env("GIT_CONFIG_KEY_1", "core.hooksPath").env("GIT_CONFIG_VALUE_1", "/elsewhere");
        let watched = watched(&command, &[("a.key".to_owned(), "a value".to_owned())], "https");
        let value = |name: &str| {
            let mut git = Command::new("git");
            git.args(["config", "--get", name])
                .envs(watched.get_envs().filter_map(|(name, value)| Some((name, value?))));
            String::from_utf8(git.output().expect("it runs").stdout).expect("text").trim().to_owned()
        };
        let values = ["http.proxy", "core.hooksPath", "a.key"].map(value);
        assert_eq!(values, ["a-proxy", "/dev/null", "a value"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn when_the_other_end_of_its_input_goes_all_that_it_started_goes_and_only_then_what_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let lock = folder.path().join("lock");
        let open = || std::fs::File::options().create(true).append(true).open(&lock).expect("a file");
        let (held, other) = (open(), open());
        held.lock().expect("a lock");
        // Whom a command has started goes on when the command is told to end, until it is killed.
        let mut command = Command::new("sh");
        command.args(["-c", "(trap '' TERM; echo begun >&2; while :; do sleep 1; done) & wait"]);
        let mut watched = watched(&command, &[], "");
        watched.stdin(Stdio::piped()).stdout(held).stderr(Stdio::piped());
        let mut child = watched.spawn().expect("it starts");
        // The builder holds the lock too.
        drop(watched);
        let mut stderr = child.stderr.take().expect("a pipe");
        let mut begun = [0; 6];
        stderr.read_exact(&mut begun).expect("it has begun");
        assert!(matches!(other.try_lock(), Err(std::fs::TryLockError::WouldBlock)));
        drop(child.stdin.take());
        other.lock().expect("it is given back");
        // Nobody is left who could write.
        assert_eq!(stderr.read_to_end(&mut Vec::new()).expect("its end"), 0);
        child.wait().expect("it has ended");
    }
}
