//! `cargo xtask test deny`: what comes from others, by `deny.toml`. Licences, sources and bans hold on every machine;
//! advisories are read where their database can be reached, and must be where the environment says `ADVISORIES=required`.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::tools::{self, Tool};
use crate::workspace::Workspace;

/// Where advisories are kept; cargo-deny's own default.
const ADVISORIES: &str = "https://github.com/RustSec/advisory-db";
/// How long its answer is waited for. A network without a way there may never say so.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// The workspaces, each with a lock file of its own.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];

/// Holds every dependency against `deny.toml`.
///
/// # Errors
/// When one breaks it, or cargo-deny cannot be had.
pub(crate) fn deny(workspace: &Workspace) -> Result<()> {
    let toolbox = tools::ensure(workspace, &[Tool::CargoDeny])?;
    let advised = match answers(ADVISORIES, ANSWERS_WITHIN)? {
        true => true,
        false if are_required() => bail!("the database of advisories does not answer: {ADVISORIES}"),
        false => {
            eprintln!("   advisories are not read: {ADVISORIES} does not answer; all else is held");
            false
        }
    };
    for manifest in MANIFESTS {
        let mut command = process::command(workspace, toolbox.path(Tool::CargoDeny)?);
        // Not the package of that manifest alone.
        command.args(["--workspace", "--locked", "--manifest-path", manifest, "--config"]);
        command.arg(workspace.root.join("deny.toml"));
        command.args(["check", "--allow", "unused-wrapper", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
        if advised {
            command.arg("advisories");
        }
        process::run(&format!("looking at what {manifest} has from others"), &mut command)?;
    }
    Ok(())
}

/// Whether advisories that cannot be read are a failure. `CI` does not say so: a machine of continuous integration may
/// well have no way to that database.
fn are_required() -> bool {
    std::env::var_os("ADVISORIES").is_some_and(|value| value == "required")
}

/// Whether a Git repository answers in time.
fn answers(repository: &str, within: Duration) -> Result<bool> {
    let mut git = Command::new("git");
    git.args(["ls-remote", "--quiet", repository, "HEAD"]).env("GIT_TERMINAL_PROMPT", "0");
    let git = git.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut asking = git.spawn().context("`git` cannot be started")?;
    let mut said = asking.stdout.take().context("git has a stdout")?;
    let (over, ended) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        // It closes its output when it ends; what it says is of no matter, and who waited may have gone.
        let _ = std::io::copy(&mut said, &mut std::io::sink());
        let _ = over.send(());
    });
    if ended.recv_timeout(within).is_err() {
        // It may have ended just now; either way it is over.
        let _ = asking.kill();
        let _ = asking.wait();
        return Ok(false);
    }
    Ok(asking.wait().context("`git` cannot be waited for")?.success())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::net::TcpListener;
    use std::time::Instant;

    const DOCUMENT: &str = include_str!("../../docs/dependencies.md");
    const LOCK: &str = include_str!("../../Cargo.lock");

    fn root() -> Workspace {
        Workspace::find().unwrap()
    }

    /// Every dependency that a manifest of this repository names, our own left out.
    fn direct() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let crates = std::fs::read_dir(root().root.join("crates")).unwrap();
        let crates = crates.map(|entry| entry.unwrap().path().join("Cargo.toml"));
        let others = ["Cargo.toml", "fuzz/Cargo.toml", "tests/Cargo.toml", "xtask/Cargo.toml"];
        for manifest in crates.chain(others.iter().map(|path| root().root.join(path))) {
            let table: toml::Table = std::fs::read_to_string(&manifest).unwrap().parse().unwrap();
            let targets = table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
            let mut tables: Vec<_> = targets.filter_map(|(_, target)| target.as_table()).collect();
            tables.push(&table);
            for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
                for named in tables.iter().filter_map(|table| table.get(kind)?.as_table()) {
                    found.extend(named.keys().filter(|name| !name.starts_with("monkeytown-")).cloned());
                }
            }
        }
        found
    }

    #[test]
    fn it_is_told_why_each_direct_dependency_is_here() {
        let rows = DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
        let told: BTreeSet<String> = rows
            .map(|(name, why)| {
                assert!(why.trim_end_matches(" |").len() > 10, "{name} is here for a reason");
                name.to_owned()
            })
            .collect();
        let direct = direct();
        assert!(direct.len() > 50, "{direct:?}");
        assert_eq!(told, direct, "docs/dependencies.md tells of each, and of no other");
        let count = format!("{} are named in a `Cargo.toml`", direct.len());
        assert!(DOCUMENT.contains(&count), "docs/dependencies.md does not say: {count}");
    }

    #[test]
    fn the_number_of_dependencies_is_that_of_the_lock_file() {
        let count = LOCK.lines().filter(|line| line.starts_with("source = ")).count();
        let told = format!("{count} packages of others");
        assert!(DOCUMENT.contains(&told), "docs/dependencies.md does not say: {told}");
    }

    #[test]
    fn who_does_not_answer_is_not_waited_for() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |listener: &TcpListener| format!("http://{}/db", listener.local_addr().unwrap());
        let (nobody, mute) = (address(&closed), address(&silent));
        drop(closed);
        let begun = Instant::now();
        assert!(!answers(&nobody, ANSWERS_WITHIN).unwrap());
        assert!(!answers(&mute, Duration::from_secs(1)).unwrap());
        assert!(begun.elapsed() < ANSWERS_WITHIN);
        assert!(answers(&root().root.display().to_string(), ANSWERS_WITHIN).unwrap());
    }
}
