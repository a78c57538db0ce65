//! The one who speaks with Redis: appends what waits, holds what is there, keeps the state now and then, and puts back what
//! Redis has lost. All that changes this node's log happens here, one thing after the other.

use super::{
    RedisPatience, Told,
    link::{Bounds, Link, Over, Place, Sent, Taken, Trouble},
    queue::{Job, Queue},
    stamps::Stamps,
};
use crate::{
    log::{
        Log, RingBounds,
        append::{self, Appended, KeptEvent},
        identity::Identity,
        ring::RECORD_OVERHEAD_BYTES,
    },
    metrics::Metrics,
    random,
};
use bytes::Bytes;
use monkeytown_protocol::Offset;
use redis::Client;
use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// After the first failure the next try comes so much later, and twice as much after each further one up to the most.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks for appends whose time is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Events and bytes after which what is appended at once is enough; a single append may be larger.
const ENOUGH: (usize, usize) = (512, 512 << 10);
/// The state is kept again after an eighth of a ring, but not more often than this, in events.
const STATE_EVERY: (usize, usize) = (8, 1_024);
/// Events and bytes that are put back at once.
const REFILL: (usize, usize) = (512, 1 << 20);

/// How old a Redis is at most, by its own word, of which a node that starts believes that others may not have found it again:
/// it counts the time in which it read its file.
const YOUNG: Duration = Duration::from_secs(60);
/// So many of the newest events are compared with those of a Redis that has begun anew.
const COMPARED: u64 = 10_000;

/// The scribe.
pub(super) struct Scribe {
    log: Log,
    client: Client,
    bounds: Bounds,
    metrics: Metrics,
    patience: RedisPatience,
    stamps: Stamps,
    trouble: watch::Sender<Option<String>>,
    told: Arc<Told>,
    /// Which process of Redis was spoken with last.
    run: Option<String>,
    /// Tries that failed, one after the other.
    failures: u32,
}

/// Ends the queue when it is dropped.
struct Ending<'a>(&'a Queue);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Scribe {
    pub(super) fn new(
        log: Log,
        client: Client,
        ring: RingBounds,
        metrics: Metrics,
        patience: RedisPatience,
        stamps: Stamps,
        (trouble, told): (watch::Sender<Option<String>>, Arc<Told>),
    ) -> Self {
        let state_every = (ring.max_events / STATE_EVERY.0).max(STATE_EVERY.1) as u64;
        let overhead = RECORD_OVERHEAD_BYTES;
        let bounds = Bounds { events: ring.max_events, bytes: ring.max_bytes, overhead, state_every };
        Self { log, client, bounds, metrics, patience, stamps, trouble, told, run: None, failures: 0 }
    }

    /// Goes on until nobody can append any more, or this history is over.
    pub(super) async fn run(mut self, queue: &Queue) {
        // However it ends, a defect included: what waits is answered.
        let _end = Ending(queue);
        let expiring = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                queue.expire(Instant::now());
            }
        };
        tokio::select! {
            () = self.go_on(queue) => {}
            () = expiring => {}
        }
    }

    async fn go_on(&mut self, queue: &Queue) {
        loop {
            let trouble = match self.serve(queue).await {
                Ok(()) => return,
                Err(trouble) => trouble,
            };
            self.metrics.redis_failures_total.inc();
            let words = trouble.to_string();
            if let Trouble::Over(over) = trouble {
                tracing::error!(
                    epoch = self.log.epoch().as_str(),
                    next = self.log.next().0,
                    why = words,
                    "this history cannot be continued; the stream ends, and begins anew with what Redis holds"
                );
                self.trouble.send_replace(Some(words));
                self.give_up(over, queue).await;
                return;
            }
            if self.trouble.borrow().as_ref() != Some(&words) {
                tracing::error!(
                    why = words,
                    "Redis keeps no events; those that come wait, and are refused after a while"
                );
                self.trouble.send_replace(Some(words));
            }
            let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(5)).min(LONGEST_PAUSE);
            self.failures += 1;
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = queue.left() => return,
            }
        }
    }

    /// Where a history has split or cannot be made whole, what Redis holds goes on under another epoch. Until that is so this
    /// node does not end: the next to start would take what is there for the history that it is not.
    async fn give_up(&mut self, over: Over, queue: &Queue) {
        if !matches!(over, Over::Diverged | Over::TooShort) {
            return;
        }
        let another = random::epoch();
        loop {
            let renewed = async {
                let mut link = Link::open(&self.client, self.patience.answer).await?;
                link.renew(self.log.epoch().as_str(), another.as_str()).await
            };
            let Err(trouble) = renewed.await else { return };
            self.metrics.redis_failures_total.inc();
            tracing::warn!(why = %trouble, "Redis cannot be told yet that another history begins");
            tokio::select! {
                () = tokio::time::sleep(LONGEST_PAUSE) => {}
                () = queue.left() => return,
            }
        }
    }

    /// One connection, until it fails.
    async fn serve(&mut self, queue: &Queue) -> Result<(), Trouble> {
        let mut link = Link::open(&self.client, self.patience.answer).await?;
        self.agree(&mut link).await?;
        let another = self.run.as_ref().is_some_and(|run| *run != link.server.run);
        let young = if self.run.is_none() { YOUNG } else { self.patience.settle };
        let mut bell = Box::pin(link.bell(self.log.next().0));
        if another || link.server.up < young {
            // Nothing is appended meanwhile, but what others append is held and served: whoever was sent here by another
            // node stands where that one stood.
            let mut settled = pin!(tokio::time::sleep(self.patience.settle));
            loop {
                tokio::select! {
                    () = settled.as_mut() => break,
                    rung = &mut bell => {
                        rung?;
                        self.agree(&mut link).await?;
                        bell = Box::pin(link.bell(self.log.next().0));
                    }
                }
            }
            self.agree(&mut link).await?;
        }
        if another {
            self.compare(&mut link).await?;
        }
        // One that can be read may still refuse to write.
        self.append(&mut link, &[]).await?;
        self.run = Some(link.server.run.clone());
        self.failures = 0;
        if self.trouble.send_replace(None).is_some() {
            tracing::info!(head = self.log.head().map(|head| head.0), "Redis keeps events again");
        }
        loop {
            tokio::select! {
                () = queue.news() => {
                    if queue.is_left() {
                        return Ok(());
                    }
                    let jobs = queue.take(ENOUGH.0, ENOUGH.1);
                    if !jobs.is_empty() {
                        self.take(&mut link, jobs, queue).await?;
                    }
                }
                rung = &mut bell => {
                    // It rings for everything that is told, and after a silence of a second or two.
                    link.set_clock().await?;
                    // After a silence too: an empty Redis or another history ring no bell.
                    if rung?.is_none_or(|newest| newest >= self.log.next().0) {
                        self.catch_up(&mut link, None).await?;
                    }
                    bell = Box::pin(link.bell(self.log.next().0));
                }
            }
        }
    }

    fn place(&self) -> Place {
        let next = self.log.next().0;
        let stamp = self.stamps.before(next).expect("the stamp of the newest event is held, and is asked for alone");
        Place { epoch: self.log.epoch().as_str().to_owned(), next, stamp }
    }

    /// Holds what Redis holds, and the other way round.
    async fn agree(&mut self, link: &mut Link) -> Result<(), Trouble> {
        loop {
            match self.catch_up(link, None).await {
                Err(Trouble::Short { next, stamp }) => self.refill(link, next, &stamp).await?,
                other => return other,
            }
        }
    }

    /// Whether the newest events are the same. A file that was torn and mended by Redis itself has been seen to hold parts of
    /// what was lost, below a newest event that is right.
    async fn compare(&mut self, link: &mut Link) -> Result<(), Trouble> {
        let place = self.place();
        let mut at = place.next.saturating_sub(COMPARED).max(self.log.retention().0.0);
        while at < place.next {
            let (from, stamps) = link.stamps(&place, at).await?;
            let (stamps, rest) = stamps.as_chunks::<8>();
            if stamps.is_empty() && from < place.next || !rest.is_empty() {
                return Err(Trouble::Damaged(format!("the stamps from event {from} on are none")));
            }
            at = from;
            for stamp in stamps {
                // Those that this node holds no longer are nobody's concern.
                if self.stamps.of(at).is_some_and(|known| known != u64::from_be_bytes(*stamp)) {
                    return Err(Trouble::Over(Over::Diverged));
                }
                at += 1;
            }
        }
        Ok(())
    }

    /// Holds what follows the newest that is held, up to an offset or to the end as it is now: others may append as fast as
    /// this reads.
    async fn catch_up(&mut self, link: &mut Link, mut to: Option<u64>) -> Result<(), Trouble> {
        loop {
            let place = self.place();
            let (newest, entries) = link.read(&place, to, false).await?;
            let accepted = Instant::now();
            let mut events = Vec::with_capacity(entries.len());
            let mut stamps = Vec::with_capacity(entries.len());
            for (entry, offset) in entries.into_iter().zip(place.next..) {
                let (event, stamp) = entry.event(offset)?;
                events.push(event);
                stamps.push(stamp);
            }
            let held = !events.is_empty();
            self.hold(events, &stamps, accepted);
            let wanted = *to.get_or_insert(newest);
            if self.log.next().0 >= wanted {
                return Ok(());
            }
            if !held {
                return Err(Trouble::Damaged(format!("event {} is missing", self.log.next().0)));
            }
        }
    }

    fn hold(&mut self, events: Vec<KeptEvent>, stamps: &[u64], accepted: Instant) {
        self.log.hold_kept(events, accepted, true);
        let first = self.log.retention().0.0;
        for stamp in stamps {
            self.stamps.push(*stamp, first);
        }
    }

    /// Puts a page back of what Redis has lost. It has what comes before the offset `next`, and `stamp` before that.
    async fn refill(&mut self, link: &mut Link, next: u64, stamp: &[u8]) -> Result<(), Trouble> {
        let lost = self.log.next().0.saturating_sub(next);
        match self.stamps.before(next) {
            Some(known) if known == stamp && self.log.retention().0.0 <= next => {}
            Some(known) if known != stamp => return Err(Trouble::Over(Over::Diverged)),
            _ => return Err(Trouble::Over(Over::TooShort)),
        }
        let mut page = Vec::new();
        let mut bytes = 0;
        for offset in next..self.log.next().0 {
            let kept = self.log.kept_at(Offset(offset)).zip(self.stamps.of(offset));
            let ((identity, json), stamp) = kept.expect("the ring holds all from its first event on, and their stamps");
            bytes += json.len();
            page.push((identity, stamp, json));
            if page.len() >= REFILL.0 || bytes >= REFILL.1 {
                break;
            }
        }
        let place = Place { epoch: self.log.epoch().as_str().to_owned(), next, stamp: stamp.to_vec() };
        let events =
            page.iter().map(|(identity, stamp, json)| Sent { identity: identity.bytes(), stamp: *stamp, json });
        let recorded = self.log.newest_recorded();
        let after = link.refill(&place, recorded, self.bounds.overhead, events).await?;
        tracing::warn!(from = next, after, lost, "Redis had lost events, and has them back from this node");
        Ok(())
    }

    /// Appends what the jobs bring, and answers them; gives them back where that fails.
    async fn take(&mut self, link: &mut Link, mut jobs: Vec<Job>, queue: &Queue) -> Result<(), Trouble> {
        let begun = Instant::now();
        jobs.iter_mut().for_each(Job::try_again);
        let taken = match self.append(link, &jobs).await {
            Ok(taken) => taken,
            Err(trouble) => {
                queue.give_back(jobs);
                return Err(trouble);
            }
        };
        let took = begun.elapsed();
        self.metrics.redis_append_seconds.observe(took.as_secs_f64());
        self.told.answered_in(took);
        self.answer(jobs, &taken);
        self.make_room(link, taken).await
    }

    /// One script for all the jobs, and all that came before it held.
    async fn append(&mut self, link: &mut Link, jobs: &[Job]) -> Result<Taken, Trouble> {
        let events = jobs.iter().flat_map(|job| job.drafts.iter().zip(job.stamps())).map(|(draft, stamp)| Sent {
            identity: Identity::common(&draft.event).bytes(),
            stamp,
            json: &draft.open_json,
        });
        let taken = link.append(&self.place(), self.bounds, events).await?;
        if taken.before > self.log.next().0 {
            self.catch_up(link, Some(taken.before)).await?;
        }
        // What is new follows in order; what was known lies before it.
        let mut next = taken.before;
        for offset in &taken.offsets {
            next += u64::from(*offset == next);
        }
        let count: usize = jobs.iter().map(|job| job.drafts.len()).sum();
        let known = taken.offsets.len() == count && taken.offsets.iter().all(|offset| *offset < next);
        if known && self.log.next().0 == taken.before {
            Ok(taken)
        } else {
            Err(Trouble::Damaged("the offsets of an append are none".to_owned()))
        }
    }

    /// Holds what is new of the jobs, and tells each what became of its events.
    fn answer(&mut self, jobs: Vec<Job>, taken: &Taken) {
        let Some(since) = jobs.first().map(|job| job.since) else { return };
        let end = append::json_end(taken.recorded);
        let mut offsets = taken.offsets.iter().copied();
        let mut next = taken.before;
        let (mut events, mut stamps, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for mut job in jobs {
            let drafts = std::mem::take(&mut job.drafts);
            let given: Vec<u64> = offsets.by_ref().take(drafts.len()).collect();
            for ((draft, stamp), offset) in drafts.into_iter().zip(job.stamps()).zip(&given) {
                if *offset != next {
                    continue;
                }
                let identity = Identity::common(&draft.event);
                let (mut event, mut json) = (draft.event, draft.open_json);
                event.recorded = Some(taken.recorded);
                json.extend_from_slice(end.as_bytes());
                json.shrink_to_fit();
                events.push(KeptEvent { event, json: Bytes::from(json), identity });
                stamps.push(stamp);
                next += 1;
            }
            answers.push((job, given));
        }
        self.hold(events, &stamps, since);
        for (job, given) in answers {
            let stamp = |offset: &u64| {
                let appended = offset.checked_sub(taken.before).and_then(|place| usize::try_from(place).ok());
                appended.and_then(|place| stamps.get(place).copied()).or_else(|| self.stamps.of(*offset))
            };
            // What was appended by a try whose answer was lost is no duplicate.
            let own = job.own(given.iter().map(stamp));
            self.metrics.published(own);
            let duplicates = given.len() - own;
            job.appended(Appended { offsets: given.into_iter().map(Offset).collect(), duplicates });
        }
    }

    /// Keeps the state when it is due, and has the oldest go until Redis holds a ring.
    async fn make_room(&mut self, link: &mut Link, mut taken: Taken) -> Result<(), Trouble> {
        loop {
            if taken.due {
                let place = self.place();
                let (state, recorded) = self.log.state_to_keep();
                link.keep_state(&place, recorded, &state).await?;
            }
            if !taken.over {
                return Ok(());
            }
            taken = self.append(link, &[]).await?;
        }
    }
}
