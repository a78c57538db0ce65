//! The ring: the newest events, bounded by count and by bytes; the oldest go first.
//!
//! Owns which offsets are held, what the sources' time was at each, and the JSON of a few that are held no longer and from
//! which the fold is still begun. Knows nothing of the fold, of identities, of locks or of subscribers.

use super::{
    identity::Identity,
    interest::{Interest, Topic},
};
use bytes::Bytes;
use monkeytown_protocol::{Offset, Timestamp};
use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

/// What one event costs beside its JSON: the record, its entry in the identity map, their slack, and its topic as if no
/// other event had the same. One number for every build: nodes that share a Redis reckon there with it.
pub(super) const RECORD_OVERHEAD_BYTES: usize = 256;
const _: () = assert!(size_of::<Record>() + size_of::<Topic>() + 96 <= RECORD_OVERHEAD_BYTES);

/// How much the ring holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingBounds {
    /// Most events.
    pub max_events: usize,
    /// Most bytes, of JSON and bookkeeping together.
    pub max_bytes: usize,
}

/// An accepted event.
#[derive(Debug)]
pub(crate) struct EventRecord {
    /// Its final JSON, `recordedtime` included; shared with everyone who is sent it.
    pub(crate) json: Bytes,
    /// When it was accepted, for the latency of its delivery.
    pub(crate) accepted: Instant,
    /// What a subscriber's interest is compared with.
    pub(crate) topic: Arc<Topic>,
    /// Who it is.
    pub(crate) identity: Identity,
    /// The latest moment that any event named up to here.
    pub(crate) clock: Timestamp,
}

/// An event as it is held. There are a million, so that every byte counts.
#[derive(Debug)]
struct Record {
    json: Bytes,
    /// When it was accepted, in nanoseconds since the ring began.
    accepted_nanos: u64,
    topic: Arc<Topic>,
    identity: Identity,
    clock: Timestamp,
}

impl Record {
    fn cost_bytes(&self) -> usize {
        self.json.len() + RECORD_OVERHEAD_BYTES
    }
}

/// How much one read may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadBounds {
    /// Most events.
    pub(crate) events: usize,
    /// Most bytes of JSON; one event is read however long it is.
    pub(crate) bytes: usize,
    /// Most events looked at when an interest lets few of them through.
    pub(crate) scanned: usize,
}

/// One event on its way to a subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) offset: Offset,
    pub(crate) json: Bytes,
    pub(crate) accepted: Instant,
}

/// Events that cover everything from where they were asked for up to `last`, without a hole.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) last: Offset,
    pub(crate) events: Vec<Delivery>,
}

/// The offset asked for is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FellBehind;

/// The newest events. Offsets `first()..next()` are held, all of them.
#[derive(Debug)]
pub(crate) struct Ring {
    records: VecDeque<Record>,
    next: u64,
    bytes: usize,
    bounds: RingBounds,
    began: Instant,
    behind: Behind,
}

/// Events that have gone and are folded again: those right before the first that is held.
#[derive(Debug, Default)]
struct Behind {
    /// From here on they are kept.
    from: u64,
    events: VecDeque<Bytes>,
    bytes: usize,
    /// The sources' time at the newest that has gone.
    clock: Option<Timestamp>,
}

impl Behind {
    fn push(&mut self, offset: Offset, gone: Record) {
        self.clock = Some(gone.clock);
        if offset.0 >= self.from {
            self.bytes += gone.json.len() + size_of::<Bytes>();
            self.events.push_back(gone.json);
        }
    }

    /// Lets go what lies before `from`, of those that end before `first`.
    fn keep_from(&mut self, from: u64, first: u64) {
        self.from = from;
        while self.events.len() as u64 > first.saturating_sub(from) {
            let Some(json) = self.events.pop_front() else { break };
            self.bytes -= json.len() + size_of::<Bytes>();
        }
    }
}

impl Ring {
    /// An empty ring whose first event will be `first`.
    pub(crate) fn beginning_at(first: Offset, bounds: RingBounds) -> Self {
        Self {
            records: VecDeque::new(),
            next: first.0,
            bytes: 0,
            bounds,
            began: Instant::now(),
            behind: Behind::default(),
        }
    }

    /// The oldest offset held; equal to [`Ring::next`] when none is.
    pub(crate) fn first(&self) -> Offset {
        Offset(self.next - self.records.len() as u64)
    }

    /// The offset that the next event will get.
    pub(crate) fn next(&self) -> Offset {
        Offset(self.next)
    }

    /// Share of the ring in use, 0..=1: of its events or its bytes, whichever is fuller.
    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than f64 holds")]
    pub(crate) fn share(&self) -> f64 {
        let share = |used: usize, bound: usize| used as f64 / bound.max(1) as f64;
        share(self.records.len(), self.bounds.max_events).max(share(self.bytes, self.bounds.max_bytes)).min(1.0)
    }

    /// Appends one event; `evicted` hears who had to go, and which offset each had.
    pub(crate) fn push(&mut self, event: EventRecord, mut evicted: impl FnMut(Identity, Offset)) {
        let EventRecord { json, accepted, topic, identity, clock } = event;
        let since = accepted.saturating_duration_since(self.began).as_nanos();
        let accepted_nanos = u64::try_from(since).unwrap_or(u64::MAX);
        let record = Record { json, accepted_nanos, topic, identity, clock };
        self.bytes += record.cost_bytes();
        self.records.push_back(record);
        self.next += 1;
        while self.records.len() > self.bounds.max_events || self.bytes > self.bounds.max_bytes {
            let offset = self.first();
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.cost_bytes();
            evicted(oldest.identity, offset);
            self.behind.push(offset, oldest);
        }
    }

    /// Who has an offset, and its JSON, for as long as it is held.
    pub(crate) fn at(&self, offset: Offset) -> Option<(Identity, Bytes)> {
        let place = usize::try_from(offset.0.checked_sub(self.first().0)?).ok()?;
        self.records.get(place).map(|record| (record.identity, record.json.clone()))
    }

    /// Keeps the JSON of what goes, from `from` on.
    pub(crate) fn keep_behind(&mut self, from: Offset) {
        self.behind.keep_from(from.0, self.first().0);
    }

    /// What is kept of events that have gone, in bytes.
    pub(crate) fn behind_bytes(&self) -> usize {
        self.behind.bytes
    }

    /// The JSON of at most `count` events from `from` up to `until`, of those too that have gone and are kept.
    ///
    /// # Errors
    /// When `from` is kept no longer.
    pub(crate) fn json(&self, from: Offset, until: Offset, count: usize) -> Result<Vec<Bytes>, FellBehind> {
        let begin = self.first().0 - self.behind.events.len() as u64;
        let skipped = usize::try_from(from.0.checked_sub(begin).ok_or(FellBehind)?).map_err(|_| FellBehind)?;
        let count = usize::try_from(until.0.saturating_sub(from.0)).map_or(count, |most| most.min(count));
        let kept = self.behind.events.len();
        let gone = self.behind.events.range(skipped.min(kept)..);
        let held = self.records.range(skipped.saturating_sub(kept).min(self.records.len())..);
        Ok(gone.chain(held.map(|record| &record.json)).take(count).cloned().collect())
    }

    /// The sources' time at an offset that is held, or at the newest that has gone.
    pub(crate) fn clock_at(&self, offset: Offset) -> Option<Timestamp> {
        if offset.next() == self.first() {
            return self.behind.clock;
        }
        let place = usize::try_from(offset.0.checked_sub(self.first().0)?).ok()?;
        self.records.get(place).map(|record| record.clock)
    }

    /// The first offset held at which the sources' time is later than `moment`; the next one when there is none.
    pub(crate) fn first_after(&self, moment: Timestamp) -> Offset {
        // The sources' time never goes back from one offset to the next.
        let until = self.records.partition_point(|record| record.clock <= moment);
        Offset(self.first().0 + until as u64)
    }

    /// Events from `from` on, within `bounds` and of `interest`. `None` when there are none yet.
    ///
    /// # Errors
    /// When `from` is no longer held: a tail with a hole before it is never served.
    pub(crate) fn read(
        &self,
        from: Offset,
        bounds: ReadBounds,
        interest: &Interest,
    ) -> Result<Option<Batch>, FellBehind> {
        if from.0 >= self.next {
            return Ok(None);
        }
        let skipped = from.0.checked_sub(self.first().0).ok_or(FellBehind)?;
        let start = usize::try_from(skipped).map_err(|_| FellBehind)?;
        let (mut events, mut bytes, mut covered) = (Vec::new(), 0_usize, 0_u64);
        for record in self.records.range(start..).take(bounds.scanned.max(1)) {
            if interest.covers(&record.topic) {
                let full = events.len() >= bounds.events || bytes + record.json.len() > bounds.bytes;
                if full && !events.is_empty() {
                    break;
                }
                bytes += record.json.len();
                let offset = Offset(from.0 + covered);
                let accepted = self.began + Duration::from_nanos(record.accepted_nanos);
                events.push(Delivery { offset, json: record.json.clone(), accepted });
            }
            covered += 1;
        }
        Ok(covered.checked_sub(1).map(|beyond_first| Batch { last: Offset(from.0 + beyond_first), events }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(length: usize, number: u64) -> EventRecord {
        let mut json = number.to_string();
        json.extend(std::iter::repeat_n('x', length));
        EventRecord {
            json: Bytes::from(json),
            accepted: Instant::now(),
            topic: Arc::new(Topic::untold("org.example.test")),
            identity: Identity::of_test(number),
            clock: Timestamp::from_millis(i64::try_from(number / 3).expect("a small number")),
        }
    }

    const ALL: ReadBounds = ReadBounds { events: usize::MAX, bytes: usize::MAX, scanned: usize::MAX };

    #[test]
    fn an_offset_that_has_gone_is_refused_rather_than_skipped() {
        let mut ring = Ring::beginning_at(Offset(0), RingBounds { max_events: 2, max_bytes: usize::MAX });
        for number in 0..5 {
            ring.push(record(1, number), |_, _| ());
        }
        assert_eq!(ring.first(), Offset(3));
        assert!(matches!(ring.read(Offset(2), ALL, &Interest::everything()), Err(FellBehind)));
        let batch = ring.read(Offset(3), ALL, &Interest::everything()).expect("held").expect("events");
        assert_eq!((batch.last, batch.events.len()), (Offset(4), 2));
    }

    proptest! {
        #[test]
        fn the_ring_keeps_its_bounds_and_serves_no_hole(
            max_events in 1_usize..20,
            max_bytes in 1_usize..6_000,
            lengths in proptest::collection::vec(0_usize..800, 0..60),
            events in 1_usize..8,
            bytes in 1_usize..2_000,
        ) {
            let mut ring = Ring::beginning_at(Offset(0), RingBounds { max_events, max_bytes });
            let mut evicted = Vec::new();
            for (number, length) in lengths.iter().enumerate() {
                ring.push(record(*length, number as u64), |identity, offset| evicted.push((identity, offset)));
                prop_assert!(ring.records.len() <= max_events);
                prop_assert!(ring.bytes <= max_bytes);
                prop_assert_eq!(ring.bytes, ring.records.iter().map(Record::cost_bytes).sum::<usize>());
                prop_assert_eq!(ring.next().0, number as u64 + 1);
            }
            // The oldest went, in order, each once.
            let gone: Vec<_> = (0..ring.first().0).map(|number| (Identity::of_test(number), Offset(number))).collect();
            prop_assert_eq!(evicted, gone);

            // From every place: exactly what follows, in order, or a refusal.
            for start in 0..=ring.next().0 {
                let mut at = Offset(start);
                if at < ring.first() {
                    prop_assert!(ring.read(at, ALL, &Interest::everything()).is_err());
                    continue;
                }
                while let Some(batch) =
                    ring.read(at, ReadBounds { events, bytes, scanned: 5 }, &Interest::everything()).expect("held")
                {
                    prop_assert_eq!(batch.events.len() as u64, batch.last.0 - at.0 + 1);
                    prop_assert!(batch.events.len() <= events);
                    let size: usize = batch.events.iter().map(|event| event.json.len()).sum();
                    prop_assert!(size <= bytes || batch.events.len() == 1);
                    for (event, offset) in batch.events.iter().zip(at.0..) {
                        let number: String =
                            String::from_utf8_lossy(&event.json).chars().take_while(char::is_ascii_digit).collect();
                        prop_assert_eq!(number, offset.to_string());
                        prop_assert_eq!(event.offset, Offset(offset));
                    }
                    at = batch.last.next();
                }
                prop_assert_eq!(at, ring.next());
            }
        }
    }
}
