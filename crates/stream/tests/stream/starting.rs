//! The program: its flags, its first line, its end.

use crate::harness::{TOKEN, event};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Command, Output, Stdio},
};

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
        (vec!["--simulate"], "--simulate"),
        (vec!["--git-speed=-1"], "--git-speed"),
        (vec!["--journal", "x"], "--journal"),
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
        ("MONKEYTOWN_PUBLISH_TOKENS_FILE", "/tokens.toml"),
        ("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", ""),
        ("MONKEYTOWN_JOURNAL", "/journal"),
        ("MONKEYTOWN_REDIS", "redis://x"),
        ("MONKEYTOWN_FLEET", "/fleet.toml"),
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
