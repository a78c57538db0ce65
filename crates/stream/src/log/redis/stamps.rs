//! The stamps of the events held: a random number each, another for every time that something is written. Two nodes that know
//! the same stamp at an offset have the same history up to there, since nothing is added but behind a stamp that is known.

use std::collections::VecDeque;

/// Stamps of the events before `next`, as far back as the ring goes and one further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamps {
    next: u64,
    held: VecDeque<u64>,
}

impl Stamps {
    /// Of no event; the next has the offset `next`, and the one before it the stamp `before`.
    pub(super) fn beginning_at(next: u64, before: Option<u64>) -> Self {
        Self { next, held: before.into_iter().collect() }
    }

    /// The next event has this stamp; those before `first` but one are forgotten.
    pub(super) fn push(&mut self, stamp: u64, first: u64) {
        self.held.push_back(stamp);
        self.next += 1;
        let wanted = usize::try_from((self.next + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        while self.held.len() > wanted {
            self.held.pop_front();
        }
    }

    /// The stamp of an event.
    pub(super) fn of(&self, offset: u64) -> Option<u64> {
        let back = usize::try_from(self.next.checked_sub(offset)?).ok()?;
        self.held.get(self.held.len().checked_sub(back)?).copied()
    }

    /// The stamp of the event before `next`, as it is written: nothing before the first of all.
    pub(super) fn before(&self, next: u64) -> Option<Vec<u8>> {
        match next.checked_sub(1) {
            None => Some(Vec::new()),
            Some(offset) => self.of(offset).map(|stamp| stamp.to_be_bytes().to_vec()),
        }
    }
}

/// Reads a stamp as it is written.
pub(super) fn read(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_go_back_as_far_as_the_ring_and_one_further() {
        let mut stamps = Stamps::beginning_at(0, None);
        assert_eq!((stamps.of(0), stamps.before(0)), (None, Some(Vec::new())));
        for offset in 0..10 {
            stamps.push(100 + offset, (offset + 1).saturating_sub(3));
        }
        assert_eq!((stamps.of(9), stamps.of(6), stamps.of(5), stamps.of(10)), (Some(109), Some(106), None, None));
        assert_eq!(stamps.before(10), Some(109_u64.to_be_bytes().to_vec()));
        let later = Stamps::beginning_at(7, Some(5));
        assert_eq!((later.of(6), later.of(7), later.before(7)), (Some(5), None, Some(5_u64.to_be_bytes().to_vec())));
    }
}
