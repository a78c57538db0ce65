//! What a run of events changed, gathered so that each thing is redrawn once however often it changed.

use monkeytown_protocol::{EntityId, FlowId, SeedId};
use std::collections::BTreeSet;

/// Keys whose state changed. A key that the fold no longer holds was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entities created, changed or gone.
    pub entities: BTreeSet<EntityId>,
    /// Flows created, changed, arrived, broken or gone.
    pub flows: BTreeSet<FlowId>,
    /// Seeds reported on.
    pub seeds: BTreeSet<SeedId>,
    /// Whether history has new or changed items.
    pub history: bool,
    /// Whether figures, alerts or counts changed that no key stands for.
    pub system: bool,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
