//! A real stream under the seccomp profile that Compose gives it, loaded by libseccomp: it works, and what the profile is
//! against is refused. On Linux, where there is seccomp.

use crate::{process::Process, readers::python_tool, tools::deploy};
use monkeytown_tests::{program, repository::Repository, wait::PATIENCE};
use serde_json::Value;
use std::process::Command;

/// Loads a profile of Docker's form and becomes the program behind it.
const UNDER: &str = "
import ctypes, json, os, sys
import pyseccomp as seccomp
profile = json.load(open(sys.argv[1]))
compare = {'SCMP_CMP_EQ': seccomp.EQ, 'SCMP_CMP_MASKED_EQ': seccomp.MASKED_EQ}
assert profile['defaultAction'] == 'SCMP_ACT_ERRNO'
rules = seccomp.SyscallFilter(seccomp.ERRNO(profile['defaultErrnoRet']))
for entry in profile['syscalls']:
    action = {'SCMP_ACT_ALLOW': seccomp.ALLOW, 'SCMP_ACT_ERRNO': seccomp.ERRNO(entry.get('errnoRet', 1))}[entry['action']]
    wanted = [seccomp.Arg(a['index'], compare[a['op']], a['value'], a.get('valueTwo', 0)) for a in entry.get('args', [])]
    for name in entry['names']:
        try:
            rules.add_rule(action, name, *wanted)
        except (OSError, RuntimeError):
            # A call that another processor has, and this one has not: containers leave it out too.
            pass
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # no new privileges
rules.load()
os.execvp(sys.argv[2], sys.argv[2:])
";

fn under(command: &Command) -> Command {
    let mut confined = python_tool("python");
    confined.args(["-c", UNDER]).arg(deploy().join("compose/stream.seccomp.json"));
    confined.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => confined.env(name, value),
            None => confined.env_remove(name),
        };
    }
    confined
}

#[tokio::test]
async fn a_stream_works_under_the_profile_that_it_is_given() {
    let journal = tempfile::tempdir().expect("a folder");
    let repository = Repository::new();
    repository.commit(0, "lay the first stone", &[("wall/stone.txt", "1\n")]);
    let mut stream = program::stream();
    stream.args(["--listen", "127.0.0.1:0", "--git"]).arg(repository.path());
    stream.arg("--journal").arg(journal.path());
    let stream = Process::start(&mut under(&stream)).expect("it starts");
    let status = std::fs::read_to_string(format!("/proc/{}/status", stream.id())).expect("the kernel says");
    assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    let told = async {
        let asked = stream.url("/api/v1/events?after=earliest&limit=100&wait=20");
        reqwest::get(asked).await.expect("an answer").json::<Vec<Value>>().await.expect("a batch")
    };
    let events = tokio::time::timeout(PATIENCE, told).await.expect("it tells of the repository");
    assert!(!events.is_empty());
    assert_eq!(stream.stop(), Some(0), "it drains");
}

#[test]
fn what_a_stream_never_does_is_refused() {
    // Each works without the profile, or the refusal would prove nothing.
    let python = |code: &str| {
        let mut command = python_tool("python");
        command.args(["-c", code]);
        command
    };
    let refused = |call: i64| {
        let load = "import ctypes, os; libc = ctypes.CDLL(None, use_errno=True)";
        format!("{load}; libc.syscall({call}, 0, 0, 0, 0, 0); os._exit(ctypes.get_errno() == 1)")
    };
    // add_key and keyctl, by the processor's numbers.
    let calls = if cfg!(target_arch = "x86_64") { [248, 250] } else { [217, 219] };
    for call in calls {
        let free = python(&refused(call)).status().expect("Python starts").code();
        let confined = under(&python(&refused(call))).status().expect("Python starts").code();
        assert_eq!((free, confined), (Some(0), Some(1)), "call {call}");
    }
    // A kind of socket that reaches the host of a virtual machine.
    let vsock = || python("import socket; socket.socket(40, socket.SOCK_STREAM)");
    let confined = under(&vsock()).output().expect("Python starts");
    assert!(String::from_utf8_lossy(&confined.stderr).contains("Operation not permitted"), "{confined:?}");
    let free = vsock().output().expect("Python starts");
    assert!(!String::from_utf8_lossy(&free.stderr).contains("Operation not permitted"), "{free:?}");
}
