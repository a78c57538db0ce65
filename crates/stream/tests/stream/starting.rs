//! The program: its flags, its first line, its end.

use crate::harness::{TOKEN, event};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Output, Stdio},
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MONKEYTOWN_")) {
        program.env_remove(name);
    }
    program
}

/// What a start that must fail says, and that it says it in one line.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

#[test]
fn what_an_operator_must_mend_is_one_line_and_exit_2() {
    for (arguments, told) in [
        (vec!["--no-such-flag"], "--no-such-flag"),
        (vec!["--max-subscribers", "0"], "--max-subscribers"),
        (vec!["--ring-bytes", "lots"], "--ring-bytes"),
        (vec!["--allow-origin", "null"], "--allow-origin"),
        (vec!["--framed-by", "*"], "--framed-by"),
        (vec!["--simulate"], "--simulate"),
        (vec!["--git-speed=-1"], "--git-speed"),
        (vec!["stray"], "stray"),
    ] {
        let text = complaint(&program().args(&arguments).env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN).output().unwrap());
        assert!(text.contains(told), "{arguments:?}: {text}");
    }
    let nothing = complaint(&program().output().unwrap());
    assert!(nothing.contains("--git") && nothing.contains("MONKEYTOWN_PUBLISH_TOKENS"), "{nothing}");
    for (name, value) in [
        ("MONKEYTOWN_PUBLISH_TOKENS", "a,,b"),
        ("MONKEYTOWN_PUBLISH_TOKENS", ""),
        ("MONKEYTOWN_PUBLISH_TOKENS", "a,b,a"),
        ("MONKEYTOWN_PUBLISH_TOKENS_FILE", "/no/tokens.toml"),
        ("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", ""),
        ("MONKEYTOWN_REDIS", "http://x"),
        ("MONKEYTOWN_REDIS", "rediss://x"),
        ("MONKEYTOWN_FLEET", "/no/fleet.toml"),
        ("MONKEYTOWN_MAX_PER_ADDRESS", "-3"),
        ("MONKEYTOWN_TRUST_PROXY", "0.0.0.0/0"),
        ("MONKEYTOWN_TRUST_PROXY", "10.0.0.1,nginx"),
    ] {
        let text = complaint(&program().env(name, value).arg("--listen=127.0.0.1:0").output().unwrap());
        let flag = format!("--{}", name.trim_start_matches("MONKEYTOWN_").to_lowercase().replace('_', "-"));
        assert!(text.contains(name) || text.contains(&flag), "{name}: {text}");
    }
}

#[test]
fn an_address_or_a_page_that_cannot_be_had_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let with_token = || {
        let mut program = program();
        program.env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN);
        program
    };
    let text = complaint(&with_token().args(["--listen", &address]).output().unwrap());
    assert!(text.contains(&address) && text.contains("--listen"), "{text}");
    let text = complaint(&with_token().args(["--listen", "nowhere"]).output().unwrap());
    assert!(text.contains("nowhere"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let text = complaint(&with_token().arg("--site").arg(folder.path()).output().unwrap());
    assert!(text.contains("--site"), "{text}");
}

#[tokio::test]
async fn the_first_line_names_the_address_and_sigterm_ends_with_0() {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--log-level", "error"])
        .env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let line: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&line["service"], &line["level"]), (&"event-stream".into(), &"info".into()));
    let address = line["context"]["address"].as_str().unwrap();
    assert!(!address.ends_with(":0"));
    let client = reqwest::Client::new();
    let request = client.post(format!("http://{address}/api/v1/events")).bearer_auth(TOKEN);
    let request = request.header("content-type", crate::harness::STRUCTURED).body(event("1").to_string());
    assert_eq!(request.send().await.unwrap().status(), 200);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_webhook_secret_alone_is_source_enough_and_goes_with_a_domain_map() {
    let folder = tempfile::tempdir().unwrap();
    let map = folder.path().join("domains.toml");
    std::fs::write(&map, "[[agent]]\nid = \"builder\"\nworkflows = [\"build\"]").unwrap();
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--log-level", "error", "--domains"])
        .arg(&map)
        .env("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", "open sesame")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let line: Value = serde_json::from_str(&first).unwrap();
    let address = line["context"]["address"].as_str().unwrap();
    let asked = reqwest::Client::new().post(format!("http://{address}/hooks/github")).send().await.unwrap();
    assert_eq!(asked.status(), 401);
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test]
async fn a_page_elsewhere_that_is_refused_is_told_once_with_the_flag_and_without_what_it_asked_for() {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--allow-origin", "https://page.example"])
        .env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    let line: Value = serde_json::from_str(&first).unwrap();
    let address = line["context"]["address"].as_str().unwrap();
    let client = reqwest::Client::new();
    for origin in ["https://other.example", "https://other.example", "null", "https://x.example/?key=secret"] {
        let url = format!("http://{address}/api/v1/events?agents=secret");
        let asked = client.get(url).header("accept", "text/event-stream").header("origin", origin);
        let asked = asked.header("authorization", "Bearer secret");
        assert_eq!(asked.send().await.unwrap().status(), 403, "{origin}");
    }
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let (log, _) =
        tokio::task::spawn_blocking(move || (std::io::read_to_string(output).unwrap(), child.wait().unwrap()))
            .await
            .unwrap();
    assert!(!log.contains("secret"), "{log}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&Value> = lines.iter().filter(|line| line["level"] == "warn").collect();
    assert_eq!(told.len(), 2, "{log}");
    assert_eq!(told[0]["context"]["origin"], "https://other.example");
    assert_eq!(told[0]["context"]["flag"], "--allow-origin");
    assert!(told[1]["message"].as_str().unwrap().contains("cannot be allowed"), "{log}");
}

/// The lines of a program's log.
fn log_lines(output: impl std::io::Read) -> impl Iterator<Item = Value> {
    BufReader::new(output).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_read_again_on_sighup_and_the_log_knows_them_by_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let digest = |token: &str| Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let table = |name: &str, token: &str, rest: &str| {
        format!("[[token]]\nname = \"{name}\"\nsha256 = \"{}\"\n{rest}\n", digest(token))
    };
    let past = "expires = 2020-01-01T00:00:00Z";
    std::fs::write(&file, table("old-one", "t-old", "") + &table("past-one", "t-past", past)).unwrap();
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--log-level", "debug"])
        .env("MONKEYTOWN_PUBLISH_TOKENS_FILE", &file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = log_lines(child.stdout.take().unwrap());
    let address = log.next().unwrap()["context"]["address"].as_str().unwrap().to_owned();
    let id = child.id().to_string();
    let signal = |name: &str| assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    let publish = |token: &'static str, query: &'static str| {
        let request = reqwest::Client::new().post(format!("http://{address}/api/v1/events{query}")).bearer_auth(token);
        let request = request.header("content-type", crate::harness::STRUCTURED).body(event("1").to_string());
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let mut lines = Vec::new();
    let mut until = |said: &str, lines: &mut Vec<Value>| {
        for line in log.by_ref() {
            let found = line["message"].as_str().unwrap().contains(said);
            lines.push(line);
            if found {
                return;
            }
        }
        panic!("the log never says {said:?}");
    };
    assert_eq!((publish("t-old", "").await, publish("t-new", "").await, publish("t-past", "").await), (200, 401, 401));
    assert_eq!(publish("t-past", "").await, 401);
    assert_eq!(publish("t-old", "?access_token=t-old").await, 400);
    std::fs::write(&file, table("new-one", "t-new", "")).unwrap();
    signal("-HUP");
    until("read again", &mut lines);
    while publish("t-old", "").await == 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!((publish("t-old", "").await, publish("t-new", "").await), (401, 200));
    std::fs::write(&file, "[[token]]\nnam = \"x\"").unwrap();
    signal("-HUP");
    until("stay as they were", &mut lines);
    assert!(lines.last().unwrap().to_string().contains("did you mean `name`"));
    assert_eq!(publish("t-new", "").await, 200);
    signal("-TERM");
    until("drained", &mut lines);
    assert_eq!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code(), Some(0));
    let all = Value::from(lines).to_string();
    for secret in ["t-old", "t-new", "t-past"] {
        assert!(!all.contains(secret) && !all.contains(&digest(secret)), "{all}");
    }
    assert!(all.contains("old-one") && all.contains("new-one"), "{all}");
    assert_eq!(all.matches("whose time is over, and is refused").count(), 1, "told once: {all}");
}

#[test]
fn what_is_wrong_in_a_file_of_tokens_is_one_line_with_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    std::fs::write(&file, "[[token]]\nname = \"a\"\nsha265 = \"x\"").unwrap();
    let text = complaint(&program().env("MONKEYTOWN_PUBLISH_TOKENS_FILE", &file).output().unwrap());
    assert!(text.contains("tokens.toml:3: unknown key `sha265`: did you mean `sha256`?"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn log_lines_of_requests_connections_and_events_carry_their_traces() {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--log-level", "debug"])
        .env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = log_lines(child.stdout.take().unwrap());
    let address = log.next().unwrap()["context"]["address"].as_str().unwrap().to_owned();
    let parent = |digit: &str| format!("00-{}-{}-01", digit.repeat(32), digit.repeat(16));
    let publish = |token: &'static str, trace: String, event: Value| {
        let request = reqwest::Client::new().post(format!("http://{address}/api/v1/events")).bearer_auth(token);
        let request = request.header("content-type", crate::harness::STRUCTURED).header("traceparent", trace);
        let request = request.body(event.to_string());
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let mut traced = event("1");
    traced["traceparent"] = parent("b").into();
    assert_eq!(publish(TOKEN, parent("a"), traced).await, 200);
    assert_eq!(publish("wrong", parent("c"), event("2")).await, 401);
    assert_eq!(publish("wrong", "\u{9b}31m\",\"level\":\"x".into(), event("2")).await, 401);
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    request.headers_mut().insert("traceparent", parent("d").parse().unwrap());
    let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
    drop(socket);
    let source = reqwest::Client::new().get(format!("http://{address}/api/v1/events"));
    let source = source.header("accept", "text/event-stream").header("traceparent", parent("e")).send().await.unwrap();
    drop(source);
    let mut found: Vec<(String, String)> = Vec::new();
    while found.iter().filter(|(message, _)| message == "a subscriber goes").count() < 2 {
        let line = log.next().unwrap();
        if let Some(trace) = line["trace_id"].as_str() {
            assert_eq!(line["span_id"].as_str().unwrap(), trace.get(..16).unwrap());
            found.push((line["message"].as_str().unwrap().to_owned(), trace.chars().take(1).collect()));
        }
    }
    found.sort();
    found.dedup();
    let told = [
        ("a publisher is refused", "c"),
        ("a subscriber comes", "d"),
        ("a subscriber comes", "e"),
        ("a subscriber goes", "d"),
        ("a subscriber goes", "e"),
        ("an event is taken", "b"),
        ("events are taken", "a"),
    ];
    assert_eq!(found, told.map(|(message, trace)| (message.to_owned(), trace.to_owned())));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bound_of_an_address_and_the_proxies_are_taken_from_the_flags() {
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--max-per-address", "1", "--trust-proxy", "::1,127.0.0.0/8"])
        .env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = log_lines(child.stdout.take().unwrap());
    let address = log.next().unwrap()["context"]["address"].as_str().unwrap().to_owned();
    let subscribe = |client: &'static str| {
        let request = reqwest::Client::new().get(format!("http://{address}/api/v1/events"));
        let request = request.header("accept", "text/event-stream").header("x-forwarded-for", client);
        async move { request.send().await.unwrap() }
    };
    let (first, again, other) =
        (subscribe("203.0.113.9").await, subscribe("203.0.113.9").await, subscribe("203.0.113.10").await);
    assert_eq!((first.status().as_u16(), again.status().as_u16(), other.status().as_u16()), (200, 429, 200));
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    drop((first, other));
    assert_eq!(tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap().code(), Some(0));
}
