//! What `docs/events.md` and the README tell of publishing is what the stream takes: their commands are run, and each
//! line of the tables is held against it.

use crate::harness::{ROOMY, STRUCTURED, Stream, soon};
use monkeytown_protocol::EventType;
use monkeytown_stream::{Options, Tokens};
use serde_json::{Map, Value, json};
use std::process::Command;

const EVENTS: &str = include_str!("../../../../docs/events.md");
const README: &str = include_str!("../../../../README.md");
/// The token that the documents use.
const SECRET: &str = "choose-a-secret";

async fn stream() -> Stream {
    Stream::with(ROOMY, Options { tokens: Tokens::read(SECRET).unwrap(), ..Options::default() }).await
}

/// The commands of a document that publish.
fn commands(document: &'static str) -> Vec<&'static str> {
    let blocks = document.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    blocks.filter(|block| block.starts_with("curl ") && block.contains("-d '")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_documents_publishes_what_it_says() {
    for (name, document, least) in [("README.md", README, 1), ("docs/events.md", EVENTS, 6)] {
        let stream = stream().await;
        let commands = commands(document);
        assert!(commands.len() >= least, "{name} has {} commands", commands.len());
        for command in commands {
            let here = command.replacen("curl ", "curl --silent --show-error ", 1);
            let here = here.replace("http://127.0.0.1:8080", &stream.url(""));
            let run = move || Command::new("sh").args(["-c", &here]).output().expect("a shell");
            let output = tokio::task::spawn_blocking(run).await.unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
            let receipt: Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{command}\n{said}: {why}"));
            assert_eq!(receipt["duplicates"], 0, "{command}\n{said}");
            let told = command.matches("monkeytown.").count();
            assert_eq!(receipt["offsets"].as_array().map(Vec::len), Some(told), "{command}\n{said}");
        }
        let snapshot: Value = stream.get("/api/v1/snapshot").await.json().await.unwrap();
        assert!(snapshot["state"].to_string().contains("reviewer"), "{name}: {snapshot}");
    }
}

/// The rows of the first table under `## heading`, cell by cell.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = EVENTS.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().skip_while(|line| !line.starts_with("| --- ")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The words in backticks of a cell.
fn named(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A sound value of a field.
fn sample(kind: &str, field: &str) -> Value {
    let family = kind.trim_start_matches("monkeytown.");
    match (family, field) {
        (_, "kind") if family.starts_with("flow.") => json!("signal"),
        ("flow.created" | "seed.planted", "status") => json!("pending"),
        ("seed.discovery" | "seed.progress", "status") => json!("growing"),
        ("flow.complete" | "seed.complete", "status") => json!("complete"),
        ("flow.failed" | "seed.failed", "status") => json!("error"),
        (_, "status") => json!("active"),
        (_, "kind") => json!("agent"),
        (_, "type") => json!("query"),
        (_, "severity") => json!("warning"),
        (_, "level") => json!("warn"),
        (_, "health") => json!("stressed"),
        (_, "resolved") => json!(true),
        (_, "progress" | "load") => json!(0.5),
        (_, "active_agents" | "pending_flows" | "contracts_settled") => json!(3),
        (_, "url" | "result") => json!("https://example.org/42"),
        (_, "metrics") => json!({"efficiency": 0.9, "load": 0.5, "connections": 3}),
        (_, "domain") => json!({"path": "src/", "files": 12}),
        (_, "files") => json!(["src/fold.rs"]),
        _ => json!("some-text"),
    }
}

async fn publish(stream: &Stream, kind: &str, data: &Map<String, Value>) -> (u16, Value) {
    let id = stream.log.head().map_or(0, |head| head.0 + 1);
    let event = json!({"specversion": "1.0", "id": id.to_string(), "source": "/tables", "type": kind, "data": data});
    let request = reqwest::Client::new().post(stream.url("/api/v1/events")).bearer_auth(SECRET);
    let answer = soon(request.header("content-type", STRUCTURED).body(event.to_string()).send()).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_tables_of_types_and_fields_are_what_the_stream_takes_and_refuses() {
    let stream = stream().await;
    let types = table("The types");
    let told: Vec<&str> = types.iter().map(|row| named(row[0])[0]).collect();
    let known: Vec<&str> = EventType::known().iter().map(|(_, name)| *name).collect();
    assert_eq!(told, known, "one line for each type, in order");
    for row in &types {
        let (kind, needed) = (named(row[0])[0], named(row[1]));
        let family = match kind.split('.').nth(1).unwrap() {
            "entity" => "Fields of an entity".to_owned(),
            "flow" => "Fields of a flow".to_owned(),
            "seed" => "Fields of a seed".to_owned(),
            _ => format!("Fields of {}", kind.trim_start_matches("monkeytown.")),
        };
        let fields: Vec<&str> = table(&family).iter().map(|row| named(row[0])[0]).collect();
        assert!(needed.iter().all(|field| fields.contains(field)), "{kind}: {needed:?} in {fields:?}");
        let whole: Map<String, Value> = fields.iter().map(|field| ((*field).to_owned(), sample(kind, field))).collect();
        let least: Map<String, Value> =
            whole.clone().into_iter().filter(|(field, _)| needed.contains(&field.as_str())).collect();
        for data in [&whole, &least] {
            let (status, answer) = publish(&stream, kind, data).await;
            assert_eq!(status, 200, "{kind} {data:?}: {answer}");
        }
        for field in &fields {
            // A field that nobody reads would be passed over, whatever is in it.
            let mut wrong = whole.clone();
            wrong.insert((*field).to_owned(), json!([[]]));
            let (status, answer) = publish(&stream, kind, &wrong).await;
            assert_eq!(status, 422, "{kind} with a wrong {field}: {answer}");
        }
        for field in &needed {
            let mut without = whole.clone();
            without.remove(*field);
            let (status, answer) = publish(&stream, kind, &without).await;
            assert!(status == 422 && answer.to_string().contains(field), "{kind} without {field}: {status} {answer}");
        }
    }
}

#[test]
fn every_field_that_an_event_may_have_is_in_the_tables() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/golden/events");
    for entry in std::fs::read_dir(golden).unwrap() {
        let event: Value = serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let kind = event["type"].as_str().unwrap();
        if !EventType::known().iter().any(|(_, name)| *name == kind) {
            continue;
        }
        let of = match kind.split('.').nth(1).unwrap() {
            "entity" => "an entity",
            "flow" => "a flow",
            "seed" => "a seed",
            _ => kind.trim_start_matches("monkeytown."),
        };
        let fields: Vec<&str> = table(&format!("Fields of {of}")).iter().map(|row| named(row[0])[0]).collect();
        for field in event["data"].as_object().unwrap().keys() {
            assert!(fields.contains(&field.as_str()), "{kind} has {field}, which docs/events.md does not tell");
        }
    }
}
