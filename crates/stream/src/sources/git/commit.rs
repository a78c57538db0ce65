//! A commit object's text, read leniently: what Git itself tolerates (signatures that do not parse, odd times) must
//! not hide a commit.
//!
//! Knows nothing of the object database, and nothing of what a subject means.

use crate::sources::commit_message;
use gix::{ObjectId, bstr::ByteSlice};

/// The parts of a commit that are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitText<'a> {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    author: &'a [u8],
    committer: &'a [u8],
    message: &'a [u8],
}

impl<'a> CommitText<'a> {
    /// Reads a commit object's bytes. None when it names no tree or a parent is no id.
    pub(super) fn parse(data: &'a [u8]) -> Option<Self> {
        let end = data.find(b"\n\n").unwrap_or(data.len());
        let (headers, message) = data.split_at(end);
        let mut tree = None;
        let mut commit = Self {
            tree: ObjectId::null(gix::hash::Kind::Sha1),
            parents: Vec::new(),
            author: b"",
            committer: b"",
            message,
        };
        for line in headers.lines() {
            let (name, value) = line.split_at(line.find_byte(b' ').unwrap_or(line.len()));
            let value = value.get(1..).unwrap_or_default();
            match name {
                b"tree" => tree = Some(ObjectId::from_hex(value).ok()?),
                b"parent" => commit.parents.push(ObjectId::from_hex(value).ok()?),
                b"author" if commit.author.is_empty() => commit.author = value,
                b"committer" if commit.committer.is_empty() => commit.committer = value,
                _ => {}
            }
        }
        commit.tree = tree?;
        Some(commit)
    }

    /// Seconds since 1970 by the committer's clock; none when there is no number.
    pub(super) fn seconds(&self) -> Option<i64> {
        let after = self.committer.rfind_byte(b'>').and_then(|end| self.committer.get(end + 1..))?;
        after.fields().next()?.to_str().ok()?.parse().ok()
    }

    /// The author's address, in lower case; empty when there is none.
    pub(super) fn author_email(&self) -> String {
        let from = self.author.find_byte(b'<').map_or(self.author.len(), |at| at + 1);
        let email = self.author.get(from..).unwrap_or_default();
        let email = email.get(..email.find_byte(b'>').unwrap_or(email.len())).unwrap_or_default();
        email.to_str_lossy().trim().to_lowercase()
    }

    /// The first paragraph on one line, as `git log --format=%s` shows it.
    pub(super) fn subject(&self) -> String {
        commit_message::subject(self.message)
    }

    /// The lines after the first paragraph that are not empty.
    pub(super) fn body(&self) -> impl Iterator<Item = &'a [u8]> {
        commit_message::body(self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    fn commit(rest: &str) -> String {
        format!("tree {TREE}\nparent {TREE}\n{rest}")
    }

    #[test]
    fn a_commit_is_read_as_git_log_shows_it() {
        let text = commit(
            "author A U Thor <Author@Example.org> 1 +0000\ncommitter C <c@e> 1700000000 +0200\n\
             gpgsig -----BEGIN\n more\n\n\nadd a\nthing \n\nbody one\n\nbody two\n",
        );
        let commit = CommitText::parse(text.as_bytes()).expect("sound");
        assert_eq!(commit.parents.len(), 1);
        assert_eq!(commit.seconds(), Some(1_700_000_000));
        assert_eq!(commit.author_email(), "author@example.org");
        assert_eq!(commit.subject(), "add a thing");
        assert_eq!(commit.body().collect::<Vec<_>>(), [b"body one", b"body two"]);
    }

    #[test]
    fn broken_signatures_do_not_hide_a_commit() {
        for (rest, seconds, email) in [
            ("author broken\ncommitter broken\n\nx", None, ""),
            ("author <a@b\ncommitter C <x>y> 12\n\nx", Some(12), "a@b"),
            ("author A <a@b> 1\ncommitter C <x> 99999999999999999999 +0000\n\nx", None, "a@b"),
            ("committer C <x> -5 +0000\n\nx", Some(-5), ""),
        ] {
            let text = commit(rest);
            let commit = CommitText::parse(text.as_bytes()).expect(rest);
            assert_eq!((commit.seconds(), commit.author_email().as_str()), (seconds, email), "{rest}");
            assert_eq!(commit.subject(), "x");
        }
        assert_eq!(
            CommitText::parse(commit("author A <a> 1").as_bytes()).map(|commit| commit.subject()),
            Some(String::new())
        );
        assert!(CommitText::parse(b"").is_none());
        assert!(CommitText::parse(b"tree nonsense\n\n").is_none());
    }
}
