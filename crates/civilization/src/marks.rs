//! Marks of the time axis: contracts opened and settled, and what broke, within the last hour.

use monkeytown_protocol::{EntityId, Timestamp, record, words};
use serde::Serialize;
use std::collections::VecDeque;

/// Marks held.
pub const MARKS_MAX: usize = 100;
/// How long a mark is held before the newest event, in milliseconds.
const MARKS_MILLIS: i64 = 3_600_000;

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkKind {
    /// A contract was opened.
    Opened,
    /// A contract settled.
    Settled,
    /// A contract, a run, a transaction or a flow broke.
    Broken,
}

words!(MarkKind { Opened = "opened", Settled = "settled", Broken = "broken" });

/// One mark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mark {
    /// What it stands for.
    pub kind: MarkKind,
    /// When, by the source's clock.
    pub time: Timestamp,
    /// The contract, agent or transaction it is about; of a broken flow whose flow it was.
    pub entity: EntityId,
}

record!(Mark { kind, time, entity;  });

/// The newest marks, in the order in which they were told.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Marks {
    marks: VecDeque<Mark>,
    /// Time of the newest one that made room for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_until: Option<Timestamp>,
}

record!(Marks { ; marks, missing_until });

impl Marks {
    pub(crate) fn push(&mut self, kind: MarkKind, time: Timestamp, entity: EntityId) {
        self.marks.push_back(Mark { kind, time, entity });
        self.shrink();
    }

    /// Lets the oldest go, also when an edited snapshot has too many.
    pub(crate) fn shrink(&mut self) {
        while self.marks.len() > MARKS_MAX {
            let oldest = self.marks.pop_front();
            self.missing_until = self.missing_until.max(oldest.map(|oldest| oldest.time));
        }
    }

    /// Lets those go that the newest event has left behind.
    pub(crate) fn pass(&mut self, newest: Timestamp) {
        while self.marks.front().is_some_and(|oldest| newest.since_millis(oldest.time) > MARKS_MILLIS) {
            self.marks.pop_front();
        }
    }

    pub(crate) fn within_hour(&self, now: Timestamp) -> impl Iterator<Item = &Mark> {
        self.marks.iter().filter(move |mark| (0..=MARKS_MILLIS).contains(&now.since_millis(mark.time)))
    }

    pub(crate) fn missing_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.missing_until.filter(|missing| now.since_millis(*missing) <= MARKS_MILLIS)
    }
}
