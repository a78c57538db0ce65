//! A run, told to a real stream.

use crate::runner::Job;
use monkeytown_tests::{
    program::Running,
    repository::Repository,
    stream::{Source, Stream, TOKEN},
    wait::PATIENCE,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, fs};

async fn asked(url: String) -> String {
    let answer = reqwest::Client::new().get(url).timeout(PATIENCE).send().await.expect("an answer");
    answer.text().await.expect("a body")
}

async fn told(stream: &Stream) -> Vec<Value> {
    let text = asked(stream.url("/api/v1/events?after=earliest&limit=10000")).await;
    serde_json::from_str(&text).expect("a list of events")
}

/// What the events say of an entity, the last word on each field. The snapshot says the same a moment later.
async fn agent(stream: &Stream, id: &str) -> Value {
    let mut known = Map::new();
    for event in told(stream).await {
        let data = event.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
        if field(&event, "/type").starts_with("monkeytown.entity.") && data.get("id") == Some(&json!(id)) {
            known.extend(data);
        }
    }
    assert!(!known.is_empty(), "nothing is told of {id}");
    Value::Object(known)
}

fn field<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_told_from_its_start_to_its_end() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    job.set("PUBLISH_STATUS", "started");
    job.set("PUBLISH_ACTIVITY", "drawing the architecture");
    let begun = job.publish();
    assert_eq!((begun.output("published"), begun.output("left-out")), ("1", "0"), "{}", begun.log);
    let working = agent(&stream, "Chaos Architect").await;
    assert_eq!((field(&working, "/status"), field(&working, "/activity")), ("processing", "drawing the architecture"));
    assert_eq!(field(&working, "/url"), "https://github.com/owner/name/actions/runs/4711");
    let variables = job.variables();
    assert!(variables.contains(&("MONKEYTOWN_EVENTS".to_owned(), job.events().display().to_string())), "{variables:?}");

    let line = json!({"type": "monkeytown.log.line",
        "data": {"entity": "Chaos Architect", "level": "info", "message": "read 12 files"}});
    fs::write(job.events(), format!("{line}\n\n{line}\n")).expect("the run writes");
    job.set("PUBLISH_STATUS", "success");
    job.set("PUBLISH_ACTIVITY", "");
    job.set("PUBLISH_API_CALLS", "37");
    job.set("PUBLISH_OUTPUTS", &job.events().display().to_string());
    let ended = job.publish();
    assert_eq!((ended.output("published"), ended.output("left-out")), ("5", "0"), "{}", ended.log);
    let size = fs::metadata(job.events()).expect("it is there").len().to_string();
    assert_eq!((ended.output("output-bytes"), ended.output("api-calls")), (size.as_str(), "37"));
    assert_eq!(ended.warnings(), Vec::<&str>::new());

    let resting = agent(&stream, "Chaos Architect").await;
    assert_eq!((field(&resting, "/status"), field(&resting, "/activity")), ("idle", "Chaos Architect #12"));
    let metrics = asked(stream.url("/metrics")).await;
    for line in [
        format!("agent_outputs_size_bytes_sum{{agent_type=\"Chaos Architect\"}} {size}"),
        "agent_api_calls_total{agent_type=\"Chaos Architect\"} 37".to_owned(),
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }

    // One trace, from the first event to the commit.
    let traces: BTreeSet<String> =
        told(&stream).await.iter().map(|event| field(event, "/traceparent").to_owned()).collect();
    assert_eq!(traces, BTreeSet::from([ended.output("traceparent").to_owned()]));
    assert_eq!(ended.output("trace-id"), ended.output("traceparent").split('-').nth(1).expect("a trace"));
    assert_eq!(ended.output("trailer"), format!("Trace-Id: {}", ended.output("trace-id")));
    let repository = Repository::new();
    repository.git(0, &["commit", "--allow-empty", "--quiet", "-m", "told", "--trailer", ended.output("trailer")]);
    let trailers = repository.git(0, &["log", "-1", "--format=%(trailers:key=Trace-Id,valueonly)"]);
    assert_eq!(trailers, ended.output("trace-id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_told_again_adds_nothing_and_another_is_another() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    job.set("PUBLISH_API_CALLS", "1");
    for _ in 0..2 {
        assert_eq!(job.publish().output("published"), "3");
        assert_eq!(stream.accepted(), 3);
    }
    // Another attempt, another job of it, one of a matrix, another agent of the same job.
    let others = [("GITHUB_RUN_ATTEMPT", "2"), ("GITHUB_JOB", "b"), ("PUBLISH_JOB_INDEX", "1"), ("PUBLISH_AGENT", "b")];
    for (number, (name, value)) in others.into_iter().enumerate() {
        job.set(name, value);
        job.publish();
        assert_eq!(stream.accepted(), 6 + 3 * u64::try_from(number).expect("a few"), "{name}");
    }
    assert!(asked(stream.url("/metrics")).await.contains("agent_api_calls_total{agent_type=\"Chaos Architect\"} 4\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_breaks_says_why() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    for (status, reason, told) in
        [("failure", "", "failed"), ("cancelled", "", "cancelled"), ("failure", "no tests pass", "no tests pass")]
    {
        job.set("GITHUB_RUN_ID", told);
        job.set("PUBLISH_STATUS", status);
        job.set("PUBLISH_REASON", reason);
        assert_eq!(job.publish().output("published"), "1");
        let broken = agent(&stream, "Chaos Architect").await;
        assert_eq!((field(&broken, "/status"), field(&broken, "/reason")), ("error", told));
    }
    job.set("PUBLISH_STATUS", "started");
    job.publish();
    let working = agent(&stream, "Chaos Architect").await;
    assert_eq!((field(&working, "/status"), working.get("reason").and_then(Value::as_str)), ("processing", None));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_go_in_batches_in_their_order() {
    let stream = Stream::start(Source::Publishers).await;
    let mut job = Job::new(&stream.url(""), TOKEN);
    job.set("PUBLISH_STATUS", "running");
    let padding = "x".repeat(1_000);
    let line = |number: usize| json!({"type": "org.example.step", "data": {"number": number, "padding": padding}});
    let lines: Vec<String> = (0..3_000).map(|number| line(number).to_string()).collect();
    fs::write(job.events(), lines.join("\n")).expect("the run writes");
    let step = job.publish();
    assert_eq!((step.output("published"), step.output("left-out")), ("3000", "0"), "{}", step.log);
    let told = told(&stream).await;
    let numbers = told.iter().filter_map(|event| event.pointer("/data/number")?.as_u64());
    assert!(numbers.eq(0..3_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_wrote_is_what_differs_from_where_it_began() {
    let stream = Stream::start(Source::Publishers).await;
    let repository = Repository::new();
    let files = [("kept", "as it was"), ("changed", "short"), ("gone", "lost"), (".gitignore", "built\n")];
    let began = repository.commit(0, "begin", &files);
    repository.commit(1, "the agent's", &[("committed", "1234567"), ("a \"name\"\nof two lines", "123")]);
    let write = |path: &str, text: &str| fs::write(repository.path().join(path), text).expect("it is written");
    write("changed", "not so short");
    write("new", "12345");
    write("built", "ignored, as it says");
    fs::remove_file(repository.path().join("gone")).expect("it was there");
    std::os::unix::fs::symlink("/usr", repository.path().join("link")).expect("a link");
    let mut job = Job::new(&stream.url(""), TOKEN);
    job.set("GITHUB_WORKSPACE", &repository.path().display().to_string());
    job.set("GITHUB_SHA", &began);
    let step = job.publish();
    // `changed`, `committed`, the one of two lines, `new`; a link is none of what was written.
    assert_eq!(step.output("output-bytes"), (12 + 7 + 3 + 5).to_string(), "{}", step.log);
    job.set("GITHUB_SHA", &"0".repeat(40));
    let step = job.publish();
    assert_eq!(step.output("output-bytes"), "", "a commit that is not there: nothing is known");
    assert_eq!(step.warnings(), Vec::<&str>::new());
    job.set("PUBLISH_OUTPUTS", "kept\nno/such/file\n.\n");
    let whole: u64 = step_size(&job);
    assert!(whole > 9 + 12, "a folder is all that is in it: {whole}");
}

fn step_size(job: &Job) -> u64 {
    job.publish().output("output-bytes").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_stream_refuses_what_is_too_large_and_takes_the_rest() {
    let stream = Running::start(&["--max-event-bytes", "1024"]);
    let mut job = Job::new(&format!("http://{}", stream.address), TOKEN);
    job.set("PUBLISH_STATUS", "running");
    let line = |text: &str| json!({"type": "org.example.step", "data": {"text": text}}).to_string();
    let lines = [line("first"), line(&"x".repeat(2_000)), line("third"), line(&"y".repeat(2_000)), line("last")];
    fs::write(job.events(), lines.join("\n")).expect("the run writes");
    let step = job.publish();
    assert_eq!((step.output("published"), step.output("left-out")), ("3", "2"), "{}", step.log);
    step.warns("line 2: it is too large for the stream (413)");
    step.warns("line 4: it is too large for the stream (413)");
}
