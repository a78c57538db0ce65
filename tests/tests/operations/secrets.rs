//! What `deploy/compose/make-secrets.sh` writes is taken by those who read it: the stream by its image's start script, and
//! Redis, in which each user may do what is theirs and nothing else.

use crate::{
    compose,
    process::Process,
    readers::compose_folder,
    redis::Redis,
    tools::{deploy, text},
};
use monkeytown_tests::{program, repository::Repository, stream, wait::PATIENCE};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// Has the script write into `folder`; what it says.
pub(crate) fn make(folder: &Path) -> String {
    let mut script = Command::new(compose_folder().join("make-secrets.sh"));
    script.arg(folder).env_remove("SLACK_URL").env_remove("PAGERDUTY_KEY");
    crate::readers::output(script)
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).expect("the folder").map(|file| file.expect("a file"));
    files.map(|file| (file.file_name().display().to_string(), fs::read_to_string(file.path()).expect("text"))).collect()
}

/// The image's start script, which becomes the stream that was built.
fn started(variables: &[(String, String)]) -> Process {
    let stream = program::stream();
    let beside = Path::new(stream.get_program()).parent().expect("a folder").to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(beside).chain(std::env::split_paths(&path))).expect("a PATH");
    let mut command = Command::new("sh");
    command.arg(deploy().join("docker/stream/start.sh")).env_clear().env("PATH", path);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    Process::start(&mut command).expect("the start script becomes the stream")
}

#[test]
fn secrets_are_made_once_each_another_and_open_to_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let said = make(&first);
    make(&second);
    let made = files(&first);
    let mode = |path: &Path| path.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&first), 0o700);
    for (name, text) in &made {
        assert_eq!(mode(&first.join(name)), 0o444, "{name}: a container reads it as somebody else");
        if ["slack_url", "pagerduty_key"].contains(&name.as_str()) {
            assert!(text.is_empty() && said.contains(&format!("/{name}")), "{said}");
        } else {
            assert_ne!(files(&second).get(name), Some(text), "{name} is the same twice");
        }
    }
    let again = make(&first);
    assert_eq!(files(&first), made, "what is there is kept");
    assert!(again.is_empty(), "{again}");
    // What is put into a repository by mistake is found here.
    assert!(text(".gitignore").lines().any(|line| line == "/deploy/compose/secrets"));
}

/// What an environment gives its stream, its paths turned to files that are here.
fn here(
    mut variables: Vec<(String, String)>,
    secrets: &Path,
    git: &Path,
    redis: Option<&Redis>,
) -> Vec<(String, String)> {
    for (name, value) in &mut variables {
        match name.as_str() {
            "MONKEYTOWN_GIT" => *value = git.display().to_string(),
            "MONKEYTOWN_PUBLISH_TOKENS_FILE" => *value = secrets.join("publish_tokens.toml").display().to_string(),
            "MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE" => *value = secrets.join("webhook_secret").display().to_string(),
            "MONKEYTOWN_REDIS_FILE" => {
                let redis = redis.expect("an environment with Redis");
                let url = fs::read_to_string(secrets.join("redis_url")).expect("text");
                let file = secrets.join("redis_url_here");
                assert_eq!(url.matches("@redis:6379/").count(), 1);
                fs::write(&file, url.replace("redis:6379/", &format!("{}/", redis.address()))).expect("it is written");
                *value = file.display().to_string();
            }
            _ => {}
        }
    }
    variables.push(("MONKEYTOWN_LISTEN".into(), "127.0.0.1:0".into()));
    variables
}

async fn publish(stream: &Process, token: &str, id: &str) -> u16 {
    let event = monkeytown_tests::events::works(id, "ada", "begins");
    let request = reqwest::Client::new().post(stream.url("/api/v1/events")).timeout(PATIENCE).bearer_auth(token);
    let request = request.header("content-type", stream::STRUCTURED).body(event.to_string());
    request.send().await.expect("an answer").status().as_u16()
}

async fn delivers(stream: &Process, secret: &str) -> u16 {
    let payload = json!({"zen": "Keep it logically awesome.", "hook_id": 1});
    stream::delivered(&stream.url(""), secret, "ping", "72d3162e-cc78-11e3-81ab-4c9367dc0958", &payload)
        .await
        .status()
        .as_u16()
}

async fn answers(stream: &Process, path: &str) -> u16 {
    reqwest::get(stream.url(path)).await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_stream_starts_with_what_development_gives_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = make(folder.path());
    let token = said.split("shown once: ").nth(1).and_then(|rest| rest.lines().next()).expect("a token");
    let stream = started(&here(compose::variables_of_development(), folder.path(), folder.path(), None));
    // What containers and Kubernetes probe.
    for path in ["/health", "/ready"] {
        assert_eq!(answers(&stream, path).await, 200, "{path}");
    }
    assert_eq!(publish(&stream, token, "a").await, 200);
    assert_eq!(publish(&stream, "another", "b").await, 401);
}

#[tokio::test]
async fn two_streams_of_production_share_the_redis_that_only_they_may_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = make(folder.path());
    let token = said.split("shown once: ").nth(1).and_then(|rest| rest.lines().next()).expect("a token");
    let repository = Repository::new();
    repository.commit(0, "lay the first stone", &[("wall/stone.txt", "1\n")]);
    let redis = Redis::deployed(&folder.path().join("redis_users.acl"));
    let variables = |of| here(compose::variables_of_production(of), folder.path(), repository.path(), Some(&redis));
    let (one, other) = (started(&variables("event-stream")), started(&variables("event-stream")));
    let hooks = started(&variables("hooks"));
    assert_eq!(publish(&one, token, "a").await, 200);
    // The second has it too: the same event again adds nothing.
    assert_eq!(publish(&other, token, "a").await, 200);
    // What GitHub signs is heard by one alone, and nobody publishes there.
    let secret = fs::read_to_string(folder.path().join("webhook_secret")).expect("text");
    assert_eq!((delivers(&one, &secret).await, delivers(&hooks, &secret).await), (404, 200));
    assert_eq!(delivers(&hooks, "another").await, 401);
    assert_eq!(publish(&hooks, token, "b").await, 401);
    let health: Value = reqwest::get(other.url("/health")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(health.pointer("/checks/redis/status").and_then(Value::as_str), Some("ok"), "{health}");

    let url = fs::read_to_string(folder.path().join("redis_url")).expect("text");
    let stream_password = url.trim_start_matches("redis://stream:").split('@').next().expect("a word").to_owned();
    let watcher: Value =
        serde_json::from_str(&fs::read_to_string(folder.path().join("redis_watcher.json")).expect("text"))
            .expect("JSON");
    let watcher_password =
        watcher.get("redis://watcher@redis:6379").and_then(Value::as_str).expect("a password").to_owned();
    let stream = Some(("stream", stream_password.as_str()));
    let watcher = Some(("watcher", watcher_password.as_str()));
    let health = Some(("health", "none"));
    let log = "{monkeytown}:log";
    for (user, command, allowed) in [
        (None, vec!["PING"], false),
        (Some(("stream", "wrong")), vec!["PING"], false),
        (stream, vec!["HLEN", log], true),
        (stream, vec!["GET", "another"], false),
        (stream, vec!["FLUSHALL"], false),
        (stream, vec!["CONFIG", "SET", "appendonly", "no"], false),
        (stream, vec!["ACL", "LIST"], false),
        (watcher, vec!["INFO"], true),
        (watcher, vec!["CONFIG", "GET", "maxmemory"], true),
        (watcher, vec!["CONFIG", "SET", "maxmemory", "1"], false),
        (watcher, vec!["HLEN", log], false),
        (health, vec!["PING"], true),
        (health, vec!["INFO"], false),
    ] {
        let answer = redis.asked(user, &command);
        let refused = ["NOAUTH", "NOPERM", "WRONGPASS"].iter().any(|word| answer.starts_with(word));
        assert_eq!(!refused, allowed, "{user:?} {command:?}: {answer}");
    }
    let said = redis.asked(watcher, &["INFO", "persistence"]);
    assert!(said.contains("aof_enabled:1"), "{said}");
    assert!(redis.asked(watcher, &["CONFIG", "GET", "maxmemory-policy"]).contains("noeviction"));
    assert!(redis.asked(watcher, &["CONFIG", "GET", "appendfsync"]).contains("always"));
}

#[test]
fn a_secret_that_is_missing_is_one_line_and_code_2() {
    let mut command = Command::new("sh");
    command.arg(deploy().join("docker/stream/start.sh")).env("MONKEYTOWN_REDIS_FILE", "/nowhere/redis_url");
    let ended = command.output().expect("the start script starts");
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("MONKEYTOWN_REDIS_FILE"), "{ended:?}");
}
