//! A repository that lies behind a URL: cloned bare into a cache folder with the `git` command, and fetched.
//!
//! Owns credentials: they reach `git` by its environment alone, and no file, message or command line holds
//! them. Knows nothing of commits.

use super::error::GitError;
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A clone that takes longer is given up.
const CLONE_DEADLINE: Duration = Duration::from_secs(3_600);
/// A fetch that takes longer is given up, and tried again at the next interval.
const FETCH_DEADLINE: Duration = Duration::from_secs(600);
/// Most that is read of what `git` writes, in bytes.
const OUTPUT_MAX_BYTES: u64 = 64 * 1024;

/// A URL that `git` can clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// Without credentials.
    shown: String,
    /// As it was given, when it has credentials.
    secret: Option<Secret>,
}

/// What is never shown.
#[derive(Clone, PartialEq, Eq)]
struct Secret {
    url: String,
    user_info: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Remote {
    /// A URL of a kind that is cloned; none for a path.
    pub(super) fn parse(location: &str) -> Option<Self> {
        let plain = Self { shown: location.to_owned(), secret: None };
        let (scheme, rest) = match location.split_once("://") {
            Some(parts @ ("https" | "http" | "ssh" | "file", _)) => parts,
            Some(_) => return None,
            None => return location.starts_with("git@").then_some(plain),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        // The user of `ssh://git@host/` is no secret; a password is one wherever it stands.
        match authority.rsplit_once('@') {
            Some((user_info, host)) if scheme != "ssh" || user_info.contains(':') => Some(Self {
                shown: format!("{scheme}://{host}{path}"),
                secret: Some(Secret { url: location.to_owned(), user_info: user_info.to_owned() }),
            }),
            _ => Some(plain),
        }
    }

    /// The URL without credentials.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The folder of the clone, made now when it is not there.
    ///
    /// # Errors
    /// When there is no folder for it, or cloning or fetching did not succeed.
    pub(super) fn clone_into_cache(&self, cache: Option<&Path>) -> Result<PathBuf, GitError> {
        match cache {
            Some(cache) => self.clone_into(cache),
            None => self.clone_into(&cache_folder()?),
        }
    }

    fn clone_into(&self, cache: &Path) -> Result<PathBuf, GitError> {
        let no_cache = |error: io::Error| GitError::NoCache { reason: format!("{}: {error}", cache.display()) };
        fs::create_dir_all(cache).map_err(no_cache)?;
        let folder = cache.join(format!("{}.git", self.digest()));
        if folder.join("HEAD").exists() {
            // What the cache holds is worth showing even when the network is away: following fetches again.
            if let Err(error) = self.fetch(&folder) {
                tracing::warn!(%error, "showing the clone as it was last fetched");
            }
            return Ok(folder);
        }
        tracing::info!(url = self.shown, "cloning, this takes as long as the repository is large");
        // Cloned beside and renamed, so that a clone that was broken off is never taken for a whole one.
        let unfinished = cache.join(format!("{}.{}.unfinished", self.digest(), std::process::id()));
        remove(&unfinished).map_err(no_cache)?;
        let mut command = Command::new("git");
        command.args(["clone", "--quiet", "--bare", "--no-tags", "--", &self.shown]).arg(&unfinished);
        let cloned = self.run("git clone", command, CLONE_DEADLINE);
        let placed = cloned.and_then(|()| fs::rename(&unfinished, &folder).map_err(no_cache));
        if placed.is_err() {
            // Best effort: the next attempt removes it too, and the refusal that counts is the first.
            let _ = remove(&unfinished);
        }
        placed.map(|()| folder)
    }

    /// Brings the branches of the clone in `folder` up to date; those that are gone there go here too.
    ///
    /// # Errors
    /// When fetching did not succeed.
    pub(super) fn fetch(&self, folder: &Path) -> Result<(), GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder);
        command.args(["fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-auto-gc", "--", &self.shown]);
        command.arg("+refs/heads/*:refs/heads/*");
        self.run("git fetch", command, FETCH_DEADLINE)
    }

    fn digest(&self) -> String {
        Sha256::digest(self.shown.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }

    fn run(&self, action: &'static str, mut command: Command, deadline: Duration) -> Result<(), GitError> {
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "true")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(inherited);
        }
        if env::var_os("GIT_SSH_COMMAND").is_none() {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15");
        }
        // A peer that stalls is given up by git itself, long before the deadline.
        let mut config = vec![
            ("http.lowSpeedLimit".to_owned(), "1000".to_owned()),
            ("http.lowSpeedTime".to_owned(), "30".to_owned()),
        ];
        if let Some(secret) = &self.secret {
            config.push((format!("url.{}.insteadOf", secret.url), self.shown.clone()));
        }
        command.env("GIT_CONFIG_COUNT", config.len().to_string());
        for (at, (key, value)) in config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        let failed = |reason: String| GitError::Transfer { action, url: self.shown.clone(), reason };
        let mut child = command.spawn().map_err(|error| GitError::NoGitCommand { reason: error.to_string() })?;
        let stderr = child.stderr.take();
        let (send, ended) = mpsc::sync_channel(1);
        thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(mut stderr) = stderr {
                // What was read until then is what can be told.
                let _ = stderr.by_ref().take(OUTPUT_MAX_BYTES).read_to_end(&mut text);
                let _ = io::copy(&mut stderr, &mut io::sink());
            }
            // Nobody listens any more when the deadline has passed.
            let _ = send.send(String::from_utf8_lossy(&text).into_owned());
        });
        // `git` closes its standard error when it ends.
        let Ok(output) = ended.recv_timeout(deadline) else {
            // It may have ended just now, and then there is nothing to kill.
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(format!("no end after {} s", deadline.as_secs())));
        };
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        if status.success() {
            return Ok(());
        }
        let told = output.lines().map(str::trim).rfind(|line| line.starts_with("fatal:") || line.starts_with("error:"));
        let reason = told.or_else(|| output.lines().last()).unwrap_or("git said nothing");
        Err(failed(self.without_secret(reason)))
    }

    fn without_secret(&self, text: &str) -> String {
        match &self.secret {
            Some(secret) => {
                let mut text = text.replace(&secret.url, &self.shown).replace(&secret.user_info, "***");
                if let Some((_, password)) = secret.user_info.split_once(':').filter(|(_, word)| !word.is_empty()) {
                    text = text.replace(password, "***");
                }
                text
            }
            None => text.to_owned(),
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn cache_folder() -> Result<PathBuf, GitError> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("monkeytown").join("git"))
        .ok_or_else(|| GitError::NoCache { reason: "neither XDG_CACHE_HOME nor HOME is an absolute path".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_paths() {
        for url in ["https://h/o/n", "ssh://git@h/o/n", "git@h:o/n", "file:///srv/n"] {
            assert_eq!(Remote::parse(url).expect(url).shown(), url);
        }
        for path in ["/srv/n", "../n", ".", "n", "ext::sh -c x", "ext://x", "-x", "C:\\n"] {
            assert_eq!(Remote::parse(path), None, "{path}");
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        let remote = Remote::parse("https://user:hunter2@h.example/o/n").expect("a URL");
        assert_eq!(remote.shown(), "https://h.example/o/n");
        let said = remote.without_secret("fatal: 'https://user:hunter2@h.example/o/n/' hunter2 not found");
        for text in [said, format!("{remote:?}"), remote.digest()] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_clone_that_does_not_succeed_says_why_and_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("missing");
        let remote = Remote::parse(&format!("file://{}", missing.display())).expect("a URL");
        let error = remote.clone_into(&folder.path().join("cache")).expect_err("nothing is there").to_string();
        assert!(error.starts_with("git clone file://") && error.contains("fatal: "), "{error}");
        assert_eq!(fs::read_dir(folder.path().join("cache")).expect("made").count(), 0);
    }
}
