//! Repositories by URL, from a Git server over HTTP on this machine, with everything that can go wrong on the way.

use crate::{
    served::{Manner, Served},
    support::{Repo, alerts, config, created, later, refusal, run, work},
};
use monkeytown_protocol::EntityKind;
use monkeytown_stream::sources::git::{GitConfig, GitSource};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// A repository that is served, and a cache for its clone.
struct Town {
    repo: Repo,
    served: Served,
    cache: TempDir,
}

impl Town {
    async fn new(manner: Manner) -> Self {
        let repo = Repo::new();
        repo.change("src/a", "a", "history", 0);
        let served = Served::new(repo.path().parent().unwrap(), manner).await;
        Self { repo, served, cache: tempfile::tempdir().unwrap() }
    }

    fn config(&self) -> GitConfig {
        self.config_of(&self.served.url())
    }

    fn config_of(&self, url: &str) -> GitConfig {
        let mut config = config(url);
        config.repository = url.to_owned();
        config.fetch_seconds = 1;
        config.cache = Some(self.cache.path().to_owned());
        config
    }

    /// The clones in the cache, whole or not.
    fn clones(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.cache.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }
}

/// Opening blocks, and the server runs in this process.
async fn opened(config: GitConfig) -> Result<(), String> {
    tokio::task::spawn_blocking(|| GitSource::open(config).map(|_| ()).map_err(|error| error.to_string()))
        .await
        .unwrap()
}

async fn refused(config: GitConfig) -> String {
    let refused = tokio::task::spawn_blocking(|| refusal(config)).await.unwrap();
    assert!(!refused.contains('\n'), "one line: {refused}");
    refused
}

async fn told(running: &crate::support::Running, transactions: usize) {
    running.kept.until(|state| created(&state.events, EntityKind::Transaction).len() >= transactions).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_on_a_server_is_cloned_and_followed_through_pushes_and_a_forced_one() {
    let town = Town::new(Manner::Well).await;
    let running = run(town.config(), later);
    told(&running, 1).await;
    town.repo.change("src/b", "b", "pushed", 1);
    told(&running, 2).await;
    town.repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    town.repo.change("src/c", "c", "forced", 2);
    told(&running, 3).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: history", "src: pushed", "src: forced"]);
    let alerts = alerts(&events);
    assert_eq!(alerts.iter().map(|alert| alert.id.as_str()).collect::<Vec<_>>(), ["git-source/force-push"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_said_asked_less_often_and_followed_again() {
    let town = Town::new(Manner::Well).await;
    let running = run(town.config(), later);
    told(&running, 1).await;
    town.served.behave(Manner::Away);
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    town.repo.change("src/b", "b", "while it was away", 1);
    let failed = town.served.asked() - 1;
    while town.served.asked() < failed + 4 {
        tokio::task::yield_now().await;
    }
    // Asked for is every second; the third failure in a row is followed by 2 to 4.
    let asked = town.served.asked_at();
    let waited = asked[failed + 3].duration_since(asked[failed + 2]);
    assert!(waited.as_secs() >= 2, "{waited:?}");
    town.served.behave(Manner::Well);
    told(&running, 2).await;
    running.kept.until(|state| alerts(&state.events).len() == 2).await;
    let events = running.kept.events();
    let alerts = alerts(&events);
    assert!(alerts[0].message.as_str().contains("503") && alerts[1].resolved, "{alerts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_a_password_is_told_in_words_and_nobody_is_asked() {
    let town = Town::new(Manner::Locked("Basic d2F0Y2hlcjpodW50ZXIy")).await;
    let without = refused(town.config()).await;
    assert!(without.starts_with("git clone http://") && without.contains("Authentication failed"), "{without}");
    let with = |user_info: &str| town.served.url().replace("http://", &format!("http://{user_info}@"));
    let wrong = refused(town.config_of(&with("watcher:hunter3"))).await;
    assert!(wrong.contains("Authentication failed") && !wrong.contains("hunter3"), "{wrong}");
    assert_eq!(town.clones(), Vec::<PathBuf>::new());
    opened(town.config_of(&with("watcher:hunter2"))).await.unwrap();
    for file in walk(town.cache.path()) {
        let holds = fs::read(&file).unwrap().windows(7).any(|seven| seven == b"hunter2");
        assert!(!holds, "{}", file.display());
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_on_no_command_line() {
    let town = Town::new(Manner::Stalls).await;
    let with_password = town.served.url().replace("http://", "http://watcher:hunter2@");
    let config = town.config_of(&with_password);
    let address = town.served.address.to_string();
    let cloning = tokio::task::spawn_blocking(move || drop(GitSource::open(config)));
    let command_lines = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
    };
    // What speaks HTTP for git has begun, and has been told where to.
    let helping = loop {
        let found: Vec<String> = command_lines().filter(|line| line.contains(&address)).collect();
        if found.iter().any(|line| line.contains("remote-http")) {
            break found;
        }
        tokio::task::yield_now().await;
    };
    assert!(helping.iter().all(|line| !line.contains("hunter2")), "{helping:?}");
    // The clone ends when its server does.
    drop((town, cloning));
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { files.extend(walk(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_go_to_nobody_else_and_a_redirect_to_another_kind_of_place_is_refused() {
    let town = Town::new(Manner::Well).await;
    let elsewhere = Served::new(town.repo.path().parent().unwrap(), Manner::Well).await;
    town.served.behave(Manner::Redirects(format!("http://localhost:{}", elsewhere.address.port())));
    let with_password = town.served.url().replace("http://", "http://watcher:hunter2@");
    let with_password = refused(town.config_of(&with_password)).await;
    assert!(with_password.contains("302") && !with_password.contains("hunter2"), "{with_password}");
    assert_eq!((elsewhere.asked(), elsewhere.credentials()), (0, Vec::new()));
    // Without any, a repository that has moved is followed.
    opened(town.config()).await.unwrap();
    assert!(elsewhere.asked() > 0 && elsewhere.credentials().is_empty());
    for scheme in ["file://", "ftp://127.0.0.1:1"] {
        let town = Town::new(Manner::Redirects(scheme.to_owned())).await;
        let refused = refused(town.config()).await;
        assert!(refused.starts_with("git clone http://"), "{refused}");
        assert_eq!(town.clones(), Vec::<PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_is_no_repository_leaves_nothing_and_the_next_try_is_whole() {
    let town = Town::new(Manner::BreaksOff(2_000)).await;
    // Nothing that can be compressed, so that the pack is longer than that.
    let noise = || (0..4_000).map(|_| fastrand::alphanumeric()).collect::<String>();
    town.repo.change("src/noise", &noise(), "much", 1);
    let broken = refused(town.config()).await;
    assert!(broken.starts_with("git clone http://"), "{broken}");
    for says in [&b"<!doctype html><title>not found</title>"[..], b"\xff\xfe no repository\n", b"", b"OK"] {
        town.served.behave(Manner::Says(says));
        let refused = refused(town.config()).await;
        let words = ["what is there is no Git repository", "is this a git repository?"];
        assert!(words.iter().any(|words| refused.ends_with(words)), "{refused}");
    }
    assert_eq!(town.clones(), Vec::<PathBuf>::new());
    town.served.behave(Manner::Well);
    let running = run(town.config(), later);
    told(&running, 2).await;
    // A fetch that breaks off changes nothing either.
    town.served.behave(Manner::BreaksOff(500));
    town.repo.change("src/more", &noise(), "more", 2);
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    assert_eq!(work(&running.kept.events()), ["src: history", "src: much"]);
    town.served.behave(Manner::Well);
    told(&running, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_was_killed_halfway_or_is_damaged_is_mended_at_the_next_start() {
    let town = Town::new(Manner::Well).await;
    opened(town.config()).await.unwrap();
    let [clone] = <[PathBuf; 1]>::try_from(town.clones()).unwrap();
    let begun = clone.with_extension("4711.unfinished");
    for damage in ["nothing at all", "no objects", "no head", "a reference to nothing"] {
        match damage {
            "nothing at all" => {
                fs::remove_dir_all(&clone).unwrap();
                fs::create_dir(&clone).unwrap();
            }
            "no objects" => {
                fs::remove_dir_all(clone.join("objects")).unwrap();
                fs::create_dir(clone.join("objects")).unwrap();
            }
            "no head" => fs::remove_file(clone.join("HEAD")).unwrap(),
            _ => {
                fs::create_dir_all(clone.join("refs/heads")).unwrap();
                fs::write(clone.join("refs/heads/main"), "4b825dc642cb6eb9a060e54bf8d69288fbee4905\n").unwrap();
            }
        }
        fs::create_dir(&begun).unwrap();
        fs::write(begun.join("config"), "half").unwrap();
        let running = run(town.config(), later);
        told(&running, 1).await;
        assert_eq!(town.clones(), std::slice::from_ref(&clone), "after {damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_while_it_clones_is_followed_by_one_that_clones_whole() {
    let town = Town::new(Manner::Stalls).await;
    let start = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
        program.args(["--listen", "127.0.0.1:0", "--git", &town.served.url()]).env("XDG_CACHE_HOME", town.cache.path());
        program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    };
    let mut first = start();
    let folder = town.cache.path().join("monkeytown/git");
    let begun = || fs::read_dir(&folder).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir()).count();
    while town.served.asked() == 0 || begun() == 0 {
        tokio::task::yield_now().await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    town.served.behave(Manner::Well);
    let mut second = start();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(second.stdout.take().unwrap()), &mut line).unwrap();
    assert!(line.contains("listening"), "{line}");
    let clones: Vec<_> =
        fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    second.kill().unwrap();
    second.wait().unwrap();
    assert!(clones.len() == 1 && clones[0].extension().is_some_and(|end| end == "git"), "{clones:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_takes_its_clone_with_it() {
    let town = Town::new(Manner::Stalls).await;
    let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
    program.args(["--listen", "127.0.0.1:0", "--git", &town.served.url()]).env("XDG_CACHE_HOME", town.cache.path());
    let mut program = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let address = town.served.address.to_string();
    let id = program.id().to_string();
    let cloning = || {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let others = processes.filter(|process| process.file_name().to_str() != Some(&id));
        others
            .filter_map(|process| fs::read(process.path().join("cmdline")).ok())
            .filter(|line| String::from_utf8_lossy(line).contains(&address))
            .count()
    };
    while town.served.asked() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(cloning() > 0);
    program.kill().unwrap();
    let killed = std::time::Instant::now();
    program.wait().unwrap();
    while cloning() > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        // By itself git would stay for half a minute.
        assert!(killed.elapsed().as_secs() < 20, "{} are still there", cloning());
    }
}

/// The program with a repository by URL, and the lines of its log as they come.
fn logging(town: &Town, settings: &[(&str, &str)]) -> (std::process::Child, impl Iterator<Item = Value> + use<>) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_monkeytown-stream"));
    program.args(["--listen", "127.0.0.1:0", "--git-fetch-seconds", "1", "--git", &town.served.url()]);
    program.env("XDG_CACHE_HOME", town.cache.path()).env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (at, (key, value)) in settings.iter().enumerate() {
        program.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    let mut program = program.stdout(Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(program.stdout.take().unwrap()));
    (program, lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cache_says_at_the_start_is_logged_behind_the_first_line() {
    let town = Town::new(Manner::Well).await;
    let folder = town.cache.path().join("monkeytown/git");
    for (said, damage) in [("cloning, this takes", false), ("the clone in the cache is damaged", true)] {
        if damage {
            let clone = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir());
            fs::remove_file(clone.unwrap().join("HEAD")).unwrap();
        }
        let (mut program, mut lines) = logging(&town, &[]);
        let first = lines.next().unwrap();
        assert!(first["context"]["address"].is_string(), "{first}");
        let second = lines.next().unwrap();
        assert!(second["message"].as_str().unwrap().starts_with(said), "{second}");
        let size = lines.find(|line| line["message"] == "the clone lies in the cache").unwrap();
        assert!(size["context"]["bytes"].as_u64().unwrap() > 100, "{size}");
        program.kill().unwrap();
        program.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_that_is_fetched_again_and_again_is_packed_while_it_is_read() {
    let town = Town::new(Manner::Well).await;
    // What the operator sets by the environment git hears: here that it packs when there is anything to pack.
    let (mut program, mut lines) = logging(&town, &[("gc.auto", "1")]);
    let address = lines.next().unwrap()["context"]["address"].as_str().unwrap().to_owned();
    std::thread::spawn(move || lines.for_each(drop));
    let folder = town.cache.path().join("monkeytown/git");
    let clone = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()).find(|path| path.is_dir()).unwrap();
    let loose = || {
        let folders = fs::read_dir(clone.join("objects")).unwrap().flatten();
        let folders = folders.filter(|folder| folder.file_name().len() == 2);
        folders.map(|folder| fs::read_dir(folder.path()).into_iter().flatten().count()).sum::<usize>()
    };
    let (mut most, mut packed) = (0, false);
    for number in 1..60 {
        // Git takes those of one folder of 256 for how many there are, and of a hundred at once makes a pack by itself.
        for file in 0..40 {
            town.repo.write(&format!("src/{number}-{file}"), &format!("{number} {file}"));
        }
        town.repo.commit(&format!("change {number}"), number);
        let told = async {
            let subject = format!("change {number}\"");
            let url = format!("http://{address}/api/v1/events?after=earliest&limit=10000");
            while !reqwest::get(&url).await.unwrap().text().await.unwrap().contains(&subject) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(120), told).await.unwrap();
        most = loose().max(most);
        // What is told after it was read from the packs.
        if packed {
            break;
        }
        packed = most > 200 && loose() < most / 2;
    }
    assert!(packed, "{most} loose objects, and {} in the end", loose());
    let health = reqwest::get(format!("http://{address}/health")).await.unwrap().text().await.unwrap();
    assert!(health.contains("\"healthy\""), "{health}");
    program.kill().unwrap();
    program.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn that_another_process_has_the_clone_neither_mends_nor_breaks_anything() {
    let town = Town::new(Manner::Well).await;
    let running = run(town.config(), later);
    told(&running, 1).await;
    town.served.behave(Manner::Away);
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    let mut files = fs::read_dir(town.cache.path()).unwrap().flatten().map(|entry| entry.path());
    let lock = files.find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
    let other = fs::File::options().write(true).open(lock).unwrap();
    let other = tokio::task::spawn_blocking(move || other.lock().map(|()| other)).await.unwrap().unwrap();
    // Some looks of this process, and some tries to fetch.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    drop(other);
    let asked = town.served.asked();
    while town.served.asked() == asked {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(alerts(&running.kept.events()).len(), 1, "it is away all the time");
    town.served.behave(Manner::Well);
    running.kept.until(|state| alerts(&state.events).len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_share_one_clone() {
    let town = Town::new(Manner::Well).await;
    let opening: Vec<_> = (0..4).map(|_| tokio::spawn(opened(town.config()))).collect();
    for opened in opening {
        opened.await.unwrap().unwrap();
    }
    assert_eq!(town.clones().len(), 1);
    let running: Vec<_> = (0..3).map(|_| run(town.config(), later)).collect();
    for number in 1..4 {
        town.repo.change(&format!("src/{number}"), "x", &format!("change {number}"), number);
        for running in &running {
            told(running, usize::try_from(number).unwrap() + 1).await;
        }
    }
    for running in &running {
        assert_eq!(alerts(&running.kept.events()).len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_repository_holds_is_told_and_does_nothing() {
    let town = Town::new(Manner::Well).await;
    let repo = &town.repo;
    let mark = town.cache.path().join("somebody-ran-this");
    let script = format!("#!/bin/sh\ntouch {}\n", mark.display());
    // Hooks of the server's repository, and what looks like a repository's inside in its tree.
    for hook in ["post-checkout", "reference-transaction", "post-merge", "update"] {
        repo.write(&format!("hooks/{hook}"), &script);
        repo.write(&format!(".githooks/{hook}"), &script);
    }
    repo.write(
        ".gitmodules",
        &format!("[submodule \"-u./x\"]\n\tpath = x\n\turl = ext::sh -c \"touch {}\"\n", mark.display()),
    );
    repo.write("config", &format!("[core]\n\tfsmonitor = \"touch {}\"\n\thooksPath = hooks\n", mark.display()));
    repo.write("objects/info/alternates", "/etc\n");
    repo.write(".gitattributes", "* filter=run diff=run\n");
    repo.commit("hostile files", 1);
    // A link called .git, which the command refuses to add, and a path that leaves the repository.
    let blob = literally(&repo.path(), "blob", b"/tmp");
    let tree = literally(
        &repo.path(),
        "tree",
        &[b"120000 .git\0", bytes(&blob).as_slice(), b"120000 ..\0", &bytes(&blob)].concat(),
    );
    let head = repo.git(&["rev-parse", "HEAD"]);
    let commit = repo.git(&["commit-tree", &tree, "-p", &head, "-m", "a link called .git"]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let running = run(town.config(), later);
    told(&running, 3).await;
    assert!(work(&running.kept.events()).iter().any(|work| work.ends_with("a link called .git")));
    repo.git(&["reset", "--quiet", "--hard", &head]);
    repo.change("src/b", "b", "goes on", 2);
    told(&running, 4).await;
    let [clone] = <[PathBuf; 1]>::try_from(town.clones()).unwrap();
    assert!(!mark.exists(), "something ran");
    assert!(!clone.join("hooks").exists() && !clone.join("objects/info/alternates").exists());
    let own = fs::read_to_string(clone.join("config")).unwrap();
    assert!(own.contains("bare = true") && !own.contains("fsmonitor"), "{own}");
}

/// Writes an object as it is, whatever Git thinks of it, and gives its id.
fn literally(folder: &Path, kind: &str, content: &[u8]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["hash-object", "-w", "--literally", "--stdin", "-t", kind]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn bytes(id: &str) -> Vec<u8> {
    (0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_on_a_server_waits_for_its_first_commit() {
    let repo = Repo::new();
    let served = Served::new(repo.path().parent().unwrap(), Manner::Well).await;
    let town = Town { repo, served, cache: tempfile::tempdir().unwrap() };
    let running = run(town.config(), later);
    running.kept.until(|state| !state.clocks.is_empty()).await;
    town.repo.change("src/a", "a", "the first", 0);
    told(&running, 1).await;
    assert_eq!(alerts(&running.kept.events()).len(), 0);
}
