//! The folder of a journal: one process at a time, segments by the offset of their first event, the oldest dropped.
//!
//! Owns names, the lock, and that a segment is there whole or not at all. Knows nothing of what records hold.

use super::{
    JournalError,
    format::{self, SegmentHead},
};
use monkeytown_protocol::Offset;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

const LOCK: &str = "lock";
const SEGMENT: &str = "segment";
const UNFINISHED: &str = "unfinished";

/// A segment on the disk.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: Offset,
    pub(super) path: PathBuf,
    /// Its length, as far as it is whole.
    pub(super) bytes: u64,
}

/// Makes a folder and those above it, so that they are there after the machine stops.
fn make(path: &Path) -> io::Result<()> {
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).count();
    fs::create_dir_all(path)?;
    for above in path.ancestors().skip(1).take(missing) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// A folder that this process alone writes in.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// In order, each beginning where the one before ends.
    pub(super) segments: Vec<Segment>,
    /// Held for as long as it is open.
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and takes it.
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |error| JournalError::Folder(path.to_owned(), error);
        make(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(JournalError::Taken(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut segments = Vec::new();
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            let is = |extension: &str| path.extension().is_some_and(|found| found == extension);
            if is(UNFINISHED) {
                // Begun when the process ended; nothing was written to it after its head.
                fs::remove_file(&path).map_err(failed)?;
            } else if is(SEGMENT) {
                let first = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
                let first = Offset(first.ok_or_else(|| JournalError::Name(path.clone()))?);
                let bytes = entry.metadata().map_err(failed)?.len();
                segments.push(Segment { first, path, bytes });
            }
        }
        segments.sort_unstable_by_key(|segment| segment.first);
        Ok(Self { path: path.to_owned(), segments, _lock: lock })
    }

    /// Bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Begins a segment. It is there with its whole head, also after the machine stops, or not at all.
    pub(super) fn begin(&mut self, head: &SegmentHead<'_>) -> io::Result<File> {
        let name = format!("{:020}", head.first.0);
        let unfinished = self.path.join(&name).with_extension(UNFINISHED);
        let path = self.path.join(&name).with_extension(SEGMENT);
        let bytes = format::segment_head(head);
        let write = || -> io::Result<File> {
            let mut file = File::create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            self.sync()?;
            Ok(file)
        };
        let file = write().inspect_err(|_| {
            // Where the disk is full it would take room until the next start.
            let _ = fs::remove_file(&unfinished);
        })?;
        self.segments.push(Segment { first: head.first, path, bytes: bytes.len() as u64 });
        Ok(file)
    }

    /// Opens the newest segment to be written on, cut to `bytes`.
    pub(super) fn go_on(&mut self, bytes: u64) -> io::Result<Option<File>> {
        let Some(newest) = self.segments.last_mut() else { return Ok(None) };
        let mut file = OpenOptions::new().write(true).open(&newest.path)?;
        if newest.bytes > bytes {
            file.set_len(bytes)?;
            file.sync_all()?;
            newest.bytes = bytes;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Some(file))
    }

    /// Drops segments that hold no event from `oldest` on.
    pub(super) fn drop_before(&mut self, oldest: Offset) -> io::Result<()> {
        while let [gone, next, ..] = self.segments.as_slice() {
            if next.first > oldest {
                break;
            }
            fs::remove_file(&gone.path)?;
            self.segments.remove(0);
            // One after the other, so that the machine may stop in between and leaves no hole.
            self.sync()?;
        }
        Ok(())
    }

    /// Has names that were made or removed be so after the machine stops.
    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}
