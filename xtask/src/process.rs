//! Starting other programs: says what is waited for, keeps saying it, and turns an exit into a sentence.
//! Knows no tool in particular.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;

/// How often a long wait is said again.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A command in the repository's root, free of what Cargo tells xtask about xtask itself: build scripts of other
/// packages watch those variables and would run again for nothing.
pub(crate) fn command(workspace: &Workspace, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Cargo, with `arguments`.
pub(crate) fn cargo<S: AsRef<OsStr>>(workspace: &Workspace, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = command(workspace, "cargo");
    command.args(arguments);
    command
}

/// Runs `command` to its end, its output on stderr. `what` says what is waited for.
///
/// # Errors
/// When it cannot be started or ends with anything but 0.
pub(crate) fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = wait(what, command.stdout(Stdio::from(std::io::stderr())))?;
    check(command, status)
}

/// As [`run`], and gives what the program wrote to stdout.
///
/// # Errors
/// As [`run`].
pub(crate) fn capture(what: &str, command: &mut Command) -> Result<String> {
    let heartbeat = Heartbeat::start(what);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("`{}` cannot be started", line(command)));
    drop(heartbeat);
    let output = output?;
    check(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// As [`run`], with stdout left as it is, for a program whose output is the result.
///
/// # Errors
/// As [`run`].
pub(crate) fn hand_over(what: &str, command: &mut Command) -> Result<()> {
    let status = wait(what, command)?;
    check(command, status)
}

fn wait(what: &str, command: &mut Command) -> Result<ExitStatus> {
    let _heartbeat = Heartbeat::start(what);
    command.stdin(Stdio::null()).status().with_context(|| format!("`{}` cannot be started", line(command)))
}

fn check(command: &Command, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{}` ended with {status}", line(command));
    }
    Ok(())
}

/// The stdout of a short question, such as `trunk --version`; `None` when it cannot be asked or is refused.
pub(crate) fn ask(program: impl AsRef<OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where `program` lies on the `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| is_executable(candidate))
}

/// Whether `path` is a file that may be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// `command` as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let _ = write!(text, " {}", argument.to_string_lossy());
    }
    text
}

/// A duration as a person says it.
pub(crate) fn said(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// Says every [`HEARTBEAT`] that something is still waited for, until it is dropped.
struct Heartbeat {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    fn start(what: &str) -> Self {
        let what = what.to_owned();
        let (stop, stopped) = sync_channel(0);
        let begun = Instant::now();
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("  … still {what}, {} so far", said(begun.elapsed()));
            }
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        // The closed channel is the signal.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_named_with_its_arguments() {
        let error = run("testing", Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(format!("{error:#}"), "`sh -c exit 3` ended with exit status: 3");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        let error = run("testing", &mut Command::new("no-such-program-here")).unwrap_err();
        assert!(format!("{error:#}").starts_with("`no-such-program-here` cannot be started"), "{error:#}");
    }

    #[test]
    fn durations_read_as_a_person_says_them() {
        assert_eq!(said(Duration::from_millis(250)), "250 ms");
        assert_eq!(said(Duration::from_secs(119)), "119 s");
        assert_eq!(said(Duration::from_secs(251)), "4 min 11 s");
    }
}
