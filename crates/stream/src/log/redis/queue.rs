//! Appends that wait for Redis: in order, bounded in bytes, events and time.
//!
//! Knows nothing of Redis. What is taken may be given back, and then comes first again.

use crate::log::{
    Draft,
    append::{Appended, Unwritten},
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// What an event costs beside its JSON.
const EVENT_OVERHEAD_BYTES: usize = 256;
/// Room is counted in pieces of so many bytes.
const PIECE_BYTES: usize = 1_024;

/// Between two looks whether all has been answered.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Events that are to be appended, and who waits for that.
pub(super) struct Job {
    pub(super) drafts: Vec<Draft>,
    /// What each event's stamps are made of.
    seeds: Vec<u64>,
    /// How often it was tried.
    tries: u64,
    /// Since when it waits.
    pub(super) since: Instant,
    answer: oneshot::Sender<Result<Appended, Unwritten>>,
    until: Instant,
    _room: OwnedSemaphorePermit,
}

/// Between the stamps of an event's tries: odd, so that they differ for longer than anybody tries.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Job {
    /// It is tried once more: with other stamps, since what was written by the try before may be lost, and served by a node
    /// that saw it.
    pub(super) fn try_again(&mut self) {
        self.tries += 1;
    }

    /// The stamps of this try.
    pub(super) fn stamps(&self) -> impl Iterator<Item = u64> {
        self.seeds.iter().map(|seed| seed.wrapping_add(self.tries.wrapping_mul(STEP)))
    }

    /// Which of the stamps, one of each event, are of this or an earlier try.
    pub(super) fn own(&self, stamps: impl Iterator<Item = Option<u64>>) -> usize {
        let of_a_try =
            |seed: u64, stamp: u64| (1..=self.tries).any(|tried| seed.wrapping_add(tried.wrapping_mul(STEP)) == stamp);
        let both = self.seeds.iter().zip(stamps);
        both.filter(|(seed, stamp)| stamp.is_some_and(|stamp| of_a_try(**seed, stamp))).count()
    }

    /// Answers. Whoever asked may have gone.
    pub(super) fn appended(self, appended: Appended) {
        let _ = self.answer.send(Ok(appended));
    }

    fn refuse(self) {
        let _ = self.answer.send(Err(Unwritten { drafts: self.drafts }));
    }
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Nobody can append any more.
    left: bool,
    /// Nothing will be taken any more.
    over: bool,
}

/// The queue.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Notify,
    room: Arc<Semaphore>,
    pieces: u32,
    patience: Duration,
}

fn bytes(drafts: &[Draft]) -> usize {
    drafts.iter().map(|draft| draft.open_json.len() + EVENT_OVERHEAD_BYTES).sum()
}

impl Queue {
    /// Whoever waits longer than `patience` is refused, and so is who finds no room for so long.
    pub(super) fn new(max_bytes: usize, patience: Duration) -> Self {
        let pieces = u32::try_from(max_bytes / PIECE_BYTES).unwrap_or(u32::MAX).max(1);
        let room = Arc::new(Semaphore::new(usize::try_from(pieces).unwrap_or(1)));
        Self { waiting: Mutex::default(), news: Notify::new(), room, pieces, patience }
    }

    /// Appends, or gives the events back. While there is `trouble`, who finds no room is refused at once.
    pub(super) async fn append(&self, drafts: Vec<Draft>, trouble: impl Fn() -> bool) -> Result<Appended, Unwritten> {
        let since = Instant::now();
        let until = since + self.patience;
        let pieces = u32::try_from(bytes(&drafts).div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX).clamp(1, self.pieces);
        let room = match Arc::clone(&self.room).try_acquire_many_owned(pieces) {
            Ok(room) => Some(room),
            Err(_) if trouble() => None,
            Err(_) => {
                let waiting = Arc::clone(&self.room).acquire_many_owned(pieces);
                tokio::time::timeout_at(until.into(), waiting).await.ok().and_then(Result::ok)
            }
        };
        let Some(room) = room else { return Err(Unwritten { drafts }) };
        let (answer, answered) = oneshot::channel();
        let seeds = drafts.iter().map(|_| fastrand::u64(..)).collect();
        {
            let mut waiting = self.waiting();
            if waiting.over {
                return Err(Unwritten { drafts });
            }
            waiting.jobs.push_back(Job { drafts, seeds, tries: 0, since, answer, until, _room: room });
        }
        self.news.notify_one();
        answered.await.expect("whoever takes a job answers it or gives it back, and what waits at the end is refused")
    }

    /// Waits until there is a job, or nobody can append any more.
    pub(super) async fn news(&self) {
        loop {
            let news = self.news.notified();
            {
                let waiting = self.waiting();
                if !waiting.jobs.is_empty() || waiting.left {
                    return;
                }
            }
            news.await;
        }
    }

    /// The oldest jobs, until they are enough in events or bytes.
    pub(super) fn take(&self, enough_events: usize, enough_bytes: usize) -> Vec<Job> {
        let mut waiting = self.waiting();
        let (mut taken, mut events, mut size) = (Vec::new(), 0, 0);
        while let Some(next) = waiting.jobs.front() {
            events += next.drafts.len();
            size += bytes(&next.drafts);
            if !taken.is_empty() && (events > enough_events || size > enough_bytes) {
                break;
            }
            taken.extend(waiting.jobs.pop_front());
        }
        taken
    }

    /// Puts back what was taken.
    pub(super) fn give_back(&self, jobs: Vec<Job>) {
        let mut waiting = self.waiting();
        for job in jobs.into_iter().rev() {
            waiting.jobs.push_front(job);
        }
    }

    /// Refuses those whose time is over.
    pub(super) fn expire(&self, now: Instant) {
        let mut waiting = self.waiting();
        while waiting.jobs.front().is_some_and(|job| job.until <= now) {
            if let Some(job) = waiting.jobs.pop_front() {
                job.refuse();
            }
        }
    }

    /// Nobody can append any more.
    pub(super) fn leave(&self) {
        self.waiting().left = true;
        self.news.notify_one();
    }

    /// Whether nobody can append any more, and everything is answered.
    pub(super) fn is_left(&self) -> bool {
        let waiting = self.waiting();
        waiting.left && waiting.jobs.is_empty()
    }

    /// Waits until nobody can append any more, and everything is answered.
    pub(super) async fn left(&self) {
        loop {
            self.news().await;
            if self.is_left() {
                return;
            }
            // Jobs wait for longer than this looks for an end.
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Refuses everything from now on.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting();
        waiting.over = true;
        for job in std::mem::take(&mut waiting.jobs) {
            job.refuse();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Jobs are moved whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::simulator::{Simulator, SimulatorConfig};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn drafts(count: usize) -> Vec<Draft> {
        let mut simulator = Simulator::new(SimulatorConfig { rate: 1.0, seed: 1 }).unwrap();
        (0..count).map(|_| Draft { event: simulator.next_event(), open_json: vec![b'x'; 1_000] }).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn every_try_has_stamps_of_its_own_and_knows_those_of_the_tries_before() {
        let queue = Arc::new(Queue::new(1 << 20, PATIENCE));
        let appending = Arc::clone(&queue);
        let waiting = tokio::spawn(async move { appending.append(drafts(3), || false).await });
        queue.news().await;
        let mut job = queue.take(100, 1 << 20).remove(0);
        let mut tried: Vec<Vec<u64>> = Vec::new();
        for _ in 0..4 {
            job.try_again();
            tried.push(job.stamps().collect());
        }
        let mut all: Vec<u64> = tried.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 12);
        for stamps in &tried {
            assert_eq!(job.own(stamps.iter().copied().map(Some)), 3);
        }
        let one = tried.concat();
        assert_eq!(job.own([None, one.get(1).copied(), Some(7)].into_iter()), 1);
        job.appended(Appended { offsets: Vec::new(), duplicates: 0 });
        assert!(waiting.await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_too_long_or_finds_no_room_is_given_back() {
        let queue = Arc::new(Queue::new(4 << 10, PATIENCE));
        let append = |count: usize, trouble: bool| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.append(drafts(count), move || trouble).await })
        };
        let first = append(3, false);
        queue.news().await;
        // No room: at once where there is trouble, after a while where there is none.
        assert_eq!(append(2, true).await.unwrap().unwrap_err().drafts.len(), 2);
        assert_eq!(append(2, false).await.unwrap().unwrap_err().drafts.len(), 2);
        let jobs = queue.take(100, 1 << 20);
        queue.give_back(jobs);
        queue.expire(Instant::now());
        assert!(!queue.waiting().jobs.is_empty(), "its time is not over");
        queue.expire(Instant::now() + PATIENCE);
        assert_eq!(first.await.unwrap().unwrap_err().drafts.len(), 3);
        // At the end everything is.
        let last = append(3, false);
        queue.news().await;
        queue.end();
        assert_eq!(last.await.unwrap().unwrap_err().drafts.len(), 3);
        assert!(append(1, false).await.unwrap().is_err());
        queue.leave();
        queue.left().await;
    }

    #[tokio::test(start_paused = true)]
    async fn jobs_are_taken_in_order_until_they_are_enough_and_come_first_when_given_back() {
        let queue = Arc::new(Queue::new(1 << 20, PATIENCE));
        let mut waiting = Vec::new();
        for count in [2, 3, 40, 1] {
            let queue = Arc::clone(&queue);
            waiting.push(tokio::spawn(async move { queue.append(drafts(count), || false).await }));
            tokio::task::yield_now().await;
        }
        let sizes = |jobs: &[Job]| jobs.iter().map(|job| job.drafts.len()).collect::<Vec<_>>();
        let jobs = queue.take(10, 1 << 20);
        assert_eq!(sizes(&jobs), [2, 3]);
        queue.give_back(jobs);
        let jobs = queue.take(10, 1 << 20);
        assert_eq!(sizes(&jobs), [2, 3]);
        let large = queue.take(10, 1 << 20);
        assert_eq!(sizes(&large), [40], "one that is larger than enough goes alone");
        for job in jobs.into_iter().chain(large).chain(queue.take(10, 1)) {
            job.appended(Appended { offsets: Vec::new(), duplicates: 0 });
        }
        for waiting in waiting {
            assert!(waiting.await.unwrap().is_ok());
        }
    }
}
