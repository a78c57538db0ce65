//! From bytes to the fold, in one place: decode, validate, drop duplicates, notice holes.
//!
//! Bad input is dropped and counted, never fatal. Knows nothing of sockets, signals or the page; what a
//! transport should do next is this module's answer, not its deed.

use monkeytown_civilization::{Changes, Civilization, Keys};
use monkeytown_protocol::{
    EntityStatus, Epoch, Event, Field as Patched, Frame, Hello, HttpsUrl, Json, NotJson, Offset, Payload, Position,
    SnapshotEnvelope, SourceKind, Timestamp, from_json,
};
use std::{collections::VecDeque, rc::Rc};

/// Identities remembered to drop what was seen before. Within an epoch offsets already do that; this covers a
/// peer between that repeats an event under another offset.
const REMEMBERED_MAX: usize = 1_000;
/// The largest offset that JSON carries exactly everywhere (RFC 8259, section 6).
const OFFSET_MAX: u64 = 1 << 53;

/// What came in so far; all of it is shown to the witness.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Events applied by the fold, replay included.
    pub received: u64,
    /// Events dropped because they had been applied before.
    pub duplicates: u64,
    /// Offsets that were never applied and that no snapshot covered.
    pub holes: u64,
    /// Frames and events that could not be read.
    pub unreadable: u64,
    /// What was wrong with the last of them.
    pub last_unreadable: Option<String>,
}

/// What a delivery came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Intake {
    /// Events were applied, or there was nothing to apply.
    Taken,
    /// It was no frame; counted.
    Unreadable,
    /// The stream said hello.
    Greeted {
        /// What the stream said of itself.
        terms: Terms,
        /// What could not be recovered: a snapshot stands in.
        loss: Loss,
        /// What was known before, when it brought a snapshot that has replaced it.
        replaced: Option<Box<Civilization>>,
    },
    /// Replay is over.
    CaughtUp,
    /// The stream is alive; its clock, when said.
    Heartbeat {
        /// The server's clock.
        server_time: Timestamp,
        /// The source's own time and rate.
        clock: Option<(Timestamp, f64)>,
        /// Whether nothing newer is on its way.
        caught_up: bool,
    },
    /// The stream is about to close.
    Bye {
        /// When to come back, in milliseconds.
        reconnect_after_millis: u32,
    },
    /// Something between what was applied and this is missing: subscribe again from [`Ingest::position`].
    Gap,
}

/// What lies between the state before a hello and the state after it, and is only in the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    Nothing,
    /// So many events.
    Events(u64),
    /// Nobody knows how many: another history has begun.
    Epoch,
}

/// What a stream says of itself when it greets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// Where its events come from.
    pub source_kind: SourceKind,
    /// The source's own time and its rate.
    pub clock: (Timestamp, f64),
    /// Longest silence, in milliseconds.
    pub heartbeat_millis: u64,
    /// The server's clock.
    pub server_time: Timestamp,
    /// Events that follow before the page has caught up.
    pub behind: u64,
}

/// Where the page stands in the stream, and what it has seen.
#[derive(Default)]
pub struct Ingest {
    position: Option<Position>,
    counters: Counters,
    recorded: Option<Timestamp>,
    seen: Keys<Rc<str>>,
    seen_order: VecDeque<Rc<str>>,
    /// A heartbeat's head that was ahead of what had arrived, and where the page stood then.
    ahead: Option<(Option<Offset>, Option<Position>)>,
    /// Where the page stood when a frame did not bring what it covers.
    doubted: Option<Offset>,
    watched: Vec<String>,
    caused: Vec<Effect>,
}

/// An event that names a watched cause: the cause, whether something has settled by it, and where that is to be seen.
pub type Effect = (Rc<str>, bool, Option<HttpsUrl>);
/// Effects remembered until they are asked for.
const EFFECTS_MAX: usize = 100;

impl Ingest {
    /// The newest event applied; what a subscription resumes after. `None` before any stream was met.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// When the stream accepted the newest event applied, by its own clock.
    #[must_use]
    pub fn recorded(&self) -> Option<Timestamp> {
        self.recorded
    }

    /// What came in so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// From now on events are noted that name one of `causes` as what caused them.
    pub fn watch(&mut self, causes: Vec<String>) {
        self.watched = causes;
    }

    /// The events noted since this was last asked.
    pub fn caused(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.caused)
    }

    /// Remembers events that could not be made use of yet.
    pub fn keep_effects(&mut self, effects: impl Iterator<Item = Effect>) {
        self.caused.extend(effects);
    }

    fn note_effect(&mut self, event: &Event) {
        let Some(cause) = event.cause.as_ref().filter(|cause| self.watched.iter().any(|held| **held == ***cause))
        else {
            return;
        };
        let effect = match &event.payload {
            Payload::Entity(_, patch) if patch.status == Some(EntityStatus::Complete) => {
                let url = if let Patched::Set(url) = &patch.url { Some(url.clone()) } else { None };
                (Rc::from(&**cause), true, url)
            }
            _ => (Rc::from(&**cause), false, None),
        };
        self.caused.push(effect);
        let excess = self.caused.len().saturating_sub(EFFECTS_MAX);
        self.caused.drain(..excess);
    }

    /// Takes one frame into `state`. `now` stands in for an event's absent time.
    pub fn take(&mut self, text: &str, state: &mut Civilization, changes: &mut Changes, now: Timestamp) -> Intake {
        let json = match Json::parse(text) {
            Ok(json) => json,
            Err(NotJson::Ended) => return self.refuse("a frame that ends too early".to_owned()),
            Err(NotJson::Unexpected(at)) => return self.refuse(format!("a frame that is no JSON at byte {at}")),
        };
        let frame = match from_json::read::<Frame<&Json<'_>, Civilization>>(&json) {
            Ok(frame) => frame,
            Err(wrong) => return self.refuse(format!("a frame that could not be read: {wrong}")),
        };
        match frame {
            Frame::Hello(hello) => self.take_hello(*hello, state, changes),
            Frame::Events { epoch, first, last, events } => {
                self.take_range(&epoch, first, last, &events, state, changes, now)
            }
            Frame::CaughtUp { .. } => Intake::CaughtUp,
            Frame::Heartbeat { head, server_time, clock, clock_rate } => {
                let here = self.position.as_ref().and_then(|position| position.after);
                if head != here {
                    // Events may be on their way behind this frame; that nothing came by the next one says not. A
                    // head behind this page is a stream that is not the one it was.
                    let standing = (head, self.position.clone());
                    if self.ahead.as_ref().is_some_and(|(_, before)| *before == standing.1) {
                        self.ahead = None;
                        return Intake::Gap;
                    }
                    self.ahead = Some(standing);
                } else {
                    self.ahead = None;
                }
                Intake::Heartbeat { server_time, clock: clock.zip(clock_rate), caught_up: head <= here }
            }
            Frame::Bye { reconnect_after_ms, .. } => {
                Intake::Bye { reconnect_after_millis: u32::try_from(reconnect_after_ms).unwrap_or(u32::MAX) }
            }
        }
    }

    /// Counts what could not be read, and keeps why.
    pub fn refuse(&mut self, why: String) -> Intake {
        self.counters.unreadable += 1;
        self.counters.last_unreadable = Some(why);
        Intake::Unreadable
    }

    fn take_hello(&mut self, hello: Hello<Civilization>, state: &mut Civilization, changes: &mut Changes) -> Intake {
        let terms = Terms {
            source_kind: hello.source_kind,
            clock: (hello.clock, hello.clock_rate),
            heartbeat_millis: hello.heartbeat_ms,
            server_time: hello.server_time,
            behind: hello.head.map_or(0, |head| head.next().0).saturating_sub(hello.from.next().0),
        };
        self.ahead = None;
        let had = self.position.clone();
        let mut replaced = None;
        match hello.snapshot {
            Some(snapshot) => replaced = Some(Box::new(self.adopt(snapshot, state, changes))),
            // Without a snapshot the state must continue exactly where the stream starts to serve.
            // It may start earlier: frames that still waited when it was asked have been applied meanwhile.
            None => match &had {
                None if hello.from.after.is_none() => self.position = Some(hello.from.clone()),
                // Events before that place are in no snapshot: a page that knows nothing must not join there.
                None => return Intake::Gap,
                Some(here) if here.epoch == hello.from.epoch && hello.from.next() <= here.next() => {}
                Some(_) => return Intake::Gap,
            },
        }
        let loss = match (had, &self.position) {
            (Some(_), _) if hello.recovered => Loss::Nothing,
            (Some(had), Some(here)) if had.epoch == here.epoch => match here.next().0.saturating_sub(had.next().0) {
                0 => Loss::Nothing,
                events => Loss::Events(events),
            },
            (Some(_), _) => Loss::Epoch,
            (None, _) => Loss::Nothing,
        };
        Intake::Greeted { terms, loss, replaced }
    }

    /// Puts a snapshot in the place of the state, and gives that back. Everything may have changed.
    fn adopt(
        &mut self,
        snapshot: SnapshotEnvelope<Civilization>,
        state: &mut Civilization,
        changes: &mut Changes,
    ) -> Civilization {
        for held in [&*state, &snapshot.state] {
            changes.entities.extend(held.entities().map(|(id, _)| id.clone()));
            changes.flows.extend(held.flows().map(|(id, _)| id.clone()));
        }
        changes.history = true;
        changes.system = true;
        self.position = Some(Position { epoch: snapshot.epoch, after: snapshot.offset });
        // Another state knows nothing of what was applied to the one before.
        self.seen = Keys::default();
        self.seen_order.clear();
        std::mem::replace(state, snapshot.state)
    }

    #[expect(clippy::too_many_arguments, reason = "a frame's fields, spread; a struct would only rename them")]
    fn take_range(
        &mut self,
        epoch: &Epoch,
        first: Offset,
        last: Offset,
        events: &[&Json<'_>],
        state: &mut Civilization,
        changes: &mut Changes,
        now: Timestamp,
    ) -> Intake {
        if last.0 > OFFSET_MAX || last < first {
            return self.refuse("a frame whose offsets cannot be".to_owned());
        }
        let Some(position) = &self.position else { return Intake::Gap };
        if position.epoch != *epoch || first > position.next() {
            return Intake::Gap;
        }
        if last < position.next() {
            self.counters.duplicates += events.len() as u64;
            return Intake::Taken;
        }
        // Only an unfiltered frame tells which of its events lie before the position.
        let known = usize::try_from(position.next().0 - first.0).unwrap_or(usize::MAX);
        let missing = (last.0 - first.0 + 1).checked_sub(events.len() as u64);
        // This page narrows nothing: the frame was spoilt, and is asked for again. So again, its stream has lost it.
        if missing != Some(0) && self.doubted.replace(position.next()) != Some(position.next()) {
            return Intake::Gap;
        }
        let fresh = if missing == Some(0) { events.get(known..).unwrap_or_default() } else { events };
        self.counters.duplicates += (events.len() - fresh.len()) as u64;
        self.counters.holes += missing.unwrap_or_default();
        self.take_events(fresh, state, changes, now);
        self.position = Some(Position { epoch: epoch.clone(), after: Some(last) });
        Intake::Taken
    }

    fn take_events(&mut self, events: &[&Json<'_>], state: &mut Civilization, changes: &mut Changes, now: Timestamp) {
        for json in events {
            if let Some(event) = self.decode(json, now) {
                self.recorded = event.recorded;
                self.note_effect(&event);
                state.apply(event, changes);
            }
        }
    }

    /// Reads one event that is no frame's: what can be used of it is counted as applied, the rest as what it is.
    pub fn take_alone(&mut self, text: &str, now: Timestamp) -> Option<Event> {
        match Json::parse(text) {
            Ok(json) => self.decode(&json, now),
            Err(_) => None,
        }
    }

    fn decode(&mut self, json: &Json<'_>, now: Timestamp) -> Option<Event> {
        match Event::from_json(json, now) {
            Ok(event) if self.remember(&event) => {
                self.counters.received += 1;
                return Some(event);
            }
            Ok(_) => self.counters.duplicates += 1,
            Err(wrong) => {
                self.counters.holes += 1;
                self.refuse(match Event::id_in(json) {
                    Some(id) => format!("event {id}: {wrong}"),
                    None => format!("an event without a usable id: {wrong}"),
                });
            }
        }
        None
    }

    /// Remembers an identity. False when it is known already.
    fn remember(&mut self, event: &Event) -> bool {
        let identity: Rc<str> = Rc::from(format!("{}\n{}", event.source, event.id));
        if self.seen.contains(&identity) {
            return false;
        }
        self.seen.insert(Rc::clone(&identity));
        self.seen_order.push_back(identity);
        if self.seen_order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.seen_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests;
