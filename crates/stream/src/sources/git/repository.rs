//! A repository that can be opened again and again, and its branch's tip.
//!
//! Owns everything that can be wrong before the first commit is read. Knows nothing of commits' contents.

use super::{
    error::{GitError, KnownBranches},
    forge::Forge,
    remote::Remote,
};
use gix::{ObjectId, bstr::ByteSlice};
use std::path::{Path, PathBuf};

/// Most branches that a refusal names.
const BRANCHES_NAMED_MAX: usize = 5;

/// A repository and the branch that is told of.
#[derive(Debug)]
pub(super) struct Repository {
    /// As the witness's operator names it, without credentials.
    pub(super) name: String,
    pub(super) forge: Option<Forge>,
    pub(super) remote: Option<Remote>,
    path: PathBuf,
    branch: Branch,
    handle: gix::ThreadSafeRepository,
}

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Branch {
    /// A full reference name, fixed at the start: who switches branches in a work tree is not followed there.
    Named(String),
    /// Whatever `HEAD` points at: it is detached, or no commit exists yet.
    Head,
}

impl Repository {
    /// Opens `location`, a path or a URL; a URL is cloned into the cache folder first.
    ///
    /// # Errors
    /// When it is no repository, cannot be read or cloned, or has no branch `branch`.
    pub(super) fn open(location: &str, branch: Option<&str>, cache: Option<&Path>) -> Result<Self, GitError> {
        let (remote, path, name) = match Remote::parse(location) {
            Some(remote) => {
                let path = remote.clone_into_cache(cache)?;
                let name = remote.shown().to_owned();
                (Some(remote), path, name)
            }
            None => (None, PathBuf::from(location), location.to_owned()),
        };
        let handle = open_at(&path, &name)?;
        let repository = handle.to_thread_local();
        let branch = choose_branch(&repository, branch, &name)?;
        let origin = match &remote {
            Some(remote) => Some(remote.shown().to_owned()),
            None => repository.config_snapshot().string("remote.origin.url").map(|url| url.to_str_lossy().into_owned()),
        };
        let forge = origin.as_deref().and_then(Forge::of_remote);
        Ok(Self { name, forge, remote, path, branch, handle })
    }

    /// The repository for any thread.
    pub(super) fn handle(&self) -> &gix::ThreadSafeRepository {
        &self.handle
    }

    /// The repository's folder; of a URL, that of its clone.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the repository afresh: its packs, references and configuration may have been replaced.
    ///
    /// # Errors
    /// When it is no longer there or cannot be read.
    pub(super) fn reopen(&mut self) -> Result<(), GitError> {
        self.handle = open_at(&self.path, &self.name)?;
        Ok(())
    }

    /// The folder's name, `town` for `/srv/town`, `/srv/town/.git` and `/srv/town.git`.
    pub(super) fn folder_name(&self) -> String {
        let shown = match &self.remote {
            Some(remote) => PathBuf::from(remote.shown()),
            None => self.path.canonicalize().unwrap_or_else(|_| self.path.clone()),
        };
        let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = match named(&shown) {
            Some(name) if name == ".git" => shown.parent().and_then(named),
            name => name,
        };
        let name = name.unwrap_or_default();
        let name = name.strip_suffix(".git").unwrap_or(&name);
        if name.is_empty() { "repository".to_owned() } else { name.to_owned() }
    }

    /// The branch's name as people say it.
    pub(super) fn branch_name(&self) -> &str {
        match &self.branch {
            Branch::Named(name) => name.strip_prefix("refs/heads/").unwrap_or(name),
            Branch::Head => "HEAD",
        }
    }

    /// The commit that the branch points at; none while it does not exist.
    ///
    /// # Errors
    /// When the references cannot be read, or point at no commit.
    pub(super) fn tip(&mut self) -> Result<Option<ObjectId>, GitError> {
        let unreadable = |error: gix::Error| GitError::unreadable(&self.name, error);
        // References of a repository that was removed read as absent, which a deleted branch does too.
        if !self.handle.refs.git_dir().join("HEAD").exists() {
            let advice = "it was there when this began; put it back".to_owned();
            return Err(GitError::NotARepository { path: self.path.clone(), advice });
        }
        let repository = self.handle.to_thread_local();
        let reference = match &self.branch {
            Branch::Named(name) => repository.try_find_reference(name.as_str()).map_err(unreadable)?,
            Branch::Head => {
                let head = repository.head().map_err(unreadable)?;
                if head.is_unborn() {
                    return Ok(None);
                }
                if head.is_detached() {
                    return Ok(head.id().map(gix::Id::detach));
                }
                let name = head.referent_name().map(|name| name.as_bstr().to_str_lossy().into_owned());
                let reference = head.try_into_referent();
                // The first commit fixes the branch.
                if let Some(name) = name.filter(|_| reference.is_some()) {
                    self.branch = Branch::Named(name);
                }
                reference
            }
        };
        let Some(mut reference) = reference else { return Ok(None) };
        reference.peel_to_id().map(|id| Some(id.detach())).map_err(unreadable)
    }
}

fn open_at(path: &Path, name: &str) -> Result<gix::ThreadSafeRepository, GitError> {
    if !path.exists() {
        return Err(GitError::Missing { path: path.to_owned() });
    }
    let not_one = |advice: String| GitError::NotARepository { path: path.to_owned(), advice };
    if !path.is_dir() {
        return Err(not_one("it is a file; give the repository's folder".to_owned()));
    }
    gix::ThreadSafeRepository::open(path).map_err(|error| {
        if path.join(".git").exists() || path.join("HEAD").exists() {
            return GitError::unreadable(name, error);
        }
        not_one(match path.canonicalize().ok().as_deref().and_then(repository_above) {
            Some(above) => format!("it lies within one: give {}", above.display()),
            None => "give the path of one, or run `git init` there first".to_owned(),
        })
    })
}

fn repository_above(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|above| above.join(".git").exists())
}

fn choose_branch(repository: &gix::Repository, branch: Option<&str>, name: &str) -> Result<Branch, GitError> {
    let unreadable = |error: gix::Error| GitError::unreadable(name, error);
    let Some(branch) = branch else {
        let head = repository.head().map_err(unreadable)?;
        return Ok(match head.referent_name() {
            Some(referent) if !head.is_unborn() => Branch::Named(referent.as_bstr().to_str_lossy().into_owned()),
            _ => Branch::Head,
        });
    };
    let full = if branch.starts_with("refs/") { branch.to_owned() } else { format!("refs/heads/{branch}") };
    // A name that no reference can have is as absent as one that no reference has.
    if repository.try_find_reference(full.as_str()).ok().flatten().is_some() {
        return Ok(Branch::Named(full));
    }
    let mut names: Vec<String> = repository
        .references()
        .and_then(|references| {
            let branches = references.local_branches()?;
            Ok(branches
                .filter_map(Result::ok)
                .map(|branch| branch.name().shorten().to_str_lossy().into_owned())
                .collect())
        })
        .map_err(unreadable)?;
    names.sort();
    let more = names.len().saturating_sub(BRANCHES_NAMED_MAX);
    names.truncate(BRANCHES_NAMED_MAX);
    let known = KnownBranches { names, more };
    Err(GitError::NoBranch { repository: name.to_owned(), branch: branch.to_owned(), known })
}
