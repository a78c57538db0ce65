//! The recovery objectives, each by its real fault: a process killed, a journal or Redis damaged, a region gone. What is
//! measured is printed (`--nocapture`) and stands in `docs/recovery.md`.

use crate::{
    process::{Ended, Process, free_port},
    redis::Redis,
    secrets,
    tools::deploy,
};
use monkeytown_tests::{
    browser::Browser,
    events::works,
    program,
    proxy::Proxy,
    repository::Repository,
    script, site,
    stream::{BATCHED, TOKEN},
    wait::PATIENCE,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A process is back within this, and a witness within one back-off more: at most 15 seconds.
const RESTARTED: Duration = Duration::from_secs(30);
/// Rounds of what ends by chance.
const ROUNDS: usize = 5;
const BATCH: usize = 100;
/// A witness is with the next shard within this. Longer than tests wait otherwise: a page tries every way to its own first.
const FAILED_OVER: Duration = Duration::from_secs(300);
fn command(port: u16, arguments: &[&str]) -> Command {
    let mut command = program::stream();
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--max-events-per-second", "1000000"]).args(arguments);
    command.env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN);
    command
}

/// Publishes until the stream is gone; the ids that it has acknowledged.
async fn publish_until_gone(url: String, round: usize) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for batch in 0.. {
        let ids: Vec<_> = (0..BATCH).map(|number| format!("{round}-{batch}-{number}")).collect();
        match publish(&url, &ids).await {
            Some(200) => acknowledged.extend(ids),
            Some(status) => panic!("a batch is answered {status}"),
            None => return acknowledged,
        }
    }
    unreachable!("the stream is never killed");
}

/// The status, or none where nobody answers.
async fn publish(url: &str, ids: &[String]) -> Option<u16> {
    let events: Vec<_> = ids.iter().map(|id| works(id, "ada", &format!("does {id}"))).collect();
    let request = reqwest::Client::new().post(format!("{url}/api/v1/events")).timeout(PATIENCE).bearer_auth(TOKEN);
    let request = request.header("content-type", BATCHED).body(Value::from(events).to_string());
    Some(request.send().await.ok()?.status().as_u16())
}

/// The ids of all events that a stream holds, in their order, and the cursor behind the last.
async fn held(stream: &Process) -> (Vec<String>, String) {
    let (mut ids, mut cursor) = (Vec::new(), "earliest".to_owned());
    loop {
        let answer =
            reqwest::get(stream.url(&format!("/api/v1/events?after={cursor}&limit=10000"))).await.expect("an answer");
        cursor =
            answer.headers().get("monkeytown-cursor").and_then(|at| at.to_str().ok()).expect("a cursor").to_owned();
        let events: Vec<Value> = answer.json().await.expect("a batch");
        if events.is_empty() {
            return (ids, cursor);
        }
        ids.extend(events.iter().map(|event| event["id"].as_str().expect("an id").to_owned()));
    }
}

/// Whether a stream can go on at `cursor`.
async fn goes_on(stream: &Process, cursor: &str) -> bool {
    let answer = reqwest::get(stream.url(&format!("/api/v1/events?after={cursor}"))).await.expect("an answer");
    answer.headers().get("monkeytown-recovered").expect("it says so") == "true"
}

async fn ready(stream: &Process) {
    let all = async {
        while reqwest::get(stream.url("/ready")).await.map_or(0, |answer| answer.status().as_u16()) != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(RESTARTED, all).await.expect("it is ready");
}

fn say(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let longest = *times.last().expect("something was measured");
    let median = times.get(times.len() / 2).expect("half of it is less");
    eprintln!("measured: {what}: {median:.2?} in the middle, {longest:.2?} at most, of {}", times.len());
    longest
}

#[tokio::test]
async fn a_killed_stream_is_back_with_all_that_it_acknowledged_and_so_is_its_witness() {
    let journal = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let (folder, page) = (journal.path().display().to_string(), site::folder().display().to_string());
    let start = || Process::start(&mut command(port, &["--journal", &folder, "--site", &page])).expect("it starts");
    let mut stream = start();
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    let (mut restarts, mut returns) = (Vec::new(), Vec::new());
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        // One fault after the other meets a longer back-off; each of these is to be one alone.
        page.reload().await;
        page.until_state("live").await;
        let publishing = tokio::spawn(publish_until_gone(stream.url(""), round));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        drop(stream);
        acknowledged.extend(publishing.await.expect("the publisher ends"));
        stream = start();
        ready(&stream).await;
        restarts.push(begun.elapsed());
        page.until_state("live").await;
        let said = format!("is back in round {round}");
        assert_eq!(publish_one(&stream, &said).await, 200);
        page.until_card("bob", &said).await;
        returns.push(begun.elapsed());
        assert_eq!(page.count("data-holes").await, 0);
    }
    browser.close().await;
    let (held, _) = held(&stream).await;
    let once: BTreeSet<_> = held.iter().cloned().collect();
    assert_eq!(once.len(), held.len(), "nothing is there twice");
    let lost: Vec<_> = acknowledged.difference(&once).collect();
    assert!(
        lost.is_empty() && acknowledged.len() > ROUNDS * BATCH,
        "{} of {} are lost",
        lost.len(),
        acknowledged.len()
    );
    eprintln!("measured: killed {ROUNDS} times, {} acknowledged, {} lost", acknowledged.len(), lost.len());
    assert!(say("killed until ready again", restarts) < RESTARTED);
    assert!(say("killed until a witness has what is new", returns) < RESTARTED + Duration::from_secs(15));
}

async fn publish_one(stream: &Process, said: &str) -> u16 {
    let body = json!([works(said, "bob", said)]).to_string();
    let request = reqwest::Client::new().post(stream.url("/api/v1/events")).timeout(PATIENCE).bearer_auth(TOKEN);
    request.header("content-type", BATCHED).body(body).send().await.expect("an answer").status().as_u16()
}

/// A copy of a folder and what is in it.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a folder");
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to.path()).status().expect("cp starts");
    assert!(copied.success());
    to
}

/// The largest file below a folder.
fn largest(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    let files = files.filter(|file| file.is_file());
    files.max_by_key(|file| file.metadata().expect("it is there").len()).expect("a file")
}

/// Turns a bit in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    *bytes.get_mut(middle).expect("it holds something") ^= 1;
    fs::write(file, bytes).expect("it is written");
}

/// Wipes out a page in the middle of a file. Redis' file has no checksums: a bit that turns within a value is not noticed.
fn blot(file: &Path) {
    let mut bytes = fs::read(file).expect("it is there");
    let middle = bytes.len() / 2;
    bytes.get_mut(middle..middle + 4_096).expect("it is longer").fill(0);
    fs::write(file, bytes).expect("it is written");
}

#[tokio::test]
async fn a_damaged_journal_is_named_and_replaced_by_its_copy_or_read_again_from_git() {
    let repository = Repository::new();
    for minute in 0..50 {
        repository.commit(minute, &format!("lay stone {minute}"), &[("wall/stone.txt", &format!("{minute}\n"))]);
    }
    let (journal, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let place = journal.path().join("journal");
    let git = repository.path().display().to_string();
    let start = || Process::start(&mut command(port, &["--git", &git, "--journal", &place.display().to_string()]));

    let stream = start().expect("it starts");
    let ids = |from: usize, to: usize| (from..to).map(|number| number.to_string()).collect::<Vec<_>>();
    let from_git = until_quiet(&stream).await;
    assert_eq!(publish(&stream.url(""), &ids(0, 100)).await, Some(200));
    let before = held(&stream).await;
    assert_eq!(stream.stop(), Some(0));
    // The daily copy, made while the stream does not run.
    let copied = copy(&place);
    let stream = start().expect("it starts");
    assert_eq!(publish(&stream.url(""), &ids(100, 150)).await, Some(200));
    let after = held(&stream).await;
    assert_eq!(after.0.len(), before.0.len() + 50);
    drop(stream);
    let damaged = largest(&place);
    damage(&damaged);

    let Ended { code, said } = start().err().expect("it refuses");
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains(&damaged.display().to_string()) && said.lines().count() == 1, "{said}");
    let begun = Instant::now();
    fs::rename(&place, journal.path().join("journal.damaged")).expect("it is put aside");
    let restored = Command::new("cp").arg("-a").arg(copied.path()).arg(&place).status().expect("cp starts");
    assert!(restored.success());
    let stream = start().expect("the copy is whole");
    ready(&stream).await;
    eprintln!("measured: journal damaged, the copy of {} events in its place: {:.2?}", before.0.len(), begun.elapsed());
    assert_eq!(held(&stream).await.0, before.0, "what the copy had, and Git adds nothing twice");
    // Whoever stood where the copy was made goes on; whoever stood behind is told.
    assert!(goes_on(&stream, &before.1).await && !goes_on(&stream, &after.1).await);
    assert_eq!(publish(&stream.url(""), &ids(100, 150)).await, Some(200));
    assert_eq!(held(&stream).await.0, after.0, "sending again brings back what the copy did not have");
    drop(stream);

    // Without a copy: what is in Git.
    let begun = Instant::now();
    fs::rename(&place, journal.path().join("journal.away")).expect("it is put aside");
    let stream = start().expect("an empty folder begins anew");
    let again = until_quiet(&stream).await;
    eprintln!("measured: journal damaged, {} events read again from Git: {:.2?}", again.len(), begun.elapsed());
    assert_eq!(again, from_git);
    assert!(!goes_on(&stream, &before.1).await, "another history, and whoever comes back is told");
}

/// The events of a stream once all fifty commits are told.
async fn until_quiet(stream: &Process) -> Vec<String> {
    let all = async {
        loop {
            let (ids, _) = held(stream).await;
            if ids.len() >= 50 && ids.len() == held(stream).await.0.len() {
                // The Git source tells commits one after the other; a pause between two looks is no end.
                tokio::time::sleep(Duration::from_millis(500)).await;
                if ids.len() == held(stream).await.0.len() {
                    return ids;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await.expect("Git is read")
}

/// Where `deploy/copy-redis.sh` has put a copy, or what it says instead.
fn copied_redis(data: &Path, copies: &Path) -> Result<PathBuf, String> {
    let mut script = Command::new(deploy().join("copy-redis.sh"));
    let output = script.arg(data).arg(copies).output().expect("the script starts");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { Ok(said.trim().into()) } else { Err(failed.into_owned()) }
}

#[test]
fn a_copy_counts_once_it_is_whole_and_old_ones_go() {
    let (folder, copies) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let acl = folder.path().join("redis_users.acl");
    fs::write(&acl, "user default on nopass ~* +@all\n").expect("it is written");
    let mut redis = Redis::deployed(&acl);
    for number in 0..2_000 {
        let said = redis.asked(None, &["SET", &format!("key {number}"), &"value ".repeat(20)]);
        assert_eq!(said.trim(), "OK");
    }
    let old = copies.path().join("2020-01-01T000000Z");
    fs::create_dir(&old).expect("a folder");
    let aged = Command::new("touch").args(["-d", "2020-01-01"]).arg(&old).status().expect("touch starts");
    assert!(aged.success());
    let copied = copied_redis(&redis.data(), copies.path()).expect("it is whole");
    assert!(copied.join("appendonlydir").is_dir() && !old.exists());
    redis.kill();
    blot(&append_only(&redis.data()));
    let said = copied_redis(&redis.data(), copies.path()).expect_err("a damaged file is no copy");
    assert!(said.contains("not whole"), "{said}");
    let left: Vec<_> =
        fs::read_dir(copies.path()).expect("a folder").map(|file| file.expect("a file").path()).collect();
    assert_eq!(left, [copied], "what is not whole is not left");
    let said = copied_redis(folder.path(), copies.path()).expect_err("there is nothing to copy");
    assert!(said.contains("appendonlydir"), "{said}");
}

/// It was not so once: as `default`, which had no rights, Redis left out all that scripts had written.
#[tokio::test]
async fn redis_as_it_is_deployed_has_everything_after_a_power_cut_and_from_a_copy() {
    let (folder, copies) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    secrets::make(folder.path());
    let mut redis = Redis::deployed(&folder.path().join("redis_users.acl"));
    let url = fs::read_to_string(folder.path().join("redis_url")).expect("text");
    let url = url.trim().replace("redis:6379", &redis.address());
    let start = || Process::start(command(free_port(), &[]).env("MONKEYTOWN_REDIS", &url)).expect("it starts");
    let ids = |from: usize, to: usize| (from..to).map(|number| number.to_string()).collect::<Vec<_>>();
    let taken = async |stream: &Process, ids: &[String]| {
        let mut refused = 0;
        while publish(&stream.url(""), ids).await != Some(200) {
            refused += 1;
            assert!(refused < 20, "it takes nothing");
        }
    };
    let stream = start();
    taken(&stream, &ids(0, 300)).await;
    redis.kill();
    redis.run().expect("it reads its file");
    taken(&stream, &ids(300, 400)).await;
    assert_eq!(held(&stream).await.0, ids(0, 400));
    // Whoever comes anew has it of Redis alone.
    assert_eq!(held(&start()).await.0, ids(0, 400));

    let before = held(&stream).await;
    let copied = copied_redis(&redis.data(), copies.path()).expect("it is whole");
    taken(&stream, &ids(400, 500)).await;
    let after = held(&stream).await;
    assert_eq!(stream.stop(), Some(0));
    redis.kill();
    let begun = Instant::now();
    let put = format!("mv {0} {0}.damaged && cp -R {1} {0}", redis.data().display(), copied.display());
    assert!(Command::new("sh").args(["-c", &put]).status().expect("a shell").success());
    redis.run().expect("the copy is whole");
    let stream = start();
    ready(&stream).await;
    eprintln!("measured: Redis damaged, the copy of {} events in its place: {:.2?}", before.0.len(), begun.elapsed());
    assert_eq!(held(&stream).await.0, before.0);
    // Whoever stood where the copy was made goes on; whoever stood behind is told.
    assert!(goes_on(&stream, &before.1).await && !goes_on(&stream, &after.1).await);
    taken(&stream, &ids(400, 500)).await;
    assert_eq!(held(&stream).await.0, after.0, "sending again brings back what the copy did not have");
}

/// The file of a Redis in which its changes stand.
fn append_only(data: &Path) -> PathBuf {
    largest(&data.join("appendonlydir"))
}

#[tokio::test]
async fn when_a_region_is_gone_its_witnesses_go_to_the_next_shard_of_the_list() {
    let repository = Repository::new();
    repository.commit(0, "lay the first stone", &[("wall/stone.txt", "1\n")]);
    let git = repository.path().display().to_string();
    // The page is served apart, as it is by a host of static files.
    let served =
        Process::start(&mut command(0, &["--site", &site::folder().display().to_string()])).expect("it starts");
    let host = Proxy::before(served.address.parse().expect("an address")).await;
    let origin = host.url("");
    let region = || Process::start(&mut command(0, &["--git", &git, "--allow-origin", &origin])).expect("it starts");
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let (first, second) = (region(), region());
        let streams = [&first, &second].map(|shard| format!("ws://{}", shard.address));
        let config = json!({"streams": streams, "failover": true}).to_string();
        host.answer("/config.json", "application/json", &config);
        let browser = Browser::start().await;
        let page = browser.tab().await;
        // Of two shards, the first is this witness's.
        page.before_everything("localStorage.setItem('monkeytown.witness.v1', '4')").await;
        page.go(&host.url("/")).await;
        page.until_state("live").await;
        assert_eq!(publish_one(&first, "is in the first region").await, 200);
        page.until_card("bob", "is in the first region").await;
        assert_eq!(publish_one(&second, "is in the second region").await, 200);
        let begun = Instant::now();
        drop(first);
        let there = script::card_says("bob", "is in the second region");
        let moved = async {
            while !page.value::<bool>(&there).await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(FAILED_OVER, moved).await.expect("the witness goes to the next shard");
        times.push(begun.elapsed());
        page.until_state("live").await;
        browser.close().await;
    }
    assert!(say("a region gone until its witness is with the next", times) < FAILED_OVER);
}
