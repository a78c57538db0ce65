//! The state at an offset, serialised once for everyone who asks within a second.

use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Epoch, Offset, Position, SnapshotEnvelope};
use serde_json::value::{RawValue, to_raw_value};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How old a snapshot may be while events go on; those after its own offset always follow it.
const FRESH: Duration = Duration::from_secs(1);

/// The state at an offset.
#[derive(Debug)]
pub(crate) struct Snapshot {
    epoch: Epoch,
    offset: Option<Offset>,
    state: Box<RawValue>,
    taken: Instant,
}

impl Snapshot {
    pub(super) fn new(epoch: Epoch, offset: Option<Offset>, fold: &Civilization) -> Self {
        let state = to_raw_value(fold).expect("the fold has string keys and finite numbers");
        Self { epoch, offset, state, taken: Instant::now() }
    }

    /// Where the events that are not in it begin.
    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch.clone(), after: self.offset }
    }

    /// How long its state is, in bytes of JSON.
    pub(crate) fn bytes(&self) -> usize {
        self.state.get().len()
    }

    /// As the wire has it.
    pub(crate) fn envelope(&self) -> SnapshotEnvelope<&RawValue> {
        SnapshotEnvelope { epoch: self.epoch.clone(), offset: self.offset, state: &self.state }
    }
}

/// The newest snapshot made.
#[derive(Debug, Default)]
pub(super) struct SnapshotCache(Option<Arc<Snapshot>>);

impl SnapshotCache {
    /// The newest one, when it will do: nothing has happened since, or it is young and all that followed is held.
    pub(super) fn fresh(&self, head: Option<Offset>, first_held: Offset) -> Option<Arc<Snapshot>> {
        let snapshot = self.0.as_ref()?;
        let current = snapshot.offset == head;
        let followed = snapshot.position().next() >= first_held;
        (current || (followed && snapshot.taken.elapsed() < FRESH)).then(|| Arc::clone(snapshot))
    }

    pub(super) fn store(&mut self, snapshot: Snapshot) -> Arc<Snapshot> {
        Arc::clone(self.0.insert(Arc::new(snapshot)))
    }
}
