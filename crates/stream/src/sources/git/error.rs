//! What can be wrong with a repository, each as one line that says what to do.
//!
//! Owns the words; knows nothing of when a thing is tried again.

use std::{fmt, path::PathBuf};

/// Why a repository cannot be the source.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Nothing lies at the path.
    #[error("{}: no such folder; give --git the path of a Git repository, or its URL", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// A folder, but no repository.
    #[error("{}: not a Git repository; {advice}", path.display())]
    NotARepository {
        /// The path as it was given.
        path: PathBuf,
        /// What to do instead.
        advice: String,
    },
    /// A repository that the library cannot open or read.
    #[error("{repository}: cannot be read as a Git repository: {reason}")]
    Unreadable {
        /// The path or URL, without credentials.
        repository: String,
        /// The library's word.
        reason: String,
    },
    /// The branch asked for does not exist.
    #[error("{repository}: no branch `{branch}`; {known}")]
    NoBranch {
        /// The path or URL, without credentials.
        repository: String,
        /// The branch as it was given.
        branch: String,
        /// Branches that do exist.
        known: KnownBranches,
    },
    /// The branch that is followed exists no more, or not yet again.
    #[error("{repository}: the branch `{branch}` is gone")]
    BranchGone {
        /// The path or URL, without credentials.
        repository: String,
        /// The branch.
        branch: String,
    },
    /// The `git` command, which clones and fetches URLs, cannot be started.
    #[error("cannot start `git`, which clones and fetches URLs: {reason}; install Git, or give --git a local path")]
    NoGitCommand {
        /// The operating system's word.
        reason: String,
    },
    /// Cloning or fetching did not succeed.
    #[error("{action} {url} did not succeed: {reason}")]
    Transfer {
        /// `git clone` or `git fetch`.
        action: &'static str,
        /// The URL without credentials.
        url: String,
        /// The last line that `git` wrote, without credentials.
        reason: String,
    },
    /// The folder for clones cannot be had.
    #[error("no folder for the clone: {reason}; set XDG_CACHE_HOME to a folder that can be written")]
    NoCache {
        /// What is in the way.
        reason: String,
    },
}

impl GitError {
    /// Takes the library's error in, with its causes, on one line.
    pub(super) fn unreadable(repository: &str, error: impl std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !reason.contains(&text) {
                reason.push_str(": ");
                reason.push_str(&text);
            }
            cause = inner.source();
        }
        Self::Unreadable { repository: repository.to_owned(), reason: reason.replace('\n', "; ") }
    }
}

/// Some of the branches that exist, to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownBranches {
    /// The first few by name.
    pub names: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for KnownBranches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.names.as_slice(), self.more) {
            ([], _) => f.write_str("it has none yet; leave --git-branch out to wait for its first commit"),
            (names, 0) => write!(f, "it has {}", names.join(", ")),
            (names, more) => write!(f, "it has {} and {more} more", names.join(", ")),
        }
    }
}

/// A `--git-speed` that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no speed: give `auto`, `max`, or how many times as fast as it happened (a number over 0)")]
pub struct SpeedError {
    /// What was given.
    pub given: String,
}
