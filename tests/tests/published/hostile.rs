//! What a run may hand to the action: names, files and tokens of any kind. Nothing fails the run, nothing is a command.

use crate::runner::Job;
use monkeytown_tests::{
    stream::{Source, Stream, TOKEN},
    wait::PATIENCE,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::symlink, process::Command};

async fn told(stream: &Stream) -> Vec<Value> {
    let url = stream.url("/api/v1/events?after=earliest&limit=10000");
    let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
    answer.json().await.expect("a list of events")
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_any_kind_are_told_as_text() {
    let stream = Stream::start(Source::Publishers).await;
    let long = "ä\"\\'`$(touch here)`".repeat(4_000);
    for (number, name) in [
        "it's a \"name\" \\ with $(everything) `in` it",
        "two\nlines\r\n::error::and a command",
        "%0A::error::%25",
        "\u{1b}[31mred\u{7}\u{202e}",
        "日本語 🐒",
        long.as_str(),
    ]
    .into_iter()
    .enumerate()
    {
        let mut job = Job::new(&stream.url(""), TOKEN);
        job.set("GITHUB_RUN_ID", &number.to_string());
        for input in ["AGENT", "LABEL", "ACTIVITY", "REASON", "SOURCE"] {
            job.set(&format!("PUBLISH_{input}"), name);
        }
        job.set("PUBLISH_STATUS", "failure");
        let step = job.publish();
        assert_eq!((step.output("published"), step.output("left-out")), ("1", "0"), "{name:.60}: {}", step.log);
        assert!(!step.log.lines().any(|line| line.starts_with("::")), "{}", step.log);
        assert!(!job.workspace().join("here").exists() && !job.events().with_file_name("here").exists());
    }
    let told = told(&stream).await;
    let labels: Vec<&str> = told.iter().filter_map(|event| event.pointer("/data/label")?.as_str()).collect();
    assert_eq!(labels.len(), 6);
    assert_eq!(labels[0], "it's a \"name\" \\ with $(everything) `in` it");
    assert_eq!(labels[4], "日本語 🐒");
    assert!(labels[5].len() <= 2_048 && labels[5].ends_with('…'), "{}", labels[5].len());
}

#[test]
fn an_input_that_no_process_can_be_given_fails_no_run() {
    // A megabyte is more than a variable can hold; the runner's own step ends there, and the action says that it may.
    let refused = Command::new("/bin/bash").arg("-c").arg(":").env("PUBLISH_LABEL", "x".repeat(1 << 20)).status();
    assert!(refused.is_err() || cfg!(target_os = "macos"));
    let action = fs::read_to_string(crate::runner::file("deploy/github-action/action.yml")).expect("the action");
    assert!(action.contains("\n      continue-on-error: true\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_none_are_left_out_by_line_and_the_rest_is_told() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    job.set("PUBLISH_STATUS", "running");
    let step = |text: &str| json!({"type": "org.example.step", "data": text}).to_string();
    let log = |data: Value| json!({"type": "monkeytown.log.line", "data": data}).to_string();
    let lines = [
        step("first"),
        "no json".to_owned(),
        step(&"x".repeat(1 << 20)),
        log(json!({"entity": "a"})),
        "[]".to_owned(),
        "null".to_owned(),
        r#"{"type": "org.example.step", "data": "\ud800"}"#.to_owned(),
        json!({"type": 7}).to_string(),
        json!({"type": "org.example.step", "source": "/another", "id": "its-own"}).to_string(),
        format!("{{\"type\": \"org.example.step\", \"data\": {}{}}}", "[".repeat(3_000), "]".repeat(3_000)),
        step("last"),
    ];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.extend_from_slice(b"\n\xff\xfe\n\0\n");
    fs::write(job.events(), bytes).expect("the run writes");
    let done = job.publish();
    assert_eq!((done.output("published"), done.output("left-out")), ("3", "10"), "{}", done.log);
    for line in [2, 3, 4, 5, 6, 7, 8, 10] {
        assert!(done.log.contains(&format!("line {line}")), "line {line}: {}", done.log);
    }
    let told = told(&stream).await;
    let data: Vec<_> = told.iter().map(|event| event.get("data").and_then(Value::as_str)).collect();
    assert_eq!(data, [Some("first"), None, Some("last")]);
    assert_eq!(told[1]["source"], "/another");
    assert!(done.warnings().len() <= 10, "GitHub shows ten: {}", done.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_events_that_is_none_is_passed_over() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    let events = job.events();
    let pipe = Command::new("mkfifo").arg(&events).status().expect("mkfifo");
    assert!(pipe.success());
    let step = job.publish();
    assert_eq!(step.output("published"), "2", "{}", step.log);
    step.warns("the run's own events cannot be read");
    fs::remove_file(&events).expect("it is there");
    fs::create_dir(&events).expect("a folder");
    job.publish().warns("the run's own events cannot be read");
    fs::remove_dir(&events).expect("it is there");
    fs::write(&events, "x".repeat(9 << 20)).expect("a file");
    job.publish().warns("the run's own events cannot be read (over 8388608 bytes)");
    fs::remove_file(&events).expect("it is there");
    symlink("/dev/zero", &events).expect("a link");
    job.publish().warns("the run's own events cannot be read");
    fs::remove_file(&events).expect("it is there");
    fs::write(&events, "{}\n".repeat(10_005)).expect("a file");
    job.set("PUBLISH_STATUS", "running");
    job.set("PUBLISH_SECONDS", "3");
    job.publish().warns("what follows the first 10000 events of the run");
}

#[test]
fn a_token_that_no_header_can_carry_is_never_said() {
    for token in ["", "a b", "secret\nline", "secret\u{7}", "sécret", &"x".repeat(5_000)] {
        let step = Job::new("https://127.0.0.1:1", token).publish();
        step.warns("token");
        assert!(token.is_empty() || !step.log.contains(token), "{}", step.log);
        assert_eq!(step.output("published"), "0");
    }
}

#[test]
fn a_runner_without_node_is_told_so() {
    let folder = tempfile::tempdir().expect("a folder");
    symlink("/usr/bin/dirname", folder.path().join("dirname")).expect("a link");
    let job = Job::new("https://127.0.0.1:1", TOKEN);
    let step = job.publish_on(folder.path().to_str().expect("text"));
    step.warns("this runner has no Node");
}

#[test]
fn inputs_that_say_nothing_are_told_and_fail_nothing() {
    let mut job = Job::new("https://127.0.0.1:1", TOKEN);
    job.set("PUBLISH_SECONDS", "NaN");
    job.set("PUBLISH_STATUS", "in progress");
    job.set("PUBLISH_API_CALLS", "a lot");
    job.set("PUBLISH_TRACEPARENT", "00-0-0-00");
    let step = job.publish();
    step.warns("api-calls is no number");
    step.warns("traceparent is no W3C trace context");
    step.warns("status is `in progress`");
    assert_eq!(step.output("published"), "0");
    assert_eq!(step.output("trace-id").len(), 32);
}
