//! Follows the branch: what is new is told at once, what goes wrong is said and tried again.
//!
//! Owns the rhythm of looking and fetching. Knows nothing of how commits are read.

use super::{
    alerts::{self, Trouble},
    append, blocking,
    error::GitError,
    joined, tell,
    teller::Teller,
};
use crate::sources::Sink;
use monkeytown_protocol::Timestamp;
use std::{convert::Infallible, path::Path, sync::Arc, time::Duration};
use tokio::{
    task::{self, JoinHandle},
    time::{Instant, MissedTickBehavior, interval},
};

/// How often the branch is looked at: a new commit is to be on the page within two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follows the branch of `teller` until the future is dropped.
pub(super) async fn follow<S: Sink>(
    mut teller: Teller,
    sink: &S,
    now: impl Fn() -> Timestamp,
    fetch_every: Duration,
) -> Infallible {
    let mut trouble = Trouble::default();
    let mut fetcher = Fetcher::new(&teller, fetch_every);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if let Some(fetcher) = &mut fetcher {
            fetcher.tend().await;
        }
        let time = now();
        let (looked, news) = blocking(move || {
            let news = teller.look(time);
            (teller, news)
        })
        .await;
        teller = looked;
        let wrong = news.as_ref().err().map(ToString::to_string);
        let wrong = wrong.or_else(|| fetcher.as_ref().and_then(|fetcher| fetcher.wrong.clone()));
        append(sink, trouble.now(wrong, &teller.translator, time).into_iter().collect()).await;
        if let Ok(Some(news)) = news {
            if news.rewritten {
                append(sink, alerts::rewritten(teller.repository.branch_name(), &teller.translator, time)).await;
            }
            append(sink, news.recounted).await;
            teller = tell(teller, news.plan, None, Some(time), sink, &now).await;
        }
        append(sink, teller.translator.rest_until(now()).into_iter().flat_map(|step| step.events).collect()).await;
    }
}

/// Fetches a clone beside the looking, so that a slow peer delays nothing.
struct Fetcher {
    fetch: Arc<dyn Fn() -> Result<(), GitError> + Send + Sync>,
    every: Duration,
    next: Instant,
    running: Option<JoinHandle<Result<(), GitError>>>,
    /// Why the last fetch did not succeed.
    wrong: Option<String>,
}

impl Fetcher {
    fn new(teller: &Teller, every: Duration) -> Option<Self> {
        let remote = teller.repository.remote.clone()?;
        let folder: Arc<Path> = teller.repository.path().into();
        let fetch = Arc::new(move || remote.fetch(&folder));
        Some(Self { fetch, every, next: Instant::now(), running: None, wrong: None })
    }

    /// Starts a fetch when it is time, and takes in what one that has ended says.
    async fn tend(&mut self) {
        match self.running.take() {
            Some(running) if running.is_finished() => {
                self.wrong = joined(running).await.err().map(|error| error.to_string());
                self.next = Instant::now() + self.every;
            }
            Some(running) => self.running = Some(running),
            None if self.next <= Instant::now() => {
                let fetch = self.fetch.clone();
                self.running = Some(task::spawn_blocking(move || fetch()));
            }
            None => {}
        }
    }
}
