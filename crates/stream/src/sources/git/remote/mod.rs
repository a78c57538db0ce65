//! A repository that lies behind a URL: cloned bare into a cache folder with the `git` command, and fetched.
//!
//! Owns credentials: they reach `git` by its environment alone, and no file, message or command line holds
//! them. `command` runs it, `cache` is the folder. Knows nothing of commits.

mod cache;
mod command;

use super::error::GitError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use cache::{Place, Turn};
use command::Failure;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A clone that takes longer is given up.
const CLONE_DEADLINE: Duration = Duration::from_secs(3_600);
/// A fetch that takes longer is given up, and tried again at the next interval.
const FETCH_DEADLINE: Duration = Duration::from_secs(600);
/// A look into a clone that takes longer is given up.
const LOOK_DEADLINE: Duration = Duration::from_secs(60);

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
    /// As it stands in the URL.
    user_info: String,
    /// As a server is told it (RFC 7617). `git` would hand a URL on to its helpers on their command lines, which every user
    /// of the machine can read; a header it does not.
    authorization: String,
}

impl Secret {
    fn new(user_info: &str) -> Self {
        let decoded: Vec<u8> = percent_decode_str(user_info).collect();
        // Without a colon all of it is the user: so are the tokens of most forges.
        let end: &[u8] = if user_info.contains(':') { b"" } else { b":" };
        let credentials = STANDARD.encode([&decoded, end].concat());
        Self { user_info: user_info.to_owned(), authorization: format!("Authorization: Basic {credentials}") }
    }
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
        Some(match authority.rsplit_once('@') {
            None => plain,
            // The user of `ssh://git@host/` is no secret. A password ssh takes from nobody's URL, so it goes no further.
            Some((user_info, host)) if scheme == "ssh" => {
                let user = user_info.split(':').next().unwrap_or_default();
                Self { shown: format!("ssh://{user}@{host}{path}"), secret: None }
            }
            Some((user_info, host)) => Self {
                shown: format!("{scheme}://{host}{path}"),
                secret: (!user_info.is_empty()).then(|| Secret::new(user_info)),
            },
        })
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
        let place = Place::new(cache, &self.digest()).map_err(no_cache)?;
        let turn = place.wait_for_turn().map_err(no_cache)?;
        place.clear(&turn);
        let folder = place.folder();
        if folder.exists() {
            if self.is_sound(&folder)? {
                // What the cache holds is worth showing even when the network is away: following fetches again.
                if let Err(error) = self.fetch_in_turn(&folder, &turn) {
                    tracing::warn!(%error, "showing the clone as it was last fetched");
                }
                return Ok(folder);
            }
            tracing::warn!(url = self.shown, "the clone in the cache is damaged, cloning anew");
            cache::remove(&folder).map_err(no_cache)?;
        }
        tracing::info!(url = self.shown, "cloning, this takes as long as the repository is large");
        // Cloned beside and renamed, so that a clone that was broken off is never taken for a whole one.
        let unfinished = place.unfinished();
        let mut command = Command::new("git");
        command.args(["clone", "--quiet", "--bare", "--no-tags", "--template=", "--", &self.shown]).arg(&unfinished);
        let cloned = self.run("git clone", command, CLONE_DEADLINE);
        let cloned = cloned.and_then(|_| if cache::has_branches(&unfinished) { Ok(()) } else { self.is_repository() });
        let placed = cloned.and_then(|()| fs::rename(&unfinished, &folder).map_err(no_cache));
        if placed.is_err() {
            // Best effort: the next start removes it too, and the refusal that counts is the first.
            let _ = cache::remove(&unfinished);
        }
        placed.map(|()| folder)
    }

    /// Whether a clone can be read: its references, and what they point at.
    fn is_sound(&self, folder: &Path) -> Result<bool, GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder).args(["for-each-ref", "refs/heads"]);
        match self.run("git for-each-ref", command, LOOK_DEADLINE) {
            Ok(_) => Ok(true),
            Err(GitError::Transfer { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Over HTTP `git` takes any page without a line that looks like a reference for a repository that is still empty. A
    /// repository's server of our days answers in packets.
    fn is_repository(&self) -> Result<(), GitError> {
        if !self.protocols().starts_with("http") {
            return Ok(());
        }
        let mut command = Command::new("git");
        command.args(["ls-remote", "--quiet", "--", &self.shown]).env("GIT_TRACE_PACKET", "1");
        if self.run("git clone", command, LOOK_DEADLINE)?.contains("packet:") {
            return Ok(());
        }
        let reason = "what is there is no Git repository".to_owned();
        Err(GitError::Transfer { action: "git clone", url: self.shown.clone(), reason })
    }

    /// Brings the branches of the clone in `folder` up to date; those that are gone there go here too. Where another
    /// process does so just now, there is nothing to do.
    ///
    /// # Errors
    /// When fetching did not succeed.
    pub(super) fn fetch(&self, folder: &Path) -> Result<(), GitError> {
        let no_cache = |error: io::Error| GitError::NoCache { reason: format!("{}: {error}", folder.display()) };
        let turn = Place::of(folder).map(|place| place.turn()).transpose().map_err(no_cache)?;
        match turn.flatten() {
            Some(turn) => self.fetch_in_turn(folder, &turn),
            None => Ok(()),
        }
    }

    fn fetch_in_turn(&self, folder: &Path, _turn: &Turn) -> Result<(), GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder);
        command.args(["fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-auto-gc", "--", &self.shown]);
        command.arg("+refs/heads/*:refs/heads/*");
        self.run("git fetch", command, FETCH_DEADLINE).map(|_| ())
    }

    fn digest(&self) -> String {
        Sha256::digest(self.shown.as_bytes()).iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }

    /// What may be spoken: nothing that is less safe than what was asked for.
    fn protocols(&self) -> &'static str {
        match self.shown.split_once("://") {
            Some(("https", _)) => "https",
            Some(("http", _)) => "http:https",
            Some(("file", _)) => "file",
            _ => "ssh",
        }
    }

    fn run(&self, action: &'static str, command: Command, deadline: Duration) -> Result<String, GitError> {
        let mut settings = Vec::new();
        if let Some(secret) = &self.secret {
            settings.push((format!("http.{}.extraHeader", self.shown), secret.authorization.clone()));
            // Whoever is redirected to must not be told them.
            settings.push(("http.followRedirects".to_owned(), "false".to_owned()));
        }
        command::run(command, &settings, self.protocols(), deadline).map_err(|failure| match failure {
            Failure::NotThere(reason) => GitError::NoGitCommand { reason },
            Failure::Said(reason) => {
                GitError::Transfer { action, url: self.shown.clone(), reason: self.without_secret(&reason) }
            }
        })
    }

    fn without_secret(&self, text: &str) -> String {
        match &self.secret {
            Some(secret) => {
                let mut text = text.replace(&format!("{}@", secret.user_info), "");
                if let Some((_, password)) = secret.user_info.split_once(':').filter(|(_, word)| !word.is_empty()) {
                    text = text.replace(password, "***");
                }
                text
            }
            None => text.to_owned(),
        }
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
        assert_eq!(said, "fatal: 'https://h.example/o/n/' *** not found");
        let secret = remote.secret.as_ref().expect("credentials");
        assert_eq!(secret.authorization, "Authorization: Basic dXNlcjpodW50ZXIy");
        let token = Remote::parse("https://a%40b@h/o/n").and_then(|remote| remote.secret).expect("credentials");
        assert_eq!(token.authorization, "Authorization: Basic YUBiOg==");
        let empty = Remote::parse("https://@h/o/n").expect("a URL");
        assert_eq!((empty.shown(), empty.without_secret("as it is")), ("https://h/o/n", "as it is".to_owned()));
        assert_eq!(Remote::parse("ssh://git:hunter2@h/o/n").expect("a URL").shown(), "ssh://git@h/o/n");
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
        let left: Vec<_> = fs::read_dir(folder.path().join("cache")).expect("made").flatten().collect();
        assert!(left.iter().all(|entry| entry.path().extension().is_some_and(|end| end == "lock")), "{left:?}");
    }
}
