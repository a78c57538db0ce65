//! The events of one delivery, as they are told: ids, cause and source, and everything cut to what the wire takes.
//!
//! Event `n` of a delivery is `DELIVERY/n`. Knows nothing of what a payload means.

use super::json::Json;
use monkeytown_protocol::{
    EntityId, EntityPatch, EntityVerb, Event, EventId, Field, Flow, FlowId, FlowKind, FlowStatus, FlowVerb, HttpsUrl,
    Payload, Ratio, SourceUri, Text, Timestamp,
};
use std::sync::Arc;

/// Most events of one delivery; others of it are left out.
pub(super) const EVENTS_MAX: usize = 1_000;
/// Longest name or activity, in bytes: what the fold keeps, so that an event never comes near its own limit.
const NAME_MAX_BYTES: usize = 256;
/// Longest reason, in bytes.
const REASON_MAX_BYTES: usize = 512;

/// An event that may follow a delivery's own later: a rest, or that nothing more was heard.
#[derive(Debug, Clone)]
pub(super) struct Later {
    pub(super) source: SourceUri,
    pub(super) delivery: Arc<str>,
    pub(super) number: usize,
}

/// Collects the events of one delivery, or of what follows it.
#[derive(Debug)]
pub(super) struct Telling {
    pub(super) source: SourceUri,
    delivery: Arc<str>,
    now: Timestamp,
    next: usize,
    /// In order.
    pub(super) events: Vec<Event>,
    /// How many were over [`EVENTS_MAX`], or of things left out.
    pub(super) left_out: usize,
}

impl Telling {
    pub(super) fn new(source: SourceUri, delivery: &str, now: Timestamp) -> Self {
        Self { source, delivery: Arc::from(delivery), now, next: 0, events: Vec::new(), left_out: 0 }
    }

    pub(super) fn of_later(later: Later, now: Timestamp) -> Self {
        let Later { source, delivery, number } = later;
        Self { source, delivery, now, next: number, events: Vec::new(), left_out: 0 }
    }

    /// A place for an event that may follow, after all that has been told.
    pub(super) fn later(&self) -> Later {
        Later { source: self.source.clone(), delivery: Arc::clone(&self.delivery), number: self.next }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// The moment that the payload gives, unless it gives none or one that has not come yet.
    pub(super) fn time(&self, given: Option<Json<'_>>) -> Timestamp {
        let given = given.and_then(Json::text).and_then(|text| text.parse::<Timestamp>().ok());
        given.map_or(self.now, |given| given.min(self.now))
    }

    pub(super) fn tell(&mut self, time: Timestamp, payload: Payload) {
        if self.events.len() >= EVENTS_MAX {
            self.left_out += 1;
            return;
        }
        let id = EventId::new(&format!("{}/{}", self.delivery, self.next)).expect("a delivery's id is short and plain");
        self.next += 1;
        let (source, cause) = (self.source.clone(), Some(Arc::clone(&self.delivery)));
        self.events.push(Event { id, source, time, recorded: None, trace: None, cause, payload });
    }

    pub(super) fn entity(&mut self, time: Timestamp, verb: EntityVerb, patch: EntityPatch) {
        self.tell(time, Payload::Entity(verb, Box::new(patch)));
    }

    /// Tells that a flow moves.
    pub(super) fn start(&mut self, time: Timestamp, flow: &Way) {
        self.flow(time, FlowVerb::Started, flow, FlowStatus::Active, None);
    }

    /// Tells that a flow has arrived.
    pub(super) fn arrive(&mut self, time: Timestamp, flow: &Way) {
        self.flow(time, FlowVerb::Complete, flow, FlowStatus::Complete, None);
    }

    /// Tells that a flow broke.
    pub(super) fn fail(&mut self, time: Timestamp, flow: &Way, why: &str) {
        self.flow(time, FlowVerb::Failed, flow, FlowStatus::Error, Some(reason(why)));
    }

    fn flow(&mut self, time: Timestamp, verb: FlowVerb, way: &Way, status: FlowStatus, reason: Option<Text>) {
        let progress = if status == FlowStatus::Complete { Ratio::ONE } else { Ratio::ZERO };
        let Way { id, source, target, kind } = way.clone();
        self.tell(time, Payload::Flow(verb, Flow { id, source, target, kind, status, progress, reason }));
    }
}

/// A flow without how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) id: FlowId,
    pub(super) source: EntityId,
    pub(super) target: EntityId,
    pub(super) kind: FlowKind,
}

/// Text on one line, without what controls a terminal or turns the direction of the text round it.
pub(super) fn plain(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}');
    // Cut before it is gone through: a payload's text may be as long as the payload.
    let most = text.chars().take(REASON_MAX_BYTES + 1);
    most.map(|c| if c.is_control() || turns(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A name or activity.
pub(super) fn name(text: &str) -> Text {
    Text::fitted(plain(text).trim()).shortened(NAME_MAX_BYTES)
}

/// Why something broke.
pub(super) fn reason(text: &str) -> Text {
    Text::fitted(plain(text).trim()).shortened(REASON_MAX_BYTES)
}

/// An address, when it is one that a witness may be sent to.
pub(super) fn url(given: Option<Json<'_>>) -> Option<HttpsUrl> {
    HttpsUrl::new(&given?.text()?).ok()
}

/// A field that is set when there is something to set.
pub(super) fn set<T>(value: Option<T>) -> Field<T> {
    value.map_or(Field::Absent, Field::Set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_and_can_turn_nothing_round() {
        assert_eq!(name(" a\u{202e}b\n\u{7}c ").as_str(), "a\u{fffd}b\u{fffd}\u{fffd}c");
        assert!(name(&"é".repeat(1 << 20)).as_str().len() <= NAME_MAX_BYTES);
        assert!(reason(&"\u{0}".repeat(1 << 20)).as_str().len() <= REASON_MAX_BYTES);
    }

    #[test]
    fn events_are_numbered_within_their_delivery_and_bounded() {
        let source = SourceUri::new("/hooks/github").expect("a source");
        let mut telling = Telling::new(source, "d-1", Timestamp::default());
        let patch = EntityPatch::of(EntityId::new("a").expect("an id"));
        for _ in 0..EVENTS_MAX + 3 {
            telling.entity(Timestamp::default(), EntityVerb::Updated, patch.clone());
        }
        assert_eq!((telling.events.len(), telling.left_out), (EVENTS_MAX, 3));
        let last = telling.events.last().expect("told");
        assert_eq!((last.id.as_str(), last.cause.as_deref()), ("d-1/999", Some("d-1")));
        assert_eq!(Telling::of_later(telling.later(), Timestamp::default()).next, EVENTS_MAX);
    }
}
