//! Who hears what, once for all: when the live subscribers hear of what is new, and the frames that they share.
//!
//! Owns the ticks and the few frames that were made last. A tick says up to where everybody may read; so all who are
//! live stand at the same places, and a frame that one of them has made serves the others. Nobody waits for anybody: a
//! subscriber that is behind makes frames of its own, or shares those of others who are where it is.
//! Absent here: queues, sockets, and what the bytes of a frame look like.

use crate::log::{Batch, FellBehind, Interest, Log, ReadBounds};
use bytes::Bytes;
use monkeytown_protocol::Offset;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// Most events of one frame.
const FRAME_MAX_EVENTS: usize = 512;
/// Most bytes of one frame's events; a single event is sent however long it is.
const FRAME_MAX_BYTES: usize = 256 * 1024;
/// Most events looked at for one frame.
const FRAME_MAX_SCANNED: usize = 4_096;
/// Under load, events of this long go into one frame: the more subscribers there are, the longer, so that some ten
/// thousand frames a second are written whatever their number. The few have their events sooner.
const TICK_PER_SUBSCRIBER: Duration = Duration::from_micros(100);
const TICK_MIN: Duration = Duration::from_millis(5);
const TICK_MAX: Duration = Duration::from_millis(20);
/// Most frames that are kept for others to share.
const KEPT_MAX: usize = 32;
/// How long they are kept when nothing comes.
const KEPT_WHILE_IDLE: Duration = Duration::from_secs(1);

/// How a frame is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A message of a WebSocket in the frames of `monkeytown.v1.json`.
    Frames,
    /// The same, compressed.
    PackedFrames,
    /// A message of a WebSocket for each event.
    CloudEvents,
    /// A message of an event source.
    EventSource,
}

/// Events that go out together, and their bytes in each form that somebody has asked for.
#[derive(Debug)]
pub(crate) struct SharedFrame {
    /// The first offset that it covers; what lies between it and the first event was of no interest.
    pub(crate) first: Offset,
    /// The events, and the last offset that it covers.
    pub(crate) batch: Batch,
    /// Whether others with the same interest may come by it.
    pub(crate) is_common: bool,
    forms: [OnceLock<Bytes>; 4],
}

impl SharedFrame {
    pub(crate) fn new(first: Offset, batch: Batch) -> Self {
        Self { first, batch, is_common: false, forms: Default::default() }
    }

    /// Bytes of its events.
    pub(crate) fn event_bytes(&self) -> usize {
        self.batch.events.iter().map(|event| event.json.len()).sum()
    }

    /// Whether somebody has asked for `form`.
    pub(crate) fn has(&self, form: Form) -> bool {
        self.form(form).get().is_some()
    }

    /// Its bytes as `form`, written by `write` for the first who asks.
    pub(crate) fn bytes(&self, form: Form, write: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.form(form).get_or_init(|| write(self)).clone()
    }

    fn form(&self, form: Form) -> &OnceLock<Bytes> {
        let [frames, packed_frames, cloud_events, event_source] = &self.forms;
        match form {
            Form::Frames => frames,
            Form::PackedFrames => packed_frames,
            Form::CloudEvents => cloud_events,
            Form::EventSource => event_source,
        }
    }
}

/// Where a subscriber stands who asks for its next frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The first offset that nothing it heard has covered; before `next` when what lies between was of no interest.
    pub(crate) uncovered: Offset,
    /// The next offset to be read.
    pub(crate) next: Offset,
    /// The last that it may hear of now.
    pub(crate) until: Offset,
}

/// A frame that others may share, with where its first subscriber stood.
struct Kept {
    interest: Arc<Interest>,
    standing: Standing,
    frame: Arc<SharedFrame>,
}

impl Kept {
    /// Whether one who stands at `at` would make the same frame.
    fn serves(&self, interest: &Arc<Interest>, at: Standing) -> bool {
        let last = self.frame.batch.last;
        // A frame that was full before its tick was over is the same whatever the tick.
        let same_end = self.standing.until == at.until || (last < self.standing.until && last <= at.until);
        same_end
            && self.standing.next == at.next
            && self.standing.uncovered == at.uncovered
            && Arc::ptr_eq(&self.interest, interest)
    }
}

/// Ticks, and frames made last.
pub(crate) struct Fanout {
    /// The newest offset that the live may hear of.
    tick: watch::Sender<Option<Offset>>,
    kept: Mutex<VecDeque<Kept>>,
    interests: Mutex<Vec<Weak<Interest>>>,
    /// How often a frame served another than the one who made it.
    #[cfg(test)]
    shared: std::sync::atomic::AtomicU64,
}

impl Default for Fanout {
    fn default() -> Self {
        Self {
            tick: watch::Sender::new(None),
            kept: Mutex::default(),
            interests: Mutex::default(),
            #[cfg(test)]
            shared: std::sync::atomic::AtomicU64::default(),
        }
    }
}

impl Fanout {
    /// Ticks for as long as it is polled: what comes after a pause is told at once, what follows it within a tick
    /// together.
    pub(crate) async fn run(&self, log: &Log) -> Infallible {
        let mut head = log.watch_head();
        loop {
            let newest = *head.borrow_and_update();
            self.tick.send_if_modified(|told| std::mem::replace(told, newest) != newest);
            tokio::time::sleep(self.length()).await;
            let changed = match tokio::time::timeout(KEPT_WHILE_IDLE, head.changed()).await {
                Ok(changed) => changed,
                Err(_) => {
                    self.kept().clear();
                    head.changed().await
                }
            };
            changed.expect("the log is held, and the sender with it");
        }
    }

    /// How long a tick is for those who follow now.
    fn length(&self) -> Duration {
        let followers = u32::try_from(self.tick.receiver_count()).unwrap_or(u32::MAX);
        TICK_PER_SUBSCRIBER.saturating_mul(followers).clamp(TICK_MIN, TICK_MAX)
    }

    /// Follows the ticks.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Offset>> {
        self.tick.subscribe()
    }

    /// The newest offset that the live may hear of.
    pub(crate) fn told(&self) -> Option<Offset> {
        *self.tick.borrow()
    }

    /// `interest`, as all who have the same share it.
    pub(crate) fn interest(&self, interest: Interest) -> Arc<Interest> {
        let mut interests = self.interests.lock().unwrap_or_else(PoisonError::into_inner);
        interests.retain(|held| held.strong_count() > 0);
        if let Some(held) = interests.iter().filter_map(Weak::upgrade).find(|held| **held == interest) {
            return held;
        }
        let interest = Arc::new(interest);
        interests.push(Arc::downgrade(&interest));
        interest
    }

    /// The next frame of one who stands at `at`. One without events says that nothing there was of interest. `None`
    /// when there is nothing there yet.
    ///
    /// # Errors
    /// When the place is no longer held.
    pub(crate) fn frame(
        &self,
        log: &Log,
        interest: &Arc<Interest>,
        at: Standing,
    ) -> Result<Option<Arc<SharedFrame>>, FellBehind> {
        // One who is alone with its interest shares with nobody.
        if Arc::strong_count(interest) == 1 {
            return Ok(read(log, interest, at)?.map(Arc::new));
        }
        // Others who are at the same place wait for the one who makes the frame; that is quicker than making it again.
        let mut kept = self.kept();
        if let Some(same) = kept.iter().rev().find(|kept| kept.serves(interest, at)) {
            #[cfg(test)]
            self.shared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Ok(Some(Arc::clone(&same.frame)));
        }
        let Some(mut frame) = read(log, interest, at)? else { return Ok(None) };
        frame.is_common = true;
        let frame = Arc::new(frame);
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { interest: Arc::clone(interest), standing: at, frame: Arc::clone(&frame) });
        Ok(Some(frame))
    }

    /// How often a frame served another than the one who made it.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> u64 {
        self.shared.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // A list of frames that are whole cannot be left half-made.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the frame of one who stands at `at`.
fn read(log: &Log, interest: &Interest, at: Standing) -> Result<Option<SharedFrame>, FellBehind> {
    let span = at.until.0.checked_sub(at.next.0).map_or(0, |beyond| beyond.saturating_add(1));
    if span == 0 {
        return Ok(None);
    }
    let scanned = usize::try_from(span).map_or(FRAME_MAX_SCANNED, |span| span.min(FRAME_MAX_SCANNED));
    let bounds = ReadBounds { events: FRAME_MAX_EVENTS, bytes: FRAME_MAX_BYTES, scanned };
    Ok(log.read(at.next, bounds, interest)?.map(|batch| SharedFrame::new(at.uncovered, batch)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::{Draft, InterestQuery, RingBounds},
        metrics::Metrics,
    };
    use monkeytown_protocol::{Envelope, Event, Timestamp};
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    fn event(number: usize, agent: usize, pad: usize) -> Event {
        let (agent, pad) = (agent % 5, "x".repeat(pad));
        let json = format!(
            r#"{{"specversion":"1.0","id":"{number}","source":"/a","type":"monkeytown.entity.updated",
            "time":"2026-01-18T12:00:00Z","data":{{"id":"a{agent}","kind":"agent","activity":"{pad}"}}}}"#
        );
        let envelope: Envelope<'_, &RawValue> = serde_json::from_str(&json).expect("an event");
        let mut data = serde_json::Deserializer::from_str(envelope.data.expect("data").get());
        envelope.decode(Timestamp::default(), |_| &mut data).expect("an event")
    }

    fn append(log: &Log, events: impl Iterator<Item = Event>) {
        let draft = |event: Event| {
            let mut open_json = serde_json::to_vec(&event).expect("JSON");
            open_json.pop();
            Draft { event, open_json }
        };
        log.append_in_memory(events.map(draft).collect());
    }

    fn agents(names: &str) -> Interest {
        let query: InterestQuery = serde_json::from_str(&format!(r#"{{"agents":"{names}"}}"#)).expect("a query");
        Interest::read(&query).expect("an interest")
    }

    fn said(frame: &SharedFrame) -> (Offset, Offset, Vec<(Offset, Bytes)>) {
        let events = frame.batch.events.iter().map(|event| (event.offset, event.json.clone()));
        (frame.first, frame.batch.last, events.collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_shared_frame_is_the_one_that_its_subscriber_would_have_made(
            max_events in 50_usize..1_500,
            steps in proptest::collection::vec((0_usize..600, 0_usize..900, any::<[u8; 4]>()), 1..8),
        ) {
            let log = Log::new(RingBounds { max_events, max_bytes: usize::MAX }, Metrics::new());
            let fanout = Fanout::default();
            let names = ["", "a1", "a1,a2"];
            let interests = names.map(|names| fanout.interest(agents(names)));
            let again = names.map(|names| fanout.interest(agents(names)));
            let mut known = 0;
            for (count, pad, picks) in steps {
                append(&log, (known..known + count).map(|number| event(number, number * number, pad)));
                known += count;
                // Several stand where others do, some a little behind, some at another tick.
                for pick in picks {
                    let interest = usize::from(pick % 3);
                    let head = log.head().map_or(0, |head| head.0);
                    let next = head.saturating_sub(u64::from(pick / 3 % 8) * 150);
                    let uncovered = Offset(next.saturating_sub(u64::from(pick / 24 % 2) * 3));
                    let until = Offset(head.saturating_sub(u64::from(pick / 48 % 3) * 100));
                    let at = Standing { uncovered, next: Offset(next), until };
                    let frames = [&interests[interest], &again[interest]].map(|interest| fanout.frame(&log, interest, at));
                    match (&frames, read(&log, &interests[interest], at)) {
                        ([Ok(Some(one)), Ok(Some(other))], own) => {
                            prop_assert!(Arc::ptr_eq(one, other), "the second of two makes nothing");
                            match own {
                                Ok(own) => prop_assert_eq!(Some(said(one)), own.as_ref().map(said)),
                                // What has gone from the ring since may still be shared, whole.
                                Err(FellBehind) => prop_assert_eq!(one.first, at.uncovered),
                            }
                        }
                        ([Ok(None), Ok(None)], Ok(None)) | ([Err(_), Err(_)], Err(FellBehind)) => {}
                        (frames, own) => prop_assert!(false, "{frames:?} in place of {own:?}"),
                    }
                }
                prop_assert!(fanout.kept().len() <= KEPT_MAX);
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_after_a_pause_is_told_at_once_and_the_rest_of_a_tick_together() {
        for (followers, tick) in [(1, TICK_MIN), (100, TICK_MAX / 2), (1_000, TICK_MAX)] {
            let log = Log::new(RingBounds { max_events: 100, max_bytes: usize::MAX }, Metrics::new());
            let fanout = Arc::new(Fanout::default());
            let (ticking, ticked) = (Arc::clone(&fanout), log.clone());
            let task = tokio::spawn(async move { match ticking.run(&ticked).await {} });
            let mut told: Vec<_> = (0..followers).map(|_| fanout.watch()).collect();
            let told = told.last_mut().expect("somebody follows");
            tokio::time::sleep(TICK_MAX * 2).await;
            let began = tokio::time::Instant::now();
            append(&log, std::iter::once(event(0, 0, 0)));
            told.changed().await.expect("the fan-out is held");
            assert_eq!((fanout.told(), began.elapsed()), (Some(Offset(0)), Duration::ZERO));
            for number in 1..4 {
                append(&log, std::iter::once(event(number, 0, 0)));
                tokio::task::yield_now().await;
            }
            assert_eq!(fanout.told(), Some(Offset(0)), "within a tick nothing more is told");
            told.changed().await.expect("the fan-out is held");
            assert_eq!(fanout.told(), Some(Offset(3)), "and then all of it");
            // The clock is the test's own; timers go by whole milliseconds.
            assert!((tick..=tick + Duration::from_millis(2)).contains(&began.elapsed()));
            task.abort();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_are_not_kept_while_nothing_comes() {
        let log = Log::new(RingBounds { max_events: 100, max_bytes: usize::MAX }, Metrics::new());
        let fanout = Arc::new(Fanout::default());
        let (ticking, ticked) = (Arc::clone(&fanout), log.clone());
        let task = tokio::spawn(async move { match ticking.run(&ticked).await {} });
        append(&log, std::iter::once(event(0, 0, 0)));
        let (one, _other) = (fanout.interest(agents("")), fanout.interest(agents("")));
        let at = Standing { uncovered: Offset(0), next: Offset(0), until: Offset(0) };
        fanout.frame(&log, &one, at).expect("held").expect("an event");
        assert_eq!(fanout.kept().len(), 1);
        tokio::time::sleep(KEPT_WHILE_IDLE * 2 + TICK_MAX * 2).await;
        assert_eq!(fanout.kept().len(), 0);
        task.abort();
    }
}
