//! The parts of a commit's message, as `git log` shows them. Knows messages and nothing of where they come from.

use super::domains::printable;
use gix::bstr::{BStr, ByteSlice};

/// The first paragraph on one line, as `git log --format=%s` shows it.
pub(super) fn subject(message: &[u8]) -> String {
    let lines = message.lines().map(ByteSlice::trim).skip_while(|line| line.is_empty());
    let mut subject = String::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if !subject.is_empty() {
            subject.push(' ');
        }
        subject.push_str(&printable(BStr::new(line)));
    }
    subject
}

/// The lines after the first paragraph that are not empty.
pub(super) fn body(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .lines()
        .map(ByteSlice::trim)
        .skip_while(|line| line.is_empty())
        .skip_while(|line| !line.is_empty())
        .filter(|line| !line.is_empty())
}
