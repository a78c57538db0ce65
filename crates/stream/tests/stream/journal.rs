//! The journal of a real process: killed under load, its disk full, its folder taken or damaged.

use crate::harness::{BATCHED, TOKEN, event, large};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How often the process is killed; a variable asks for more.
fn kills() -> u64 {
    std::env::var("JOURNAL_KILLS").map_or(40, |kills| kills.parse().unwrap())
}

fn command(folder: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MONKEYTOWN_")) {
        program.env_remove(name);
    }
    program.args(["--listen", "127.0.0.1:0", "--max-events-per-second", "1000000", "--journal"]).arg(folder);
    program.env("MONKEYTOWN_PUBLISH_TOKENS", TOKEN);
    program
}

/// A running process.
struct Process {
    child: Child,
    base: String,
    log: BufReader<ChildStdout>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(folder: &Path) -> Self {
        Self::run(&mut command(folder))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        log.read_line(&mut first).unwrap();
        let line: Value = serde_json::from_str(&first).expect("the process starts");
        let base = format!("http://{}", line["context"]["address"].as_str().unwrap());
        Self { child, base, log }
    }

    /// The next log line that says so.
    fn said(&mut self, words: &str) -> Value {
        loop {
            let mut line = String::new();
            assert_ne!(self.log.read_line(&mut line).unwrap(), 0, "the log never says {words:?}");
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["message"].as_str().unwrap().contains(words) {
                return line;
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn get(&self, path: &str) -> Value {
        reqwest::get(format!("{}{path}", self.base)).await.unwrap().json().await.unwrap()
    }

    async fn publish(&self, events: &[Value]) -> Value {
        let answer = publish(&reqwest::Client::new(), &self.base, events).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Everything after a cursor, and the last cursor; the whole must be recovered.
    async fn read_from(&self, mut cursor: String) -> (Vec<String>, String) {
        let mut ids = Vec::new();
        loop {
            let asked = format!("{}/api/v1/events?after={cursor}&limit=10000", self.base);
            let answer = reqwest::get(asked).await.unwrap();
            assert_eq!(answer.headers()["monkeytown-recovered"], "true", "after {cursor}");
            cursor = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
            let events: Vec<Value> = answer.json().await.unwrap();
            if events.is_empty() {
                return (ids, cursor);
            }
            ids.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        }
    }
}

async fn publish(client: &reqwest::Client, base: &str, events: &[Value]) -> reqwest::Result<reqwest::Response> {
    let request = client.post(format!("{base}/api/v1/events")).bearer_auth(TOKEN).header("content-type", BATCHED);
    request.body(Value::from(events).to_string()).send().await
}

/// What publishers were told, and what a reader was served, by offset; each of one epoch.
#[derive(Default)]
struct Told {
    epoch: Option<String>,
    acknowledged: BTreeMap<u64, String>,
    served: Vec<String>,
    /// Where the reader stands.
    cursor: Option<String>,
}

fn split(cursor: &str) -> (String, u64) {
    let (epoch, offset) = cursor.rsplit_once(':').unwrap();
    (epoch.to_owned(), offset.parse().unwrap())
}

/// Publishes batches of its own until nobody answers.
async fn publish_for_ever(base: String, name: String, told: Arc<Mutex<Told>>, seed: u64) {
    let client = reqwest::Client::new();
    let mut rng = fastrand::Rng::with_seed(seed);
    for number in 0_u64.. {
        let ids: Vec<String> = (0..rng.u64(1..20)).map(|part| format!("{name}-{number}-{part}")).collect();
        let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
        let Ok(answer) = publish(&client, &base, &events).await else { return };
        assert_eq!(answer.status(), 200);
        let Ok(receipt) = answer.json::<Value>().await else { return };
        let mut told = told.lock().unwrap();
        let epoch = receipt["epoch"].as_str().unwrap().to_owned();
        assert_eq!(*told.epoch.get_or_insert(epoch.clone()), epoch, "one history");
        for (id, offset) in ids.into_iter().zip(receipt["offsets"].as_array().unwrap()) {
            let before = told.acknowledged.insert(offset.as_u64().unwrap(), id);
            assert_eq!(before, None, "offset {offset} is given twice");
        }
    }
}

/// Reads what comes, by long polls, until nobody answers. Where it goes on nothing may be missing.
async fn read_for_ever(base: String, told: Arc<Mutex<Told>>) {
    let client = reqwest::Client::new();
    loop {
        let cursor = told.lock().unwrap().cursor.clone().unwrap_or_else(|| "earliest".to_owned());
        let request = client.get(format!("{base}/api/v1/events?after={cursor}&limit=500&wait=5"));
        let Ok(answer) = request.send().await else { return };
        assert_eq!(answer.headers()["monkeytown-recovered"], "true", "after {cursor}");
        let next = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
        let Ok(events) = answer.json::<Vec<Value>>().await else { return };
        let mut told = told.lock().unwrap();
        told.served.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        if !events.is_empty() {
            assert_eq!(split(&next).1 + 1, told.served.len() as u64, "no hole");
            told.cursor = Some(next);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_has_every_acknowledged_event_at_its_offset() {
    let folder = tempfile::tempdir().unwrap();
    let told = Arc::new(Mutex::new(Told::default()));
    let mut rng = fastrand::Rng::with_seed(4_711);
    for run in 0..kills() {
        let process = Process::start(folder.path());
        let before = told.lock().unwrap().acknowledged.len();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(read_for_ever(process.base.clone(), told.clone()));
        for publisher in 0..4 {
            let name = format!("{run}-{publisher}");
            tasks.spawn(publish_for_ever(process.base.clone(), name, told.clone(), rng.u64(..)));
        }
        // Somewhere in the middle: after some were acknowledged, and a moment that the seed gives.
        while told.lock().unwrap().acknowledged.len() <= before {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..300))).await;
        process.kill();
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
    }
    let process = Process::start(folder.path());
    let (all, cursor) = process.read_from("earliest".to_owned()).await;
    let (told, epoch) = (told.lock().unwrap(), split(&cursor).0);
    assert_eq!(told.epoch.as_ref(), Some(&epoch));
    assert_eq!(split(&cursor).1 + 1, all.len() as u64, "no hole");
    for (offset, id) in &told.acknowledged {
        assert_eq!(all.get(usize::try_from(*offset).unwrap()), Some(id), "offset {offset}");
    }
    assert_eq!(told.served, all[..told.served.len()], "what was served is what is there");
    let unique: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(unique.len(), all.len(), "nothing is there twice");
    println!(
        "{} kills, {} acknowledged, {} served, {} held",
        kills(),
        told.acknowledged.len(),
        told.served.len(),
        all.len()
    );
}

/// What a start that must fail says, and that it says it in one line.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "{text}");
    text
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "segment")).collect();
    segments.sort();
    segments
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_goes_on_with_epoch_offsets_identities_and_state() {
    let folder = tempfile::tempdir().unwrap();
    // A small ring, so that segments go.
    let small = || {
        let mut command = command(folder.path());
        command.args(["--ring-events", "5000"]);
        command
    };
    let process = Process::run(&mut small());
    let batch = |from: u32| (from..from + 500).map(|number| event(&number.to_string())).collect::<Vec<_>>();
    for from in (0..12_000).step_by(500) {
        process.publish(&batch(from)).await;
    }
    let line = json!({"specversion": "1.0", "id": "l", "source": "/s", "type": "monkeytown.log.line",
        "data": {"entity": "a", "level": "info", "message": "hello"}});
    process.publish(&[line]).await;
    let before = process.get("/api/v1/snapshot").await;
    let (ids, cursor) = process.read_from("earliest".to_owned()).await;
    assert_eq!(ids.len(), 5_000);
    assert!(segments(folder.path()).len() <= 6, "the ring's segments and one more: {:?}", segments(folder.path()));
    process.kill();

    let process = Process::run(&mut small());
    assert_eq!(process.get("/api/v1/snapshot").await["state"], before["state"], "the fold is what it was");
    assert_eq!(process.read_from("earliest".to_owned()).await, (ids, cursor.clone()));
    let again = process.publish(&batch(11_500)).await;
    assert_eq!((&again["duplicates"], &again["first"]), (&json!(500), &json!(11_500)), "identities are known");
    let new = process.publish(&[event("new")]).await;
    assert_eq!((&new["epoch"], &new["first"]), (&before["epoch"], &json!(12_001)));
    assert_eq!(process.read_from(cursor).await.0, ["new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_end_is_cut_and_said_and_any_other_damage_refused() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path());
    process.publish(&[event("1")]).await;
    process.publish(&[event("2")]).await;
    let text = complaint(&command(folder.path()).output().unwrap());
    assert!(text.contains("another process holds this journal"), "{text}");
    process.kill();

    let segment = segments(folder.path()).remove(0);
    let whole = fs::read(&segment).unwrap();
    let mut torn = whole.clone();
    torn.extend_from_slice(&whole[whole.len() - 90..]);
    torn[whole.len()..].fill(0);
    fs::write(&segment, &torn).unwrap();
    let mut process = Process::start(folder.path());
    assert_eq!(process.said("is cut")["context"]["bytes"], 90);
    assert_eq!(process.read_from("earliest".to_owned()).await.0, ["1", "2"]);
    process.kill();
    assert_eq!(fs::read(&segment).unwrap(), whole);

    let mut damaged = whole.clone();
    damaged[whole.len() - 20] ^= 1;
    fs::write(&segment, &damaged).unwrap();
    let text = complaint(&command(folder.path()).output().unwrap());
    assert!(text.contains("damaged") && text.contains(segment.to_str().unwrap()), "{text}");
    assert_eq!(fs::read(&segment).unwrap(), damaged, "nothing is mended by force");

    let mut newer = whole.clone();
    newer[8] = 9;
    fs::write(&segment, &newer).unwrap();
    let text = complaint(&command(folder.path()).output().unwrap());
    assert!(text.contains("format 9") && text.contains("start the version that wrote it"), "{text}");

    fs::write(&segment, &whole).unwrap();
    fs::rename(&segment, folder.path().join("00000000000000000007.segment")).unwrap();
    let text = complaint(&command(folder.path()).output().unwrap());
    assert!(text.contains("begins with event 0"), "{text}");

    let file = folder.path().join("no-folder");
    fs::write(&file, "").unwrap();
    for path in [file.as_path(), Path::new("/proc/no/journal")] {
        let text = complaint(&command(path).output().unwrap());
        assert!(text.contains("--journal") && text.contains("may write in"), "{text}");
    }
}

/// A file system of 1 MiB, where this user may mount one.
struct Tiny(tempfile::TempDir);

impl Tiny {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// A delivery of GitHub's that has something to tell.
async fn deliver(process: &Process, id: &str) -> reqwest::Response {
    let body =
        fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hooks/payloads/workflow_run.completed.json")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(&body);
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = reqwest::Client::new().post(format!("{}/hooks/github", process.base)).body(body);
    let request = request.header("content-type", "application/json").header("x-github-event", "workflow_run");
    let request = request.header("x-github-delivery", format!("delivery-{id}"));
    request.header("x-hub-signature-256", format!("sha256={signature}")).send().await.unwrap()
}

/// As a publisher does that is told to come again.
async fn until_taken(process: &Process, events: &[Value]) -> Value {
    let client = reqwest::Client::new();
    loop {
        let answer = publish(&client, &process.base, events).await.unwrap();
        match answer.status().as_u16() {
            200 => return answer.json().await.unwrap(),
            503 => tokio::task::yield_now().await,
            other => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_degraded_and_503_for_publishers_and_mends_itself() {
    // Without the right to mount, `log::journal::tests` alone says what a full disk does.
    let Some(tiny) = Tiny::mount() else {
        println!("left out: this user may mount nothing");
        return;
    };
    let journal = tiny.0.path().join("journal");
    let mut command = command(&journal);
    let process = Process::run(command.env("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", TOKEN));
    process.publish(&[event("before")]).await;
    // So that what comes next does not fit into the page that the file has already.
    let length = || fs::metadata(&segments(&journal)[0]).unwrap().len();
    let before = length();
    process.publish(&[large("0", 1)]).await;
    let left = length().next_multiple_of(4_096) - length();
    process.publish(&[large("1", usize::try_from(left + 4_096 + before + 1 - length()).unwrap() - 100)]).await;
    let filler = tiny.0.path().join("filler");
    // As much as there is, to the last page.
    let _ = fs::write(&filler, vec![1; 2 << 20]);
    let heard = deliver(&process, "1").await;
    assert_eq!((heard.status().as_u16(), &heard.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let many: Vec<Value> = (0..40).map(|number| event(&format!("many-{number}"))).collect();
    let refused = publish(&reqwest::Client::new(), &process.base, &many).await.unwrap();
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.headers()["retry-after"], "5");
    let problem: Value = refused.json().await.unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("nothing of this request was taken"), "{problem}");
    let health = process.get("/health").await;
    assert_eq!(
        (&health["status"], &health["checks"]["event_buffer"]["status"]),
        (&json!("degraded"), &json!("warning"))
    );
    let said = health["checks"]["event_buffer"]["message"].as_str().unwrap();
    assert!(said.contains("the journal cannot be written"), "{said}");
    assert_eq!(process.read_from("earliest".to_owned()).await.0, ["before", "0", "1"], "readers keep what is held");
    let again = process.publish(&[event("before")]).await;
    assert_eq!(again["duplicates"], 1, "what is held is acknowledged");
    let metrics = reqwest::get(format!("{}/metrics", process.base)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("events_rejected_total{reason=\"unwritten\"} 2\n"), "{metrics}");

    fs::remove_file(&filler).unwrap();
    let taken = until_taken(&process, &many).await;
    assert_eq!(taken["duplicates"], 0);
    // What was heard as the disk was full is written without being delivered again, and delivered again adds nothing.
    let delivered = |ids: &[String]| ids.iter().filter(|id| id.starts_with("delivery-1/")).count();
    let mut ids = Vec::new();
    while delivered(&ids) == 0 {
        ids = process.read_from("earliest".to_owned()).await.0;
    }
    while deliver(&process, "1").await.status() != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(process.read_from("earliest".to_owned()).await.0, ids);
    assert_eq!(ids.len(), 3 + many.len() + delivered(&ids));
    assert_eq!(process.get("/health").await["status"], "healthy");
    process.kill();
    assert_eq!(Process::start(&journal).read_from("earliest".to_owned()).await.0, ids);
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").arg("-C").arg(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn commit(folder: &Path, name: &str) {
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src").join(name), name).unwrap();
    git(folder, &["add", "."]);
    git(folder, &["commit", "-m", name]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_of_git_read_again_adds_nothing() {
    let (folder, repository) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    git(repository.path(), &["init"]);
    commit(repository.path(), "one");
    commit(repository.path(), "two");
    let start = || {
        let mut command = command(folder.path());
        command.arg("--git").arg(repository.path());
        Process::run(&mut command)
    };
    let process = start();
    let mut all = Vec::new();
    while all.is_empty() {
        all = process.read_from("earliest".to_owned()).await.0;
    }
    process.kill();
    // A third commit is told after what was told is passed over.
    commit(repository.path(), "three");
    let process = start();
    let mut later = Vec::new();
    while later.len() <= all.len() {
        later = process.read_from("earliest".to_owned()).await.0;
    }
    let unique: std::collections::BTreeSet<&String> = later.iter().collect();
    assert_eq!((unique.len(), later.get(..all.len())), (later.len(), Some(all.as_slice())));
}

/// Moments that can be gone to are the same after every kill, for as long as the ring holds what follows them.
#[tokio::test]
async fn moments_outlive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut told: Vec<(i64, Value)> = Vec::new();
    for kill in 0..4 {
        let process = Process::run(command(folder.path()).args(["--ring-events", "3000"]));
        let present = process.get("/api/v1/snapshot").await;
        let epoch = present["epoch"].as_str().unwrap().to_owned();
        let at = async |offset: i64| process.get(&format!("/api/v1/snapshot?at={epoch}:{offset}")).await;
        let oldest = present["earliest"]["offset"].as_i64().unwrap();
        assert_eq!(oldest, (present["offset"].as_i64().unwrap() - 3_000).max(-1));
        for (offset, before) in &told {
            let now = at(*offset).await;
            if *offset < oldest {
                let cursor = format!("{epoch}:{oldest}");
                assert_eq!((&now["status"], &now["earliest"]), (&json!(410), &json!(cursor)), "{offset}: {now}");
            } else {
                assert_eq!((&now["state"], &now["clock"]), (&before["state"], &before["clock"]), "{offset}");
            }
        }
        for batch in 0..4 {
            let first = kill * 4_000 + batch * 1_000;
            let events: Vec<Value> = (first..first + 1_000).map(|number| event(&number.to_string())).collect();
            process.publish(&events).await;
        }
        let head = kill * 4_000 + 3_999;
        for offset in [head - 3_000, head - 2_000, head - 1_001, head - 7, head] {
            let state = at(offset).await;
            assert_eq!(state["state"]["totals"]["events"], offset + 1, "{state}");
            told.push((offset, state));
        }
        process.kill();
    }
}
