//! What a publisher says that a run wrote and asked, among the figures of `monkeytown.entity.metrics_updated`.
//!
//! It is measured once for each event that is new, and changes no state: the fold does not know it.

use super::decode::{DecodeError, at};
use crate::{
    log::{Appended, Draft},
    metrics::AgentMetrics,
};
use monkeytown_protocol::{EntityId, EntityVerb, Envelope, Offset, Payload, RunFigures, record};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_path_to_error::Track;
use std::collections::HashSet;

/// Of the data of an event, what is measured.
struct Measured {
    metrics: Option<RunFigures>,
}

record!(Measured { ; metrics });

/// Figures of a request, by the place of their event in it.
pub(super) struct Figures(Vec<(usize, EntityId, RunFigures)>);

impl Figures {
    /// Reads those of `drafts`; `base` points at an event of the request.
    ///
    /// # Errors
    /// When one is no count.
    pub(super) fn read(drafts: &[Draft], base: impl Fn(usize) -> String) -> Result<Self, DecodeError> {
        let mut found = Vec::new();
        for (index, draft) in drafts.iter().enumerate() {
            let Payload::Entity(EntityVerb::MetricsUpdated, patch) = &draft.event.payload else { continue };
            let figures = of(draft, || format!("{}/data", base(index)))?;
            if figures != RunFigures::default() {
                found.push((index, patch.id.clone(), figures));
            }
        }
        Ok(Self(found))
    }

    /// Measures those that are new. `head` is what the log held before they were appended; what others appended since
    /// is taken for new.
    pub(super) fn count(self, appended: &Appended, head: Option<Offset>, metrics: &AgentMetrics) {
        // A request sent again adds nothing, as a whole; only in one that is new in part the places must tell.
        let all_known = appended.duplicates == appended.offsets.len();
        let is_new = |offset: &Offset| appended.duplicates == 0 || head.is_none_or(|head| *offset > head);
        let mut counted = HashSet::new();
        for (index, agent, figures) in self.0 {
            let offset = appended.offsets.get(index).filter(|offset| !all_known && is_new(offset));
            // The same event may be in a request twice.
            if offset.is_some_and(|offset| counted.insert(*offset)) {
                metrics.measured(&agent, figures);
            }
        }
    }
}

fn of(draft: &Draft, base: impl Fn() -> String) -> Result<RunFigures, DecodeError> {
    let mut json = draft.open_json.clone();
    json.push(b'}');
    let envelope: Envelope<'_, &RawValue> = serde_json::from_slice(&json).expect("what was decoded is an event");
    let mut track = Track::new();
    let mut data = serde_json::Deserializer::from_str(envelope.data.map_or("null", RawValue::get));
    let measured = Measured::deserialize(serde_path_to_error::Deserializer::new(&mut data, &mut track));
    let measured = measured.map_err(|error| at(&base(), &track.path(), &error))?;
    Ok(measured.metrics.unwrap_or_default())
}
