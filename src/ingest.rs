//! From bytes to the fold, in one place: decode, validate, drop duplicates, notice holes.
//!
//! Bad input is dropped and counted, never fatal. Knows nothing of sockets, signals or the page; what a
//! transport should do next is this module's answer, not its deed.

use monkeytown_civilization::{Changes, Civilization, Keys};
use monkeytown_protocol::{
    Epoch, Event, Frame, Hello, Json, NotJson, Offset, Position, SnapshotEnvelope, SourceKind, Timestamp, from_json,
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
        /// Whether it brought a snapshot: what was known before is replaced.
        fresh: bool,
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
}

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
        let fresh = hello.snapshot.is_some();
        match hello.snapshot {
            Some(snapshot) => self.adopt(snapshot, state, changes),
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
        Intake::Greeted { terms, loss, fresh }
    }

    /// Puts a snapshot in the place of the state. Everything may have changed.
    fn adopt(&mut self, snapshot: SnapshotEnvelope<Civilization>, state: &mut Civilization, changes: &mut Changes) {
        for held in [&*state, &snapshot.state] {
            changes.entities.extend(held.entities().map(|(id, _)| id.clone()));
            changes.flows.extend(held.flows().map(|(id, _)| id.clone()));
        }
        changes.history = true;
        changes.system = true;
        *state = snapshot.state;
        self.position = Some(Position { epoch: snapshot.epoch, after: snapshot.offset });
        // Another state knows nothing of what was applied to the one before.
        self.seen = Keys::default();
        self.seen_order.clear();
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
            match Event::from_json(json, now) {
                Ok(event) if self.remember(&event) => {
                    self.recorded = event.recorded;
                    state.apply(event, changes);
                    self.counters.received += 1;
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
        }
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
mod tests {
    use super::*;

    struct Page {
        ingest: Ingest,
        state: Civilization,
    }

    impl Page {
        fn greeted() -> Self {
            let mut page = Self { ingest: Ingest::default(), state: Civilization::default() };
            let hello = page.frame(
                r#"{"kind":"hello","epoch":"e","head":-1,"from":"e:-1","recovered":true,"heartbeat_ms":25000,
                "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
                "version":"0.1.0","source_kind":"git"}"#,
            );
            assert!(matches!(hello, Intake::Greeted { loss: Loss::Nothing, .. }), "{hello:?}");
            page
        }

        fn frame(&mut self, text: &str) -> Intake {
            let now = Timestamp::from_millis(0);
            self.ingest.take(text, &mut self.state, &mut Changes::default(), now)
        }

        fn events(&mut self, first: u64, ids: &[&str]) -> Intake {
            let events: Vec<String> = ids.iter().map(|id| agent(id)).collect();
            let last = first + ids.len() as u64 - 1;
            let events = events.join(",");
            self.frame(&format!(r#"{{"kind":"events","epoch":"e","first":{first},"last":{last},"events":[{events}]}}"#))
        }

        fn offset(&self) -> Option<Offset> {
            self.ingest.position().and_then(|position| position.after)
        }
    }

    fn agent(id: &str) -> String {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"monkeytown.entity.created",
            "time":"2026-01-18T12:00:00Z","data":{{"id":"{id}","kind":"agent"}}}}"#
        )
    }

    #[test]
    fn events_are_applied_in_order_and_counted() {
        let mut page = Page::greeted();
        assert_eq!(page.events(0, &["a", "b"]), Intake::Taken);
        assert_eq!(page.state.entities().len(), 2);
        assert_eq!((page.offset(), page.ingest.counters().received), (Some(Offset(1)), 2));
    }

    #[test]
    fn an_event_that_comes_again_is_dropped_and_counted() {
        let mut page = Page::greeted();
        page.events(0, &["a", "b"]);
        page.events(1, &["b", "c"]);
        page.events(0, &["a"]);
        page.events(3, &["a"]);
        let counters = page.ingest.counters();
        assert_eq!((counters.received, counters.duplicates, page.offset()), (3, 3, Some(Offset(3))));
    }

    #[test]
    fn offsets_that_cannot_be_are_refused_and_those_that_follow_are_applied() {
        let mut page = Page::greeted();
        for (first, last) in [("0", "18446744073709551615"), ("5", "2")] {
            let frame = format!(r#"{{"kind":"events","epoch":"e","first":{first},"last":{last},"events":[]}}"#);
            assert_eq!(page.frame(&frame), Intake::Unreadable, "{first}..={last}");
        }
        assert_eq!(page.events(0, &["a"]), Intake::Taken);
        assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(0)), 0));
    }

    #[test]
    fn a_frame_after_a_gap_is_not_applied() {
        let mut page = Page::greeted();
        page.events(0, &["a"]);
        assert_eq!(page.events(2, &["c"]), Intake::Gap);
        assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(0)), 0));
    }

    #[test]
    fn events_of_another_epoch_are_never_applied() {
        let mut page = Page::greeted();
        let frame = format!(r#"{{"kind":"events","epoch":"other","first":0,"last":0,"events":[{}]}}"#, agent("a"));
        assert_eq!(page.frame(&frame), Intake::Gap);
    }

    #[test]
    fn a_malformed_event_costs_itself_and_not_its_frame() {
        let mut page = Page::greeted();
        let frame = format!(
            r#"{{"kind":"events","epoch":"e","first":0,"last":2,"events":[{},{{"specversion":"0.3"}},{}]}}"#,
            agent("a"),
            agent("b")
        );
        assert_eq!(page.frame(&frame), Intake::Taken);
        let counters = page.ingest.counters();
        assert_eq!((counters.received, counters.unreadable, counters.holes), (2, 1, 1));
    }

    #[test]
    fn what_an_event_carries_beside_costs_nobody_a_frame() {
        let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
        for (number, strange) in [r#""\ud800""#, "1e999", &deep].into_iter().enumerate() {
            let mut page = Page::greeted();
            let with_extension = agent("a").replacen('{', &format!(r#"{{"extension":{strange},"#), 1);
            let asked_for = agent("b").replace(r#""kind":"agent""#, &format!(r#""kind":{strange}"#));
            let events = [with_extension, asked_for, agent("c")].join(",");
            let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":2,"events":[{events}]}}"#);
            assert_eq!(page.frame(&frame), Intake::Taken, "{number}");
            let counters = page.ingest.counters();
            assert_eq!((counters.received, counters.unreadable, counters.holes), (2, 1, 1), "{number}");
            let why = counters.last_unreadable.as_deref().unwrap_or_default();
            assert!(why.contains("event b") && why.contains("`kind`"), "{why}");
        }
    }

    #[test]
    fn malformed_frames_are_counted_and_never_fatal() {
        let mut page = Page::greeted();
        for text in ["", "{", "[]", "null", r#"{"kind":"unheard"}"#, r#"{"kind":"events","first":1}"#] {
            assert_eq!(page.frame(text), Intake::Unreadable, "{text}");
        }
        assert_eq!(page.ingest.counters().unreadable, 6);
        assert_eq!(page.events(0, &["a"]), Intake::Taken);
    }

    #[test]
    fn a_frame_that_twice_brings_less_than_it_covers_leaves_holes() {
        let mut page = Page::greeted();
        let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":4,"events":[{}]}}"#, agent("a"));
        assert_eq!(page.frame(&frame), Intake::Gap);
        assert_eq!(page.frame(&frame), Intake::Taken);
        assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(4)), 4));
    }

    #[test]
    fn a_lost_tail_is_noticed_by_the_second_heartbeat() {
        let mut page = Page::greeted();
        page.events(0, &["a"]);
        let heartbeat = r#"{"kind":"heartbeat","head":5,"server_time":"2026-01-18T12:00:00Z"}"#;
        assert!(matches!(page.frame(heartbeat), Intake::Heartbeat { .. }));
        assert_eq!(page.frame(heartbeat), Intake::Gap);
    }

    #[test]
    fn a_stream_that_falls_behind_this_page_is_asked_anew() {
        let mut page = Page::greeted();
        page.events(0, &["a", "b"]);
        let behind = r#"{"kind":"heartbeat","head":0,"server_time":"2026-01-18T12:00:00Z"}"#;
        assert!(matches!(page.frame(behind), Intake::Heartbeat { .. }));
        assert_eq!(page.frame(behind), Intake::Gap);
    }

    #[test]
    fn a_page_that_knows_nothing_does_not_join_in_the_middle() {
        let mut page = Page { ingest: Ingest::default(), state: Civilization::default() };
        let hello = r#"{"kind":"hello","epoch":"e","head":9,"from":"e:7","recovered":true,"heartbeat_ms":25000,
            "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
            "version":"0.1.0","source_kind":"git"}"#;
        assert_eq!(page.frame(hello), Intake::Gap);
    }

    #[test]
    fn a_heartbeat_ahead_of_events_on_their_way_is_no_gap() {
        let mut page = Page::greeted();
        let ahead = r#"{"kind":"heartbeat","head":1,"server_time":"2026-01-18T12:00:00Z"}"#;
        page.frame(ahead);
        page.events(0, &["a"]);
        assert!(matches!(page.frame(ahead), Intake::Heartbeat { .. }));
    }

    #[test]
    fn a_stream_that_does_not_continue_the_state_is_not_joined() {
        let mut page = Page::greeted();
        page.events(0, &["a"]);
        let hello = r#"{"kind":"hello","epoch":"e","head":9,"from":"e:7","recovered":true,"heartbeat_ms":25000,
            "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
            "version":"0.1.0","source_kind":"git"}"#;
        assert_eq!(page.frame(hello), Intake::Gap);
    }

    #[test]
    fn what_is_only_in_the_summary_is_counted() {
        let mut page = Page::greeted();
        page.events(0, &["a", "b"]);
        let hello = |epoch: &str| {
            format!(
                r#"{{"kind":"hello","epoch":"{epoch}","head":90,"from":"{epoch}:81","recovered":false,
                "snapshot":{{"epoch":"{epoch}","offset":81,"state":{{}}}},"heartbeat_ms":25000,
                "server_time":"2026-01-18T12:00:00Z","clock":"2026-01-18T12:00:00Z","clock_rate":1,"version":"",
                "source_kind":"git"}}"#
            )
        };
        let Intake::Greeted { terms, loss, fresh } = page.frame(&hello("e")) else { panic!("a hello") };
        assert_eq!((loss, fresh, terms.behind), (Loss::Events(80), true, 9));
        assert!(matches!(page.frame(&hello("f")), Intake::Greeted { loss: Loss::Epoch, .. }));
        assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(81)), 0));
    }
}
