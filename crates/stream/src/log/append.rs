//! How events get into the log: staged (each has its offset, and nobody knows), then held (folded, in the ring, served).
//!
//! In memory the one follows the other at once, under the writer's lock. With a journal only its thread does either, and
//! what it writes lies between them. With Redis, which gives the offsets, only the thread that speaks with it holds.

use super::{Draft, Keeper, Log, Writer, identity::Identity, interest::Topic, ring::EventRecord};
use crate::{
    metrics::{Origin, Rejection},
    sources::{Sink, SourceClock},
    time,
};
use bytes::Bytes;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Envelope, Event, Offset, Timestamp, limits::EVENT_MAX_BYTES};
use serde_json::value::RawValue;
use std::time::Instant;

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Appended {
    /// One for each event, in the order given.
    pub(crate) offsets: Vec<Offset>,
    /// How many of them were here before.
    pub(crate) duplicates: usize,
}

/// Events that could not be kept. A journal has taken none of them; Redis may have, and knows them when they come again.
#[derive(Debug)]
pub(crate) struct Unwritten {
    /// Those of them that the log does not hold.
    pub(crate) drafts: Vec<Draft>,
}

/// An event that lies where events are kept, with its final JSON.
pub(super) struct KeptEvent {
    pub(super) event: Event,
    pub(super) json: Bytes,
    pub(super) identity: Identity,
}

/// Events that have offsets and are not held yet.
pub(super) struct Staged {
    offsets: Vec<Offset>,
    accepted: Instant,
    /// Those that were not held before. Who has no identity here is the same as one staged with it.
    fresh: Vec<(Draft, Option<Identity>)>,
}

impl Staged {
    /// The JSON of those that are new, without its end.
    pub(super) fn fresh_json(&self) -> impl Iterator<Item = &[u8]> {
        self.fresh.iter().filter(|(_, identity)| identity.is_some()).map(|(draft, _)| draft.open_json.as_slice())
    }

    /// Whether all of them were held already when `first` was the next offset.
    pub(super) fn is_before(&self, first: Offset) -> bool {
        self.offsets.iter().all(|offset| *offset < first)
    }
}

/// `recordedtime` and the closing brace.
pub(super) fn json_end(recorded: Timestamp) -> String {
    format!(",\"recordedtime\":\"{recorded}\"}}")
}

/// An event from the JSON that was kept of it; what is wrong with it otherwise.
pub(super) fn decoded(json: &[u8]) -> Result<Event, String> {
    let envelope: Envelope<'_, &RawValue> = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    envelope.check().map_err(|error| error.to_string())?;
    let mut data = serde_json::Deserializer::from_str(envelope.data.map_or("null", RawValue::get));
    envelope.decode(Timestamp::default(), |_| &mut data).map_err(|error| error.to_string())
}

impl Log {
    /// Appends events next to one another; those that were here before are left out. What comes back is as durable as
    /// the log is.
    ///
    /// # Errors
    /// When they cannot be kept at present.
    pub(crate) async fn append_drafts(&self, drafts: Vec<Draft>) -> Result<Appended, Unwritten> {
        match &self.1 {
            Keeper::Memory => Ok(self.append_in_memory(drafts)),
            Keeper::Journal(journal) => journal.append(drafts).await,
            Keeper::Redis(redis) => redis.append(drafts).await,
        }
    }

    /// Appends to a log that nobody keeps.
    pub(crate) fn append_in_memory(&self, drafts: Vec<Draft>) -> Appended {
        let mut writer = self.writer();
        let recorded = writer.recorded_now();
        let first = self.next();
        let mut next = first;
        let staged = stage(&mut writer, drafts, first, &mut next);
        self.hold(&mut writer, staged, recorded)
    }

    /// Stages what is to be written at once, and when that is accepted.
    pub(super) fn stage_all(&self, batches: Vec<Vec<Draft>>) -> (Vec<Staged>, Timestamp) {
        let mut writer = self.writer();
        let first = self.next();
        let mut next = first;
        let staged = batches.into_iter().map(|drafts| stage(&mut writer, drafts, first, &mut next)).collect();
        (staged, writer.recorded_now())
    }

    /// Holds what was staged and is written.
    pub(super) fn hold_staged(&self, staged: Staged, recorded: Timestamp) -> Appended {
        self.hold(&mut self.writer(), staged, recorded)
    }

    /// Takes back what was staged and is not written: all that is not held.
    pub(super) fn unstage(&self, staged: Staged) -> Vec<Draft> {
        let mut writer = self.writer();
        staged
            .fresh
            .into_iter()
            .map(|(draft, identity)| {
                if let Some(identity) = identity {
                    writer.identities.unclaim(identity);
                }
                draft
            })
            .collect()
    }

    fn hold(&self, writer: &mut Writer, staged: Staged, recorded: Timestamp) -> Appended {
        let Staged { offsets, accepted, fresh } = staged;
        let end = json_end(recorded);
        let mut records = Vec::with_capacity(fresh.len());
        for (Draft { event, open_json }, identity) in fresh {
            let Some(identity) = identity else { continue };
            let mut json = open_json;
            json.extend_from_slice(end.as_bytes());
            json.shrink_to_fit();
            records.push(writer.fold_in(event, Bytes::from(json), identity, recorded, accepted));
        }
        let count = records.len();
        if count > 0 {
            self.push(writer, records);
            // Under the writer's lock, so that the head never goes back.
            self.show_head();
            self.0.metrics.published(count);
        }
        let duplicates = offsets.len() - count;
        Appended { offsets, duplicates }
    }

    fn push(&self, writer: &mut Writer, records: Vec<EventRecord>) {
        let mut ring = self.0.ring.write().expect("no code panics while it holds the ring");
        for record in records {
            ring.push(record, |gone, offset| writer.identities.forget(gone, offset));
        }
        writer.keyframer.settle(&mut ring);
    }

    fn show_head(&self) {
        self.0.head.send_replace(self.next().0.checked_sub(1).map(Offset));
    }

    /// The offset that the next event will have.
    pub(super) fn next(&self) -> Offset {
        self.ring().next()
    }

    /// The state as a segment begins with it, and the newest `recordedtime`.
    pub(super) fn state_to_keep(&self) -> (Vec<u8>, Timestamp) {
        let (fold, recorded) = {
            let writer = self.writer();
            (writer.fold.clone(), writer.last_recorded)
        };
        (serde_json::to_vec(&fold).expect("the fold has string keys and finite numbers"), recorded)
    }

    /// The state before `next`, the first event that is folded into it.
    pub(super) fn restore_state(&self, fold: Civilization, recorded: Timestamp, next: Offset) {
        let mut writer = self.writer();
        writer.keyframer.begin(next, &fold);
        writer.fold = fold;
        writer.last_recorded = recorded;
    }

    /// Holds an event that was written before this process began, with its final JSON. Nobody reads yet.
    pub(super) fn restore(&self, event: Event, json: Bytes) {
        let mut writer = self.writer();
        let recorded = event.recorded.unwrap_or_default().max(writer.last_recorded);
        let identity = writer.identities.restore(&event, self.next());
        let record = writer.fold_in(event, json, identity, recorded, Instant::now());
        self.push(&mut writer, vec![record]);
    }

    /// Holds events that lie in Redis behind all that are held, accepted when it is said. Those that are not `folded` are in
    /// the state already.
    pub(super) fn hold_kept(&self, kept: Vec<KeptEvent>, accepted: Instant, folded: bool) {
        let mut writer = self.writer();
        let mut records = Vec::with_capacity(kept.len());
        for KeptEvent { event, json, identity } in kept {
            let recorded = event.recorded.unwrap_or_default().max(writer.last_recorded);
            records.push(if folded {
                writer.fold_in(event, json, identity, recorded, accepted)
            } else {
                let topic = Topic::of(&event, &writer.fold);
                // No moment before the state can be gone to.
                EventRecord { json, accepted, topic: writer.topics.share(topic), identity, clock: Timestamp::EARLIEST }
            });
        }
        self.push(&mut writer, records);
        // Under the writer's lock, so that the head never goes back.
        self.show_head();
    }

    /// The identity and final JSON of an event, for as long as it is held.
    pub(super) fn kept_at(&self, offset: Offset) -> Option<(Identity, Bytes)> {
        self.ring().at(offset)
    }

    /// All is restored: from here on it is served, and kept by somebody.
    pub(super) fn kept_by(self, keeper: Keeper) -> Self {
        self.show_head();
        Self(self.0, keeper)
    }

    /// The newest `recordedtime`.
    pub(super) fn newest_recorded(&self) -> Timestamp {
        self.writer().last_recorded
    }
}

impl Writer {
    /// The wall clock may step back; the order of `recordedtime` is the order of offsets.
    fn recorded_now(&self) -> Timestamp {
        time::now().max(self.last_recorded)
    }

    fn fold_in(
        &mut self,
        mut event: Event,
        json: Bytes,
        identity: Identity,
        recorded: Timestamp,
        accepted: Instant,
    ) -> EventRecord {
        let topic = self.topics.share(Topic::of(&event, &self.fold));
        event.recorded = Some(recorded);
        self.last_recorded = recorded;
        self.fold.apply(event, &mut Changes::default());
        self.keyframer.folded(&self.fold, json.len());
        let clock = self.fold.last_time().unwrap_or_default();
        EventRecord { json, accepted, topic, identity, clock }
    }
}

/// Gives offsets from `next` on; `first` was the next one before anything was staged.
fn stage(writer: &mut Writer, drafts: Vec<Draft>, first: Offset, next: &mut Offset) -> Staged {
    let mut staged = Staged { offsets: Vec::with_capacity(drafts.len()), accepted: Instant::now(), fresh: Vec::new() };
    for draft in drafts {
        let (identity, offset) = writer.identities.claim(&draft.event, *next);
        staged.offsets.push(offset);
        if offset == *next {
            *next = next.next();
            staged.fresh.push((draft, Some(identity)));
        } else if offset >= first {
            staged.fresh.push((draft, None));
        }
    }
    staged
}

/// The log as a source sees it: a way in, on which what comes is counted by where it is from.
#[derive(Clone)]
pub struct Entry(Log, Origin);

impl Log {
    /// The way in for what comes from `origin`.
    #[must_use]
    pub fn entry(&self, origin: Origin) -> Entry {
        Entry(self.clone(), origin)
    }

    /// Appends what a source says, however long that takes; how many of it were not here before.
    async fn take(&self, events: Vec<Event>) -> usize {
        let mut drafts = Vec::with_capacity(events.len());
        for mut event in events {
            event.recorded = None;
            let mut json = serde_json::to_vec(&event).expect("an event has string keys and finite numbers");
            if json.len() > EVENT_MAX_BYTES {
                self.0.metrics.rejected(Rejection::TooLarge, 1);
                tracing::warn!(event_id = event.id.as_str(), bytes = json.len(), "a source's event is too large");
                continue;
            }
            json.pop();
            drafts.push(Draft { event, open_json: json });
        }
        loop {
            match self.append_drafts(drafts).await {
                Ok(appended) => return appended.offsets.len().saturating_sub(appended.duplicates),
                Err(unwritten) => drafts = unwritten.drafts,
            }
            match &self.1 {
                Keeper::Memory => {}
                Keeper::Journal(journal) => journal.writable().await,
                Keeper::Redis(redis) => redis.writable().await,
            }
        }
    }
}

impl Sink for Entry {
    async fn append(&self, events: Vec<Event>) {
        let fresh = self.0.take(events).await;
        self.0.0.metrics.came(self.1, fresh);
    }

    fn set_clock(&self, clock: SourceClock) {
        self.0.set_clock(clock);
    }
}

impl Sink for Log {
    async fn append(&self, events: Vec<Event>) {
        self.take(events).await;
    }

    fn set_clock(&self, clock: SourceClock) {
        self.0.clock.send_replace(super::RunningClock::started(clock));
    }
}
