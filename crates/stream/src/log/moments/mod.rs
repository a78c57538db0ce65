//! Moments: which place in the log a moment is, and the state there, folded from the keyframe before it.
//!
//! The sources' time at a place is the latest moment that any event up to there named, as the fold has it: no later than
//! the event was recorded. Absent here: who asks, how many may, and which answers are remembered.

#[cfg(test)]
mod tests;

use super::{Log, Loss, Resolved, append::decoded, ring::Ring, snapshot::Snapshot};
use monkeytown_civilization::Changes;
use monkeytown_protocol::{Cursor, Offset, Position, Timestamp};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

/// Events folded between two looks whether anybody still waits; also those for which the ring is kept from who appends.
const STEP_EVENTS: usize = 512;

/// A moment that somebody goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The oldest from which all that is held can be folded.
    Earliest,
    /// After a certain event.
    At(Position),
    /// The newest place at which the sources' time is no later.
    Time(Timestamp),
}

/// Where a moment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// The sources' time there.
    pub(crate) clock: Timestamp,
}

/// Why there is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfolded {
    /// What it is folded from has gone.
    TooOld,
    /// Nobody waits for it any more.
    Stopped,
}

impl Log {
    /// The oldest place that can be gone to.
    pub(crate) fn oldest(&self) -> Place {
        let ring = self.ring();
        self.place(&ring, self.oldest_next(&ring))
    }

    /// Where a moment is.
    ///
    /// # Errors
    /// When it belongs to another history, lies before all that can be folded, or has not come.
    pub(crate) async fn find(&self, moment: &Moment) -> Result<Place, Loss> {
        if let Moment::At(position) = moment
            && let Resolved::Lost(loss @ (Loss::Epoch | Loss::Ahead)) =
                self.resolve_soon(&Cursor::At(position.clone()), Instant::now()).await
        {
            return Err(loss);
        }
        let ring = self.ring();
        let oldest = self.oldest_next(&ring);
        match moment {
            Moment::Earliest => Ok(self.place(&ring, oldest)),
            Moment::At(position) if position.next() < oldest => Err(Loss::TooOld),
            Moment::At(position) => Ok(self.place(&ring, position.next())),
            Moment::Time(time) => Ok(self.place(&ring, ring.first_after(*time).max(oldest))),
        }
    }

    /// The state at a place. Blocks, for as long as the events between two keyframes take to be folded, and ends early when
    /// `stop` is set.
    ///
    /// # Errors
    /// When the place lies before all that can be folded, or `stop` was set.
    pub(crate) fn fold_to(&self, position: &Position, stop: &AtomicBool) -> Result<Snapshot, Unfolded> {
        let until = position.next();
        let mut tried = None;
        loop {
            let frame = self.0.keyframes.before(until).ok_or(Unfolded::TooOld)?;
            // What followed it has gone, and so has it: the next look finds a later one, or none.
            if tried.replace(frame.next) == Some(frame.next) {
                return Err(Unfolded::TooOld);
            }
            // To unpack it takes as long as to fold on from it.
            if stop.load(Ordering::Relaxed) {
                return Err(Unfolded::Stopped);
            }
            let (mut fold, mut next) = (frame.held.fold(), frame.next);
            loop {
                if stop.load(Ordering::Relaxed) {
                    return Err(Unfolded::Stopped);
                }
                if next == until {
                    return Ok(Snapshot::new(position.epoch.clone(), position.after, &fold));
                }
                let Ok(events) = self.ring().json(next, until, STEP_EVENTS) else { break };
                if events.is_empty() {
                    return Err(Unfolded::TooOld);
                }
                for json in events {
                    let event = decoded(&json).expect("what is held was decoded when it came");
                    fold.apply(event, &mut Changes::default());
                    next = next.next();
                }
            }
        }
    }

    fn oldest_next(&self, ring: &Ring) -> Offset {
        self.0.keyframes.oldest().0.max(ring.first())
    }

    /// The place before `next`, which is no older than the oldest.
    fn place(&self, ring: &Ring, next: Offset) -> Place {
        let after = next.0.checked_sub(1).map(Offset);
        let known = match self.0.keyframes.oldest() {
            (oldest, clock) if oldest == next => clock,
            _ => after.and_then(|after| ring.clock_at(after)),
        };
        // Before anything happened, time is that of the first thing that did, or the present.
        let clock = known.or_else(|| ring.clock_at(next)).unwrap_or_else(|| self.clock().shows);
        Place { position: Position { epoch: self.0.epoch.clone(), after }, clock }
    }
}
