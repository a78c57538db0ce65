//! From what Redis holds to a log that serves it: ring, state, epoch and offsets. Whole, or not at all.
//!
//! Events older than the state that is kept go into the ring only; what follows it is folded.

use super::{
    Joined, Redis, RedisError, RedisPatience, RedisUrl, Told, WAITING_MAX_BYTES,
    link::{Link, Opened, Over, Place, Trouble},
    queue::Queue,
    scribe::{FIRST_PAUSE, Scribe},
    stamps::{self, Stamps},
};
use crate::{
    log::{Keeper, Log, RingBounds, append::KeptEvent},
    metrics::Metrics,
    random,
};
use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Epoch, Offset};
use redis::Client;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};
use tokio::sync::watch;

/// How often the start is tried again when there is no state, which may have been kept between two questions.
const READINGS: usize = 5;

/// Joins, on a thread of its own which goes on for as long as somebody has the log.
pub(in crate::log) fn join(
    bounds: RingBounds,
    metrics: Metrics,
    url: &RedisUrl,
    patience: RedisPatience,
) -> Result<(Log, Joined), RedisError> {
    let (client, place) = url.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RedisError::Thread)?;
    let (tell, told) = mpsc::sync_channel(1);
    let begun = Instant::now();
    let live = async move {
        let read = match read_patiently(&client, &place, bounds, &metrics, patience).await {
            Ok(read) => read,
            Err(error) => {
                let _ = tell.send(Err(error));
                return;
            }
        };
        let Read { log, stamps, appends_to_file } = read;
        let events = log.head().map_or(0, |head| head.0 + 1) - log.retention().0.0;
        let queue = Arc::new(Queue::new(WAITING_MAX_BYTES, patience.append));
        let (trouble, heard) = watch::channel(None);
        let answered = Arc::new(Told::default());
        let redis = Redis { queue: Arc::clone(&queue), trouble: heard, told: Arc::clone(&answered) };
        let scribe = Scribe::new(log.clone(), client, bounds, metrics, patience, stamps, (trouble, answered));
        let log = log.kept_by(Keeper::Redis(Arc::new(redis)));
        let joined = Joined { place, events, appends_to_file, took: begun.elapsed() };
        if tell.send(Ok((log, joined))).is_ok() {
            scribe.run(&queue).await;
        }
    };
    thread::Builder::new()
        .name("redis".to_owned())
        .spawn(move || runtime.block_on(live))
        .map_err(RedisError::Thread)?;
    told.recv().expect("the thread tells what became of it before it ends")
}

/// What was read.
struct Read {
    log: Log,
    stamps: Stamps,
    appends_to_file: bool,
}

async fn read_patiently(
    client: &Client,
    place: &str,
    bounds: RingBounds,
    metrics: &Metrics,
    patience: RedisPatience,
) -> Result<Read, RedisError> {
    let until = Instant::now() + patience.start;
    let mut readings = 0;
    loop {
        let trouble = match read(client, bounds, metrics, patience).await {
            Ok(read) => return Ok(read),
            Err(trouble) => trouble,
        };
        readings += usize::from(matches!(trouble, Trouble::Over(Over::Stateless)));
        let place = place.to_owned();
        let why = trouble.to_string();
        match trouble {
            Trouble::Refused(_) if trouble.is_lasting() => return Err(RedisError::Refused { place, why }),
            Trouble::Over(Over::Stateless) if readings < READINGS => {}
            // What is read goes from under it: others append much.
            Trouble::Over(over) if over != Over::Stateless && Instant::now() < until => {}
            Trouble::Over(over) if over != Over::Stateless => {
                return Err(RedisError::Away { place, why, seconds: patience.start.as_secs() });
            }
            _ if trouble.is_lasting() => return Err(RedisError::Damaged { place, why }),
            _ if Instant::now() >= until => {
                return Err(RedisError::Away { place, why, seconds: patience.start.as_secs() });
            }
            _ => {}
        }
        tokio::time::sleep(FIRST_PAUSE).await;
    }
}

/// Reads all that is held. What others append or let go meanwhile is no trouble, unless it is faster than this.
async fn read(
    client: &Client,
    bounds: RingBounds,
    metrics: &Metrics,
    patience: RedisPatience,
) -> Result<Read, Trouble> {
    let damaged = |why: String| Trouble::Damaged(why);
    let mut link = Link::open(client, patience.answer).await?;
    let Opened { epoch, .. } = link.open_log(random::epoch().as_str()).await?;
    let named = Epoch::new(&epoch).map_err(|_| damaged("its epoch is none".to_owned()))?;
    let state = link.state().await?;
    // After the state, since no event that follows it goes before another state is kept.
    let Opened { first, next, stamp, .. } = link.open_log(&epoch).await?;
    let log = Log::of(bounds, metrics.clone(), named, Offset(first));
    let mut folded_from = 0;
    let over = if state.is_some() { Over::Behind } else { Over::Stateless };
    if let Some(state) = state {
        let fold: Civilization = serde_json::from_slice(&state.json)
            .map_err(|error| damaged(format!("the state that is kept cannot be read: {error}")))?;
        log.restore_state(fold, state.recorded, Offset(state.next));
        folded_from = state.next;
    }
    if first > folded_from {
        // Another state was kept between the two questions.
        return Err(Trouble::Over(over));
    }
    if folded_from > next {
        return Err(damaged(format!("the state that is kept follows event {folded_from}, and {next} is the next")));
    }
    let before = if first == next { stamps::read(&stamp) } else { None };
    if first == next && next > 0 && before.is_none() {
        return Err(damaged("the stamp of its newest event is none".to_owned()));
    }
    let mut stamps = Stamps::beginning_at(first, before);
    loop {
        let at = log.next().0;
        let place = Place { epoch: epoch.clone(), next: at, stamp: Vec::new() };
        let (newest, entries) = link.read(&place, None, true).await?;
        let (mut known, mut new): (Vec<KeptEvent>, Vec<KeptEvent>) = (Vec::new(), Vec::new());
        let accepted = Instant::now();
        let mut read = Vec::with_capacity(entries.len());
        for (entry, offset) in entries.into_iter().zip(at..) {
            if entry.follows(offset) {
                return Err(Trouble::Over(Over::Behind));
            }
            let (event, stamp) = entry.event(offset)?;
            read.push(stamp);
            if offset < folded_from { known.push(event) } else { new.push(event) }
        }
        log.hold_kept(known, accepted, false);
        log.hold_kept(new, accepted, true);
        let first_held = log.retention().0.0;
        for stamp in read {
            stamps.push(stamp, first_held);
        }
        if log.next().0 >= newest {
            return Ok(Read { log, stamps, appends_to_file: link.server.appends_to_file });
        }
        if log.next().0 == at {
            return Err(damaged(format!("event {at} is missing")));
        }
    }
}
