//! Follows the branch: what is new is told at once, what goes wrong is said and tried again.
//!
//! Owns the rhythm of looking and fetching. Knows nothing of how commits are read.

use super::{
    alerts::{self, Trouble},
    append, blocking,
    error::GitError,
    joined,
    remote::Fetched,
    tell,
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

/// Longest wait after fetches that did not succeed, unless a longer one is asked for anyway.
const BACKOFF_MAX: Duration = Duration::from_secs(900);

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
    fetch: Arc<dyn Fn() -> Result<Fetched, GitError> + Send + Sync>,
    every: Duration,
    next: Instant,
    running: Option<JoinHandle<Result<Fetched, GitError>>>,
    /// Why the last fetch did not succeed.
    wrong: Option<String>,
    /// How many in a row did not.
    failures: u32,
}

impl Fetcher {
    fn new(teller: &Teller, every: Duration) -> Option<Self> {
        let remote = teller.repository.remote.clone()?;
        let folder: Arc<Path> = teller.repository.path().into();
        let fetch = Arc::new(move || remote.fetch(&folder));
        Some(Self { fetch, every, next: Instant::now(), running: None, wrong: None, failures: 0 })
    }

    /// Starts a fetch when it is time, and takes in what one that has ended says.
    async fn tend(&mut self) {
        match self.running.take() {
            Some(running) if running.is_finished() => {
                match joined(running).await {
                    Ok(Fetched::Done) => (self.wrong, self.failures) = (None, 0),
                    // What the other process found it keeps to itself.
                    Ok(Fetched::ByAnother) => {}
                    Err(error) => {
                        self.wrong = Some(error.to_string());
                        self.failures = self.failures.saturating_add(1);
                    }
                }
                self.next = Instant::now() + wait(self.every, self.failures, fastrand::f64());
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

/// How long to wait before the next fetch: longer after each that did not succeed in a row, and never less than asked
/// for. `chance`, from 0 to 1, keeps those apart that a server's return would bring back at once.
fn wait(every: Duration, failures: u32, chance: f64) -> Duration {
    let longer = every.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(BACKOFF_MAX);
    if failures < 2 { every } else { every.max(longer.mul_f64(0.5 + chance / 2.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stays_away_is_asked_less_and_less_often_and_one_that_is_there_as_asked_for() {
        let minutes = |failures, chance| wait(Duration::from_secs(60), failures, chance).as_secs_f64() / 60.0;
        let waits: Vec<f64> = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|failures| minutes(failures, 1.0)).to_vec();
        assert_eq!(waits, [1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]);
        assert_eq!((minutes(2, 0.0), minutes(9, 0.0)), (1.0, 7.5));
        let rare = Duration::from_secs(86_400);
        assert_eq!(wait(rare, 9, 0.0), rare, "never more often than asked for");
    }

    #[tokio::test]
    async fn that_another_process_fetches_says_nothing_of_how_the_server_is() {
        let answers = std::sync::Mutex::new(vec![
            Ok(Fetched::Done),
            Ok(Fetched::ByAnother),
            Err(GitError::NoCache { reason: "away".to_owned() }),
        ]);
        let fetch = move || answers.lock().expect("a lock").pop().unwrap_or(Ok(Fetched::ByAnother));
        let every = Duration::from_millis(1);
        let mut fetcher =
            Fetcher { fetch: Arc::new(fetch), every, next: Instant::now(), running: None, wrong: None, failures: 0 };
        let mut seen = Vec::new();
        while seen.len() < 3 {
            let was_running = fetcher.running.is_some();
            fetcher.tend().await;
            if was_running && fetcher.running.is_none() {
                seen.push((fetcher.wrong.is_some(), fetcher.failures));
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(seen, [(true, 1), (true, 1), (false, 0)]);
    }
}
