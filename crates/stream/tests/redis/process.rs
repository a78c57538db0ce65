//! The program itself: its flags, its lines, its exit codes, over TCP.

use crate::node::{event, publish, soon, until};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout, Command, Stdio},
};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MONKEYTOWN_")) {
        program.env_remove(name);
    }
    program.args(["--listen", "127.0.0.1:0"]);
    program.env("MONKEYTOWN_PUBLISH_TOKENS", "the-token");
    program
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn log(running: &mut Running) -> Lines<BufReader<ChildStdout>> {
    BufReader::new(running.0.stdout.take().unwrap()).lines()
}

fn said(lines: &mut Lines<BufReader<ChildStdout>>, words: &str) -> Value {
    for line in lines {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["message"].as_str().unwrap().contains(words) {
            return line;
        }
    }
    panic!("the log never says {words:?}");
}

fn complaint(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

#[test]
fn what_an_operator_must_mend_is_one_line_without_a_password() {
    let text = complaint(program().args(["--redis", "http://me:secret@cache"]));
    assert!(text.contains("give redis://HOST:PORT") && !text.contains("secret"), "{text}");
    let text = complaint(program().args(["--redis", "rediss://me:secret@cache"]));
    assert!(text.contains("rediss:// is not spoken") && !text.contains("secret"), "{text}");
    let text = complaint(program().args(["--redis", "redis://cache", "--journal", "/nowhere"]));
    assert!(text.contains("kept in one place"), "{text}");
    let text = complaint(program().args(["--redis", "redis://cache", "--ring-events", "100"]));
    assert!(text.contains("at least 20000"), "{text}");
    let help = program().arg("--help").env("MONKEYTOWN_REDIS", "redis://me:secret@cache").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_without_sources_of_its_own_serves_what_others_tell_and_ends_when_its_history_does() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    drop(taken);
    let folder = tempfile::tempdir().unwrap();
    let mut redis = Command::new("redis-server");
    redis.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder.path());
    let redis = redis.args(["--requirepass", "swordfish"]).stdout(Stdio::null()).spawn();
    let _redis = Running(redis.unwrap_or_else(|error| {
        panic!("redis-server cannot be started ({error}): apt-get install -y --no-install-recommends redis-server")
    }));
    let url = format!("redis://:swordfish@127.0.0.1:{port}/2");
    let start = |publishes: bool| {
        let mut program = program();
        program.env("MONKEYTOWN_REDIS", &url).stdout(Stdio::piped());
        if !publishes {
            program.env_remove("MONKEYTOWN_PUBLISH_TOKENS");
        }
        Running(program.spawn().unwrap())
    };
    // Both at once with Redis, as compose does.
    let (mut one, mut other) = (start(true), start(false));
    let (mut one_log, mut other_log) = (log(&mut one), log(&mut other));
    let base = |line: Value| format!("http://{}", line["context"]["address"].as_str().unwrap());
    let here = base(serde_json::from_str(&one_log.next().unwrap().unwrap()).unwrap());
    let there = base(serde_json::from_str(&other_log.next().unwrap().unwrap()).unwrap());
    let joined = said(&mut one_log, "the log of Redis is read");
    assert_eq!(joined["context"]["redis"], format!("redis://127.0.0.1:{port}/2"));
    assert_eq!(said(&mut one_log, "no append-only file")["level"], "warn");
    let client = reqwest::Client::new();
    assert_eq!(soon(publish(&client, &here, &[event("a")])).await.unwrap().status(), 200);
    let mut got = String::new();
    until(async || {
        let url = format!("{there}/api/v1/events?after=earliest");
        got = client.get(url).send().await.unwrap().text().await.unwrap();
        got.contains("does a")
    })
    .await;
    // Somebody empties it.
    let operator = redis::Client::open(url.as_str()).unwrap();
    redis::cmd("FLUSHALL").query::<()>(&mut operator.get_connection().unwrap()).unwrap();
    let line = said(&mut one_log, "this history cannot be continued");
    assert_eq!(
        (&line["level"], &line["context"]["why"]),
        (&"error".into(), &"Redis is empty, and held a history".into())
    );
    let ended = tokio::task::spawn_blocking(move || (one.0.wait().unwrap().code(), other.0.wait().unwrap().code()));
    assert_eq!(soon(ended).await.unwrap(), (Some(1), Some(1)), "so that a supervisor starts them again");
}
