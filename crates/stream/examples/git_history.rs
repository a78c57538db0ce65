//! Measures reading a history: `git_history REPOSITORY [SPEED]` reads it into a sink that only counts, and prints
//! one JSON object; `git_history make-repo FOLDER COMMITS` makes a repository to read.

use monkeytown_protocol::{Event, EventType, Timestamp};
use monkeytown_stream::sources::{
    Sink, SourceClock,
    git::{GitConfig, GitSource, GitSpeed},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    io::{BufWriter, Write},
    process::{Command, ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Notify;

#[derive(Clone, Default)]
struct Counter {
    types: Arc<Mutex<BTreeMap<String, u64>>>,
    told: Arc<Notify>,
}

impl Sink for Counter {
    async fn append(&self, events: Vec<Event>) {
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            *types.entry(event.payload.type_name().to_owned()).or_default() += 1;
        }
    }

    /// The clock is set when the run begins, when telling begins, and when the history is told.
    fn set_clock(&self, _: SourceClock) {
        self.told.notify_one();
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["make-repo", folder, commits] => make_repository(folder, commits),
        [repository] => read(repository),
        _ => Err("usage: git_history REPOSITORY | git_history make-repo FOLDER COMMITS".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn read(repository: &str) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let source = GitSource::open(GitConfig {
        repository: repository.to_owned(),
        branch: None,
        speed: GitSpeed::Max,
        domains: None,
        fetch_seconds: 3_600,
        cache: None,
    })?;
    let counter = Counter::default();
    let told = counter.told.clone();
    let end = async {
        // At `max`: once at the start, once when all is told. The run goes on to follow, and is dropped.
        told.notified().await;
        told.notified().await;
    };
    tokio::select! {
        () = end => {}
        never = source.run(counter.clone(), now) => match never {},
    }
    let seconds = begun.elapsed().as_secs_f64();
    let types = counter.types.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known: Vec<_> = EventType::known().iter().map(|(_, name)| *name).collect();
    debug_assert!(types.keys().all(|name| known.contains(&name.as_str())));
    let memory = |field: &str| {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field).map(str::to_owned));
        line.and_then(|line| line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()))
    };
    let report = serde_json::json!({
        "repository": repository,
        "seconds": seconds,
        "events": types.values().sum::<u64>(),
        "peak_rss_kib": memory("VmHWM"),
        // Of that, what no file backs: packs are mapped, and the kernel may drop those pages at any time.
        "anonymous_rss_kib_at_end": memory("RssAnon"),
        "by_type": types,
    });
    println!("{report}");
    Ok(())
}

/// A history like real ones: ten folders with nested ones, some 400 files that grow and change, one to five files
/// a commit, one commit in twenty merges a branch, one in forty is a squashed pull request.
fn make_repository(folder: &str, commits: &str) -> Result<(), Box<dyn Error>> {
    let commits: u64 = commits.parse()?;
    let run = |arguments: &[&str]| -> Result<(), Box<dyn Error>> {
        let status = Command::new("git").args(arguments).status()?;
        if status.success() { Ok(()) } else { Err(format!("git {arguments:?} did not succeed").into()) }
    };
    run(&["init", "--quiet", "--bare", "--initial-branch=main", folder])?;
    let mut importer =
        Command::new("git").args(["--git-dir", folder, "fast-import", "--quiet"]).stdin(Stdio::piped()).spawn()?;
    let mut out = BufWriter::new(importer.stdin.take().ok_or("git fast-import takes no input")?);
    write_history(&mut out, commits)?;
    out.flush()?;
    drop(out);
    if !importer.wait()?.success() {
        return Err("git fast-import did not succeed".into());
    }
    run(&["--git-dir", folder, "repack", "-adfq"])
}

fn write_history(out: &mut impl Write, commits: u64) -> std::io::Result<()> {
    const FOLDERS: [&str; 10] =
        ["api", "assets", "client", "core", "docs", "infra", "protocol", "scripts", "server", "tests"];
    const FILES: usize = 40;
    let mut random = fastrand::Rng::with_seed(7);
    let mut lines: Vec<Vec<String>> = vec![Vec::new(); FOLDERS.len() * FILES];
    let mut time = 1_500_000_000_u64;
    let mut side: Option<u64> = None;
    let mut on_side = BTreeSet::new();
    for mark in 1..=commits {
        time += random.u64(20..6_000);
        let merge = side.filter(|_| mark % 20 == 0);
        // From 20n+14 to 20n+19 the commits go to a branch that starts at 20n+13.
        let branched = mark % 20 > 13 && mark < commits;
        let parent = match (merge, side) {
            (Some(_), _) => Some(mark / 20 * 20 - 7),
            (None, Some(tip)) if branched => Some(tip),
            _ => mark.checked_sub(1).filter(|parent| *parent > 0),
        };
        let message = match merge {
            Some(_) => format!("Merge pull request #{mark} from town/branch-{mark}\n\nbring change {mark} in\n"),
            None if mark % 40 == 3 => format!("change number {mark} (#{mark})\n"),
            None => format!("change number {mark}\n\nwhat it does, in a sentence or two.\n"),
        };
        let who = random.usize(0..30);
        writeln!(out, "commit refs/heads/main\nmark :{mark}")?;
        for role in ["author", "committer"] {
            writeln!(out, "{role} Person {who} <person{who}@example.org> {time} +0000")?;
        }
        write!(out, "data {}\n{message}", message.len())?;
        if let Some(parent) = parent {
            writeln!(out, "from :{parent}")?;
        }
        if let Some(tip) = merge {
            writeln!(out, "merge :{tip}")?;
        }
        side = (branched && merge.is_none()).then_some(mark);
        // Nothing happened beside the branch, so what it changed is what the merge brings.
        let mut changed = if merge.is_some() { std::mem::take(&mut on_side) } else { BTreeSet::new() };
        let home = random.usize(0..FOLDERS.len());
        for _ in 0..random.usize(1..=5) {
            let folder = if random.u8(0..5) == 0 { random.usize(0..FOLDERS.len()) } else { home };
            let file = random.usize(0..FILES);
            let at = folder * FILES + file;
            changed.insert(at);
            if side.is_some() {
                on_side.insert(at);
            }
            let Some(text) = lines.get_mut(at) else { continue };
            if text.len() < 20 || random.bool() {
                let other = random.choice(FOLDERS).unwrap_or("core");
                for _ in 0..random.usize(1..8) {
                    text.push(format!("let value_{} = compute(step_{mark}); // {}", random.u32(..), random.u64(..)));
                }
                if random.u8(0..10) == 0 {
                    text.push(format!("see {other}/part{}/file{file}.txt", random.u8(0..4)));
                }
            } else {
                let at = random.usize(0..text.len());
                if let Some(line) = text.get_mut(at) {
                    *line = format!("let changed_{} = compute(step_{mark});", random.u32(..));
                }
            }
            if text.len() > 80 {
                text.drain(..40);
            }
        }
        for at in changed {
            let Some((text, name)) = lines.get(at).zip(FOLDERS.get(at / FILES)) else { continue };
            let (file, content) = (at % FILES, text.join("\n"));
            writeln!(
                out,
                "M 100644 inline {name}/part{}/deep/file{file}.txt\ndata {}\n{content}",
                file % 4,
                content.len()
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}
