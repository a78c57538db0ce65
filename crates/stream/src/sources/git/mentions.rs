//! Which domains a text refers to by their path.
//!
//! Owns the search; knows nothing of commits, and nothing of what a reference means.

use crate::sources::domains::{Domains, Owner};
use gix::bstr::{BString, ByteSlice};

/// A text over this is not read for references, in bytes.
pub(super) const TEXT_READ_MAX_BYTES: usize = 256 * 1024;
/// How far into a file a NUL is looked for, in bytes: what Git does to tell a binary file.
const BINARY_LOOK_BYTES: usize = 8_000;
/// Shortest path that is looked for, in bytes: a shorter one is found everywhere.
const PATH_MIN_BYTES: usize = 2;

/// The paths that are looked for, each with its domain.
#[derive(Debug, Default)]
pub(super) struct Needles {
    needles: Vec<Needle>,
    /// Needles with a slash, by the byte in front of the first one.
    by_last_of_head: Vec<Vec<usize>>,
    /// Needles without one.
    plain: Vec<usize>,
}

#[derive(Debug)]
struct Needle {
    owner: Owner,
    /// Up to the first slash.
    head: BString,
    /// From the first slash on; empty for a path without one.
    tail: BString,
}

impl Needles {
    /// The top-level folders `names`, written `name/`.
    pub(super) fn of_folders<'a>(names: impl Iterator<Item = &'a [u8]>) -> Self {
        Self::new(names.map(|name| (Owner::Folder(name.into()), name.to_vec(), b"/".to_vec())))
    }

    /// The paths of a map's agents; none when there is no map.
    pub(super) fn of_map(domains: &Domains) -> Self {
        let Domains::Mapped(map) = domains else { return Self::default() };
        Self::new(map.agents.iter().enumerate().flat_map(|(at, agent)| {
            agent.paths.iter().map(move |path| {
                let slash = path.find_byte(b'/').unwrap_or(path.len());
                let (head, tail) = path.split_at(slash);
                (Owner::Mapped(at), head.to_vec(), tail.to_vec())
            })
        }))
    }

    fn new(paths: impl Iterator<Item = (Owner, Vec<u8>, Vec<u8>)>) -> Self {
        let mut all = Self { by_last_of_head: vec![Vec::new(); 256], ..Self::default() };
        for (owner, head, tail) in
            paths.filter(|(_, head, tail)| head.len() + tail.strip_suffix(b"/").unwrap_or(tail).len() >= PATH_MIN_BYTES)
        {
            let at = all.needles.len();
            let list = match head.last() {
                Some(last) if !tail.is_empty() => all.by_last_of_head.get_mut(usize::from(*last)),
                _ => Some(&mut all.plain),
            };
            list.expect("a table of 256 holds every byte").push(at);
            all.needles.push(Needle { owner, head: head.into(), tail: tail.into() });
        }
        all
    }

    /// Whether nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// The domain behind a number that [`Needles::found_in`] gave.
    pub(super) fn owner(&self, at: usize) -> Option<&Owner> {
        self.needles.get(at).map(|needle| &needle.owner)
    }

    /// Numbers of the needles in `text`, ascending. A text that is binary or too long holds none.
    pub(super) fn found_in(&self, text: &[u8]) -> Vec<usize> {
        let mut found = Vec::new();
        let look = text.get(..BINARY_LOOK_BYTES).unwrap_or(text);
        if self.is_empty() || text.len() > TEXT_READ_MAX_BYTES || look.contains(&0) {
            return found;
        }
        let mut from = 0;
        while let Some(slash) = text.get(from..).and_then(|rest| rest.find_byte(b'/')).map(|at| from + at) {
            from = slash + 1;
            let (before, after) = text.split_at(slash);
            let Some(last) = before.last() else { continue };
            for at in self.by_last_of_head.get(usize::from(*last)).into_iter().flatten() {
                let Some(needle) = self.needles.get(*at) else { continue };
                if before
                    .strip_suffix(needle.head.as_slice())
                    .is_some_and(|rest| after.starts_with(&needle.tail) && edge(rest.last()))
                    && edge_after(needle, after)
                    && !found.contains(at)
                {
                    found.push(*at);
                }
            }
        }
        for at in &self.plain {
            let Some(needle) = self.needles.get(*at) else { continue };
            let stands_alone = |start: usize| {
                let before = start.checked_sub(1).and_then(|before| text.get(before));
                edge(before) && edge(text.get(start + needle.head.len()))
            };
            if text.find_iter(&needle.head).any(stands_alone) {
                found.push(*at);
            }
        }
        found.sort_unstable();
        found
    }
}

/// `after` starts with the needle's tail: whether the path ends there, and is not the start of a longer name.
fn edge_after(needle: &Needle, after: &[u8]) -> bool {
    needle.tail.ends_with(b"/") || edge(after.get(needle.tail.len()))
}

/// Whether `byte` beside a path leaves it a path of its own.
fn edge(byte: Option<&u8>) -> bool {
    !byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::domains::DomainMap;
    use std::path::Path;

    fn folders(text: &str) -> Vec<usize> {
        Needles::of_folders([b"src".as_slice(), b"docs", b"a"].into_iter()).found_in(text.as_bytes())
    }

    #[test]
    fn a_folder_is_referred_to_by_name_and_slash() {
        assert_eq!(folders("see docs/intro.md and ../src/"), [0, 1]);
        assert_eq!(folders("(docs/)"), [1]);
        assert_eq!(folders("mydocs/ my-docs/ my_docs/ docs src"), [] as [usize; 0]);
        assert_eq!(folders("a/ is too short a path"), [] as [usize; 0]);
        assert_eq!(folders("/docs/docs/"), [1]);
        assert_eq!(folders(""), [] as [usize; 0]);
    }

    #[test]
    fn a_maps_paths_are_looked_for_as_they_are_written() {
        let text = "[[agent]]\nid='a'\npaths=['.town/plan/']\n[[agent]]\nid='b'\npaths=['Makefile']\n\
                    [[agent]]\nid='c'\npaths=['/']";
        let map = DomainMap::parse(text, Path::new("map")).expect("sound");
        let needles = Needles::of_map(&Domains::Mapped(map));
        assert_eq!(needles.found_in(b"see .town/plan/x.md"), [0]);
        assert_eq!(needles.found_in(b"see .town/plan"), [0]);
        assert_eq!(needles.found_in(b"see .town/planets"), [] as [usize; 0]);
        assert_eq!(needles.found_in(b"the Makefile's rules"), [1]);
        assert_eq!(needles.found_in(b"Makefiles, GNUMakefile"), [] as [usize; 0]);
        assert_eq!(needles.owner(1), Some(&Owner::Mapped(1)));
    }

    #[test]
    fn binary_and_large_files_refer_to_nothing() {
        assert_eq!(folders("docs/\u{0}"), [] as [usize; 0]);
        let large = format!("docs/{}", " ".repeat(TEXT_READ_MAX_BYTES));
        assert_eq!(folders(&large), [] as [usize; 0]);
    }
}
