//! States of moments past: what a request calls a moment, how many are folded at once, in all and for one address, and the
//! answers that others are likely to ask for again.
//!
//! A fold runs on a thread that may block, and stops soon after nobody waits for it. Knows nothing of how a state is folded
//! or sent.

use crate::{
    address::Client,
    log::{Log, Moment, Snapshot, Unfolded},
    pool::{Held, PlaceBounds, Pool},
};
use axum::extract::{Query, rejection::QueryRejection};
use monkeytown_protocol::{Cursor, Position, Timestamp};
use serde::Deserialize;
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::sync::OnceCell;
use utoipa::IntoParams;

/// Folds of one address at once. Each takes milliseconds, so that one after another is quick enough for one page.
const OF_ONE: usize = 1;
/// States remembered, and their bytes: some minutes of a page that steps along the axis, or the links of a busy day. At
/// least one is, however large.
const LATELY_MAX: usize = 64;
const LATELY_MAX_BYTES: usize = 32 << 20;

/// Which moment a snapshot is asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SnapshotQuery {
    /// The moment: the state after `EPOCH:OFFSET`; `earliest`, before the first event that is held; `latest`, as when it is
    /// absent; or a moment of the source's own time (RFC 3339): before whose end nothing later had happened, or `earliest` where it lies before that.
    #[param(
        pattern = r"^(earliest|latest|[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19})|[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))$"
    )]
    at: Option<String>,
}

/// What a request calls a moment; `None` for the present.
///
/// # Errors
/// With what is wrong with it.
pub(crate) fn read(query: Result<Query<SnapshotQuery>, QueryRejection>) -> Result<Option<Moment>, String> {
    let Query(SnapshotQuery { at }) = query.map_err(|rejection| rejection.body_text())?;
    let Some(at) = at else { return Ok(None) };
    if let Ok(time) = at.parse::<Timestamp>() {
        return Ok(Some(Moment::Time(time)));
    }
    match at.parse() {
        Ok(Cursor::Earliest) => Ok(Some(Moment::Earliest)),
        Ok(Cursor::Latest) => Ok(None),
        Ok(Cursor::At(position)) => Ok(Some(Moment::At(position))),
        Err(_) => Err("at: a moment is EPOCH:OFFSET, earliest, latest, or RFC 3339 such as 2026-01-18T12:00:00.000Z \
                       (a + in it is written %2B)"
            .to_owned()),
    }
}

/// Why there is no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// What it is folded from has gone.
    TooOld,
    /// Others had the places for too long.
    Busy,
}

type Answer = Arc<OnceCell<Arc<Snapshot>>>;

/// Folds under way, and what was folded lately.
pub(crate) struct Rewinds {
    places: Pool<Client>,
    /// The newest last.
    lately: Mutex<VecDeque<(Position, Answer)>>,
}

impl Default for Rewinds {
    fn default() -> Self {
        // Half of the processors: whoever looks back takes the others' present from nobody.
        let all = thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).clamp(1, 4));
        Self { places: Pool::new(PlaceBounds { all, of_one: OF_ONE }), lately: Mutex::default() }
    }
}

impl Rewinds {
    /// The state of `log` at `position`, for `client`, which waits for a place no longer than `within`.
    ///
    /// # Errors
    /// When there is none any more, or no place came free.
    pub(crate) async fn snapshot(
        &self,
        log: &Log,
        client: Client,
        position: &Position,
        within: Duration,
    ) -> Result<Arc<Snapshot>, Unseen> {
        if let Some(known) = self.known(position) {
            return Ok(known);
        }
        let taken = tokio::time::timeout(within, self.places.take(client, 1)).await;
        let place = taken.map_err(|_| Unseen::Busy)?;
        // Who waited for a place finds what another made meanwhile.
        let answer = self.answer(position);
        let folded = answer.get_or_try_init(|| fold(log.clone(), position.clone(), place)).await.cloned();
        drop(answer);
        self.trim();
        folded.map_err(|unfolded| match unfolded {
            Unfolded::TooOld => Unseen::TooOld,
            // Only a server that ends stops what somebody waits for.
            Unfolded::Stopped => Unseen::Busy,
        })
    }

    fn known(&self, position: &Position) -> Option<Arc<Snapshot>> {
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.iter().find(|(known, _)| known == position).and_then(|(_, answer)| answer.get().cloned())
    }

    fn answer(&self, position: &Position) -> Answer {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, answer)) = lately.iter().find(|(known, _)| known == position) {
            return Arc::clone(answer);
        }
        // Those who have gone while they waited left theirs.
        lately.retain(is_wanted);
        let answer = Answer::default();
        lately.push_back((position.clone(), Arc::clone(&answer)));
        answer
    }

    /// Forgets the oldest, and those that came to nothing.
    fn trim(&self) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.retain(is_wanted);
        let bytes = |answer: &Answer| answer.get().map_or(0, |snapshot| snapshot.bytes());
        let mut all: usize = lately.iter().map(|(_, answer)| bytes(answer)).sum();
        while lately.len() > LATELY_MAX || (all > LATELY_MAX_BYTES && lately.len() > 1) {
            let Some((_, gone)) = lately.pop_front() else { break };
            // One that is told just now was not in the sum.
            all = all.saturating_sub(bytes(&gone));
        }
    }
}

/// Whether it is told, or somebody waits for it.
fn is_wanted((_, answer): &(Position, Answer)) -> bool {
    answer.initialized() || Arc::strong_count(answer) > 1
}

/// Folds on a thread that may block, which keeps its place until it ends.
async fn fold(log: Log, position: Position, place: Held<Client>) -> Result<Arc<Snapshot>, Unfolded> {
    let stop = StopWhenDropped::default();
    let stopped = Arc::clone(&stop.0);
    let folding = tokio::task::spawn_blocking(move || {
        let folded = log.fold_to(&position, &stopped).map(Arc::new);
        drop(place);
        folded
    });
    // A fold that panics is a defect of ours, and is one here too.
    folding.await.unwrap_or_else(|failed| match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Unfolded::Stopped),
    })
}

/// Says that nobody waits any more.
#[derive(Default)]
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        log::{Draft, RingBounds},
        metrics::Metrics,
        sources::simulator::{Simulator, SimulatorConfig},
    };
    use futures_util::{FutureExt, future::join_all};
    use monkeytown_protocol::Offset;
    use std::net::{IpAddr, Ipv4Addr};

    const PATIENCE: Duration = Duration::from_secs(60);

    fn log(count: usize) -> Log {
        let log = Log::new(RingBounds { max_events: 100_000, max_bytes: 1 << 28 }, Metrics::new());
        let mut simulator = Simulator::new(SimulatorConfig { rate: 10.0, seed: 1 }).unwrap();
        let draft = |event| {
            let mut open_json = serde_json::to_vec(&event).unwrap();
            open_json.pop();
            Draft { event, open_json }
        };
        log.append_in_memory((0..count).map(|_| draft(simulator.next_event())).collect());
        log
    }

    fn client(number: u8) -> Client {
        Client::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)))
    }

    fn at(log: &Log, offset: u64) -> Position {
        Position { epoch: log.epoch().clone(), after: Some(Offset(offset)) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_hundred_who_look_at_one_moment_cost_one_fold() {
        let (log, rewinds) = (log(3_000), Rewinds::default());
        let position = at(&log, 2_500);
        let all = join_all((0..100).map(|number| rewinds.snapshot(&log, client(number), &position, PATIENCE))).await;
        let first = all[0].as_ref().unwrap();
        assert!(all.iter().all(|other| Arc::ptr_eq(other.as_ref().unwrap(), first)));
        assert_eq!(first.position(), position);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_remembered_is_bounded_and_the_newest_of_it() {
        let (log, rewinds) = (log(300), Rewinds::default());
        for offset in 0..200 {
            rewinds.snapshot(&log, client(1), &at(&log, offset), PATIENCE).await.unwrap();
        }
        assert_eq!(rewinds.lately.lock().unwrap().len(), LATELY_MAX);
        assert!(rewinds.known(&at(&log, 199)).is_some() && rewinds.known(&at(&log, 0)).is_none());
        // What came to nothing is not remembered.
        let other = Log::new(RingBounds { max_events: 1, max_bytes: 1 }, Metrics::new());
        let ahead = rewinds.snapshot(&other, client(1), &at(&other, 7), PATIENCE).await;
        assert_eq!(ahead.err(), Some(Unseen::TooOld));
        assert!(rewinds.lately.lock().unwrap().iter().all(|(_, answer)| answer.initialized()));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_who_asks_for_very_many_keeps_others_waiting_for_one_at_most() {
        let (log, rewinds) = (log(2_000), Arc::new(Rewinds::default()));
        let greedy: Vec<_> = (0..500)
            .map(|offset| {
                let (log, rewinds) = (log.clone(), Arc::clone(&rewinds));
                tokio::spawn(
                    async move { rewinds.snapshot(&log, client(1), &at(&log, offset), PATIENCE).await.is_ok() },
                )
            })
            .collect();
        rewinds.snapshot(&log, client(2), &at(&log, 1_999), PATIENCE).await.unwrap();
        let waiting = greedy.iter().filter(|one| !one.is_finished()).count();
        assert!(waiting > 100, "all others came first: {waiting} wait");
        for one in greedy {
            one.abort();
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn those_who_are_gone_give_their_places_back() {
        let (log, rewinds) = (log(9_000), Rewinds::default());
        for offset in 0..200 {
            // It has begun, and nobody waits any more.
            assert!(rewinds.snapshot(&log, client(1), &at(&log, 8_000 - offset), PATIENCE).now_or_never().is_none());
        }
        let left = rewinds.lately.lock().unwrap().len();
        assert!(left <= 2, "{left} that nobody waits for are remembered");
        rewinds.snapshot(&log, client(1), &at(&log, 8_999), PATIENCE).await.unwrap();
        assert!(rewinds.lately.lock().unwrap().len() <= 2, "what came to nothing is remembered");
        let busy = rewinds.places.take(client(2), 1).await;
        let refused = rewinds.snapshot(&log, client(2), &at(&log, 1), Duration::from_millis(20)).await;
        assert_eq!(refused.err(), Some(Unseen::Busy));
        drop(busy);
        rewinds.snapshot(&log, client(2), &at(&log, 1), PATIENCE).await.unwrap();
    }

    #[test]
    fn what_is_called_a_moment() {
        let read = |at: &str| read(Ok(Query(SnapshotQuery { at: Some(at.to_owned()) })));
        assert_eq!(read("earliest"), Ok(Some(Moment::Earliest)));
        assert_eq!(read("latest"), Ok(None));
        assert!(matches!(read("k:-1"), Ok(Some(Moment::At(position))) if position.after.is_none()));
        let noon = "2026-01-18T12:00:00.000Z".parse().unwrap();
        for same in ["2026-01-18T12:00:00Z", "2026-01-18t14:00:00.0004+02:00", "2026-01-18 12:00:00z"] {
            assert_eq!(read(same), Ok(Some(Moment::Time(noon))), "{same}");
        }
        for wrong in ["", "k", "k:", "k:+1", "2026-01-18", "2026-01-18T12:00:00", "2026-02-30T00:00:00Z", "EARLIEST"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
