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
    time::{Duration, SystemTime},
};

/// A clone that takes longer is given up.
const CLONE_DEADLINE: Duration = Duration::from_secs(3_600);
/// A fetch that takes longer is given up, and tried again at the next interval.
const FETCH_DEADLINE: Duration = Duration::from_secs(600);
/// A look into a clone that takes longer is given up.
const LOOK_DEADLINE: Duration = Duration::from_secs(60);
/// Packing that takes longer is given up.
const PACK_DEADLINE: Duration = Duration::from_secs(600);
/// When packing did not come to its end, it is tried again after this time.
const PACK_AGAIN: Duration = Duration::from_secs(86_400);
/// What packing may take: one processor, some memory, and no large pack is written anew.
const PACKING: [&str; 5] = [
    "gc.autoDetach=false",
    "gc.bigPackThreshold=256m",
    "pack.threads=1",
    "pack.windowMemory=64m",
    "gc.writeCommitGraph=false",
];
/// What `git` says of a clone that is damaged. Of all else that may be wrong, such as a folder that may not be read, a clone
/// is not the cause, and cloning anew not the cure.
const DAMAGE: [&str; 12] = [
    "not a git repository",
    "object file",
    "unterminated line",
    "missing object",
    "bad object",
    "bad config",
    "bad signature",
    "corrupt",
    "unable to parse",
    "unexpected line",
    "inflate",
    "garbage",
];

/// Whether what `git` `said` is about the clone in `folder`, and not about this machine.
fn is_damage(said: &str, folder: &Path) -> bool {
    // The configuration of whoever started the stream is read with each command, and memory may be short.
    let of_the_machine = |said: &str| {
        said.contains("command-line")
            || said.contains("memory")
            || (said.contains("bad config") && !said.contains(&*folder.to_string_lossy()))
    };
    // To git a folder that it may not read is no repository.
    let unreadable = |name: &str| {
        let read = fs::metadata(folder.join(name)).and_then(|found| match found.is_dir() {
            true => fs::read_dir(folder.join(name)).map(drop),
            false => fs::File::open(folder.join(name)).map(drop),
        });
        read.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    DAMAGE.iter().any(|words| said.contains(words))
        && !of_the_machine(said)
        && !["", "HEAD", "objects", "refs"].into_iter().any(unreadable)
}

/// What became of a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// The clone is as its origin is.
    Done,
    /// Another process was at it, and nothing was asked.
    ByAnother,
}

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
            if self.is_sound(&folder, &turn, LOOK_DEADLINE)? {
                // What the cache holds is worth showing even when the network is away: following fetches again.
                if let Err(error) = self.fetch_in_turn(&folder, &turn) {
                    tracing::warn!(%error, "showing the clone as it was last fetched");
                }
                self.tell_size(&folder);
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
        let cloned = self.run("git clone", &command, &turn, CLONE_DEADLINE);
        let cloned =
            cloned.and_then(|_| if cache::has_branches(&unfinished) { Ok(()) } else { self.is_repository(&turn) });
        let placed = cloned.and_then(|()| fs::rename(&unfinished, &folder).map_err(no_cache));
        if placed.is_err() {
            // Best effort: the next start removes it too, and the refusal that counts is the first.
            let _ = cache::remove(&unfinished);
        }
        placed?;
        self.tell_size(&folder);
        Ok(folder)
    }

    /// What a clone takes is bounded by what its origin holds alone, so it is said.
    fn tell_size(&self, folder: &Path) {
        tracing::info!(url = self.shown, bytes = cache::bytes(folder), "the clone lies in the cache");
    }

    /// Whether a clone can be read: its references, and what they point at. One of which that cannot be told in time is taken
    /// for sound: what is wrong with it is said when it is read.
    ///
    /// # Errors
    /// When something else than the clone is in the way.
    fn is_sound(&self, folder: &Path, turn: &Turn, deadline: Duration) -> Result<bool, GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder).args(["for-each-ref", "refs/heads"]);
        match self.run_for("git for-each-ref", &command, turn, deadline)? {
            Ok(_) => Ok(true),
            Err(Failure::Late(deadline)) => {
                tracing::warn!(
                    seconds = deadline.as_secs(),
                    "the clone could not be looked at in time, it is taken as it is"
                );
                Ok(true)
            }
            Err(Failure::Said(said)) if is_damage(&said, folder) => Ok(false),
            Err(failure) => {
                let reason = format!("{}: {}", folder.display(), self.words("git for-each-ref", failure));
                Err(GitError::NoCache { reason })
            }
        }
    }

    /// Over HTTP `git` takes any page without a line that looks like a reference for a repository that is still empty. A
    /// repository's server of our days answers in packets.
    fn is_repository(&self, turn: &Turn) -> Result<(), GitError> {
        if !self.protocols().starts_with("http") {
            return Ok(());
        }
        let mut command = Command::new("git");
        command.args(["ls-remote", "--quiet", "--", &self.shown]).env("GIT_TRACE_PACKET", "1");
        if self.run("git clone", &command, turn, LOOK_DEADLINE)?.contains("packet:") {
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
    pub(super) fn fetch(&self, folder: &Path) -> Result<Fetched, GitError> {
        let no_cache = |error: io::Error| GitError::NoCache { reason: format!("{}: {error}", folder.display()) };
        let Some(place) = Place::of(folder) else { return Ok(Fetched::ByAnother) };
        let Some(turn) = place.turn().map_err(no_cache)? else { return Ok(Fetched::ByAnother) };
        self.fetch_in_turn(folder, &turn)?;
        self.pack(&place, &turn);
        Ok(Fetched::Done)
    }

    /// Every fetch leaves objects or a pack. Where there are many of either, `git` puts them together; that it does not
    /// succeed makes a clone larger, and no worse.
    fn pack(&self, place: &Place, turn: &Turn) {
        let mark = place.packing();
        let begun = fs::metadata(&mark).and_then(|mark| mark.modified());
        let age = begun.ok().and_then(|begun| SystemTime::now().duration_since(begun).ok());
        if age.is_some_and(|age| age < PACK_AGAIN) {
            return;
        }
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(place.folder());
        PACKING.iter().for_each(|setting| {
            command.args(["-c", *setting]);
        });
        command.args(["gc", "--auto", "--quiet"]);
        let packed = match fs::write(&mark, "") {
            Ok(()) => self.run("git gc", &command, turn, PACK_DEADLINE).map(|_| ()),
            Err(error) => Err(GitError::NoCache { reason: format!("{}: {error}", mark.display()) }),
        };
        match packed.map(|()| fs::remove_file(&mark)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the clone is packed again in a day"),
            Err(error) => tracing::warn!(%error, "the clone could not be packed, and grows until it can"),
        }
    }

    fn fetch_in_turn(&self, folder: &Path, turn: &Turn) -> Result<(), GitError> {
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(folder);
        command.args(["fetch", "--quiet", "--prune", "--no-tags", "--force", "--no-auto-gc", "--", &self.shown]);
        command.arg("+refs/heads/*:refs/heads/*");
        self.run("git fetch", &command, turn, FETCH_DEADLINE).map(|_| ())
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

    fn run(
        &self,
        action: &'static str,
        command: &Command,
        turn: &Turn,
        deadline: Duration,
    ) -> Result<String, GitError> {
        self.run_for(action, command, turn, deadline)?.map_err(|failure| self.words(action, failure))
    }

    fn run_for(
        &self,
        action: &'static str,
        command: &Command,
        turn: &Turn,
        deadline: Duration,
    ) -> Result<Result<String, Failure>, GitError> {
        let mut settings = Vec::new();
        if let Some(secret) = &self.secret {
            settings.push((format!("http.{}.extraHeader", self.shown), secret.authorization.clone()));
            // Whoever is redirected to must not be told them.
            settings.push(("http.followRedirects".to_owned(), "false".to_owned()));
        }
        let held = turn.held().map_err(|error| self.words(action, Failure::Said(error.to_string())))?;
        Ok(command::run(command, &settings, self.protocols(), deadline, held))
    }

    fn words(&self, action: &'static str, failure: Failure) -> GitError {
        let reason = match failure {
            Failure::NotThere(reason) => return GitError::NoGitCommand { reason },
            Failure::Late(deadline) => format!("no end after {} s", deadline.as_secs()),
            Failure::Said(reason) => self.without_secret(&reason),
        };
        GitError::Transfer { action, url: self.shown.clone(), reason }
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
    fn what_is_wrong_with_the_machine_is_no_damage_of_the_clone() {
        let folder = Path::new("/var/cache/town.git");
        for damage in [
            "fatal: not a git repository: '/var/cache/town.git'",
            "fatal: bad config line 3 in file /var/cache/town.git/config",
            "fatal: unterminated line in ./packed-refs: 0123",
            "error: object file ./objects/ab/cd is empty",
        ] {
            assert!(is_damage(damage, folder), "{damage}");
        }
        for other in [
            "fatal: bad config line 1 in file /home/town/.gitconfig",
            "fatal: unable to parse command-line config",
            "error: inflate: out of memory",
            "fatal: unable to access '/var/cache/town.git/config': Permission denied",
        ] {
            assert!(!is_damage(other, folder), "{other}");
        }
    }

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
    fn a_clone_is_thrown_away_for_what_is_wrong_with_it_and_for_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let town = folder.path().join("town");
        let made = Command::new("git").args(["init", "--quiet", "--bare"]).arg(&town).status().expect("git runs");
        assert!(made.success());
        let remote = Remote::parse(&format!("file://{}", town.display())).expect("a URL");
        let cache = folder.path().join("cache");
        let clone = remote.clone_into(&cache).expect("it is cloned");
        let place = Place::of(&clone).expect("a place");
        let turn = place.turn().expect("a lock").expect("free");
        assert!(remote.is_sound(&clone, &turn, LOOK_DEADLINE).expect("a look"));
        assert!(remote.is_sound(&clone, &turn, Duration::ZERO).expect("slow is not damaged"));
        let config = clone.join("config");
        let sound = fs::read(&config).expect("a file");
        fs::write(&config, "[core").expect("written");
        assert!(!remote.is_sound(&clone, &turn, LOOK_DEADLINE).expect("damaged"));
        // A repository of a kind that this git does not know yet is not damaged.
        fs::write(&config, "[core]\nrepositoryformatversion = 9\nbare = true\n").expect("written");
        let strange = remote.is_sound(&clone, &turn, LOOK_DEADLINE).expect_err("unknown").to_string();
        assert!(strange.contains("git for-each-ref") && strange.contains(".git"), "{strange}");
        fs::write(&config, sound).expect("written");
    }

    #[test]
    fn packing_that_did_not_end_is_left_alone_for_a_day() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(folder.path(), "a").expect("made");
        let turn = place.turn().expect("a lock").expect("free");
        let remote = Remote::parse("https://h/o/n").expect("a URL");
        // There is no clone, so packing does not succeed, and leaves its mark.
        remote.pack(&place, &turn);
        let marked = fs::metadata(place.packing()).and_then(|mark| mark.modified()).expect("a mark");
        remote.pack(&place, &turn);
        let again = || fs::metadata(place.packing()).and_then(|mark| mark.modified()).expect("a mark");
        assert_eq!(again(), marked);
        let old = SystemTime::now() - PACK_AGAIN * 2;
        fs::File::options().write(true).open(place.packing()).and_then(|mark| mark.set_modified(old)).expect("set");
        remote.pack(&place, &turn);
        assert!(again() >= marked, "a day later it is tried again");
        Command::new("git").args(["init", "--quiet", "--bare"]).arg(place.folder()).status().expect("git runs");
        fs::remove_file(place.packing()).expect("removed");
        remote.pack(&place, &turn);
        assert!(!place.packing().exists());
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
