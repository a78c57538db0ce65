//! The folder of clones: one process at a time changes a clone, and what a process that was killed left is mended.
//!
//! Knows nothing of URLs and credentials.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

/// Lock files of `git` that are older than any run of it are of one that was killed.
const LOCKS_LAST: Duration = Duration::from_secs(3_600);

/// Where the clone of one URL lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    cache: PathBuf,
    /// What tells its clone from others.
    name: String,
}

/// The right to change a clone, given back when this and the commands that run for it are gone, with the process or without.
#[derive(Debug)]
pub(super) struct Turn {
    lock: File,
}

impl Turn {
    /// The turn for a command too: it is given back when that has ended as well.
    ///
    /// # Errors
    /// When the system has no more files to give.
    pub(super) fn held(&self) -> io::Result<Stdio> {
        self.lock.try_clone().map(Stdio::from)
    }
}

impl Place {
    /// The place of `name` in the folder `cache`, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub(super) fn new(cache: &Path, name: &str) -> io::Result<Self> {
        fs::create_dir_all(cache)?;
        Ok(Self { cache: cache.to_owned(), name: name.to_owned() })
    }

    /// The place of a clone that lies in `folder`.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.strip_suffix(".git")?;
        Some(Self { cache: folder.parent()?.to_owned(), name: name.to_owned() })
    }

    /// The clone.
    pub(super) fn folder(&self) -> PathBuf {
        self.cache.join(format!("{}.git", self.name))
    }

    /// Where a clone is made until it is whole.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.cache.join(format!("{}.{}.unfinished", self.name, std::process::id()))
    }

    /// The mark of a packing that has not ended.
    pub(super) fn packing(&self) -> PathBuf {
        self.cache.join(format!("{}.packing", self.name))
    }

    /// Waits until no other process changes the clone.
    ///
    /// # Errors
    /// When the lock cannot be had.
    pub(super) fn wait_for_turn(&self) -> io::Result<Turn> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                tracing::info!("another process clones or fetches this repository, waiting for it");
                lock.lock()?;
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        Ok(Turn { lock })
    }

    /// The turn, unless another process has it.
    ///
    /// # Errors
    /// When the lock cannot be had.
    pub(super) fn turn(&self) -> io::Result<Option<Turn>> {
        let lock = self.lock_file()?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Turn { lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn lock_file(&self) -> io::Result<File> {
        File::options().create(true).truncate(false).write(true).open(self.cache.join(format!("{}.lock", self.name)))
    }

    /// Takes away what processes that were killed left: clones that they had begun, and old locks of `git`.
    pub(super) fn clear(&self, _turn: &Turn) {
        let begun = format!("{}.", self.name);
        let is_begun = |name: &str| name.starts_with(&begun) && name.ends_with(".unfinished");
        for entry in fs::read_dir(&self.cache).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_begun)
                && let Err(error) = remove(&entry.path())
            {
                tracing::warn!(%error, "a clone that was broken off cannot be taken away");
            }
        }
        let folder = self.folder();
        remove_old_locks(&folder, false);
        remove_old_locks(&folder.join("refs"), true);
    }
}

fn remove_old_locks(folder: &Path, deep: bool) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
        if kind.is_dir() && deep {
            remove_old_locks(&path, true);
        }
        let age = || SystemTime::now().duration_since(entry.metadata().ok()?.modified().ok()?).ok();
        if kind.is_file() && path.extension().is_some_and(|end| end == "lock") && age() >= Some(LOCKS_LAST) {
            tracing::info!("a lock that a killed git left is taken away");
            // Where it cannot be, git says so.
            let _ = fs::remove_file(&path);
        }
    }
}

/// How many bytes a folder's files have, as far as they can be seen.
pub(super) fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let each = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    each.sum()
}

/// Whether the clone in `folder` has any branch.
pub(super) fn has_branches(folder: &Path) -> bool {
    fn any_file(folder: &Path) -> bool {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).any(|path| if path.is_dir() { any_file(&path) } else { path.is_file() })
    }
    let packed = fs::read_to_string(folder.join("packed-refs")).unwrap_or_default();
    packed.contains(" refs/heads/") || any_file(&folder.join("refs/heads"))
}

/// Removes a folder; one that is not there is removed already.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_has_the_turn_and_the_end_of_it_gives_it_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(folder.path(), "a").expect("made");
        let turn = place.turn().expect("a lock").expect("free");
        assert!(place.turn().expect("a lock").is_none());
        assert!(Place::new(folder.path(), "b").expect("made").turn().expect("a lock").is_some());
        drop(turn);
        assert!(place.turn().expect("a lock").is_some());
        assert_eq!(Place::of(&place.folder()), Some(place));
    }

    #[test]
    fn what_a_killed_process_left_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place::new(folder.path(), "a").expect("made");
        let heads = place.folder().join("refs/heads/deep");
        fs::create_dir_all(&heads).expect("made");
        for gone in ["a.1.unfinished", "a.2.unfinished"] {
            fs::create_dir_all(folder.path().join(gone).join("objects")).expect("made");
        }
        fs::create_dir(folder.path().join("b.1.unfinished")).expect("made");
        let old = SystemTime::now() - LOCKS_LAST;
        let lock = |path: PathBuf, old_one: bool| {
            let file = File::create(&path).expect("made");
            if old_one {
                file.set_modified(old).expect("set");
            }
            path
        };
        let gone = [lock(heads.join("main.lock"), true), lock(place.folder().join("packed-refs.lock"), true)];
        let stay = [lock(heads.join("other.lock"), false), lock(heads.join("main"), true)];
        place.clear(&place.wait_for_turn().expect("a turn"));
        assert!(gone.iter().all(|path| !path.exists()) && stay.iter().all(|path| path.exists()));
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .expect("read")
            .map(|entry| entry.expect("read").file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        assert_eq!(left, ["a.git", "a.lock", "b.1.unfinished"]);
    }
}
