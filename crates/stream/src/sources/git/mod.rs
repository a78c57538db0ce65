//! A Git repository as a source: its history is told at a chosen speed, then its branch is followed.
//!
//! [`GitSource::open`] finds everything that can be wrong at the start; [`GitSource::run`] goes on for ever and
//! answers what goes wrong later with an alert and another try. Knows the sink to append to, and nothing behind it.
//!
//! `repository` and `remote` open, `plan` orders the commits, `record` reads what each did (by `changes` of trees and
//! `mentions` in texts, on all processors, by `read`), `translate` makes events of it, `playback` says when, and this module tells them.

mod alerts;
mod changes;
mod commit;
mod error;
mod follow;
mod forge;
mod mentions;
mod plan;
mod playback;
mod pulls;
mod read;
mod record;
mod remote;
mod repository;
mod seeds;
mod teller;
mod translate;

pub use error::{GitError, KnownBranches, SpeedError};
pub use playback::GitSpeed;

use crate::sources::{
    Sink, SourceClock,
    domains::{DomainMap, Domains},
    source_uri,
};
use monkeytown_protocol::{Event, SourceUri, Timestamp};
use plan::Plan;
use playback::Pace;
use repository::Repository;
use std::{convert::Infallible, mem, ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};
use teller::{News, Teller};
use tokio::{
    sync::mpsc::{self, error::TryRecvError},
    task,
    time::{Instant, sleep_until},
};
use translate::{Step, StepKind, Translator};

/// Most events that are appended at once.
const BATCH_MAX: usize = 1_000;
/// Steps that reading may be ahead of telling.
const STEPS_AHEAD: usize = 256;

/// Which repository is told, and how.
#[derive(Debug, Clone)]
pub struct GitConfig {
    /// A path, or a URL (`https://`, `ssh://`, `file://`, `git@…`), which is cloned into the cache folder.
    pub repository: String,
    /// The branch; none for the one that `HEAD` names.
    pub branch: Option<String>,
    /// How fast its history is told.
    pub speed: GitSpeed,
    /// Whose folder is whose; none for an agent to every top-level folder.
    pub domains: Option<DomainMap>,
    /// How often a URL is fetched, in seconds; at least 1.
    pub fetch_seconds: u64,
    /// The folder for clones of URLs; none for `monkeytown/git` in the user's cache folder.
    pub cache: Option<PathBuf>,
}

/// A repository that is ready to be told.
#[derive(Debug)]
pub struct GitSource {
    teller: Teller,
    speed: GitSpeed,
    fetch_every: Duration,
}

impl GitSource {
    /// Opens the repository, and clones a URL first. Blocks.
    ///
    /// A repository without a commit is fine: its first one is waited for.
    ///
    /// # Errors
    /// When there is no repository, it cannot be read or cloned, or it has no such branch.
    pub fn open(config: GitConfig) -> Result<Self, GitError> {
        let mut repository = Repository::open(&config.repository, config.branch.as_deref(), config.cache.as_deref())?;
        if let Some(tip) = repository.tip()? {
            plan::tree_of(&repository.handle().to_thread_local(), tip)?;
        }
        let name = repository.folder_name();
        // The forge's page of the repository, where it has one.
        let page = repository.forge.as_ref().and_then(|forge| SourceUri::new(forge.base()).ok());
        let source = page.unwrap_or_else(|| source_uri("/git/", &name));
        let domains = config.domains.map_or(Domains::Folders { root_label: name }, Domains::Mapped);
        let translator = Translator::new(source, repository.forge.clone(), Arc::new(domains));
        Ok(Self {
            teller: Teller::new(repository, translator),
            speed: config.speed,
            fetch_every: Duration::from_secs(config.fetch_seconds.max(1)),
        })
    }

    /// The source that its events name.
    #[must_use]
    pub fn source(&self) -> &SourceUri {
        self.teller.translator.source()
    }

    /// The branch that is told.
    #[must_use]
    pub fn branch(&self) -> &str {
        self.teller.repository.branch_name()
    }

    /// Tells the history, then follows the branch, until the future is dropped. `now` is the wall clock.
    pub async fn run<S: Sink>(self, sink: S, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Infallible {
        let Self { mut teller, speed, fetch_every } = self;
        let started = now();
        sink.set_clock(SourceClock { shows: started, rate: 1.0 });
        let (looked, news) = blocking(move || {
            let news = teller.look(started);
            (teller, news)
        })
        .await;
        teller = looked;
        // What is wrong here is wrong at the first look of `follow` too, which says so.
        if let Ok(Some(News { plan, .. })) = news {
            let times: Vec<_> = plan.commits.iter().map(|planned| planned.time).collect();
            let pace = Pace::new(speed, &times, Instant::now());
            drop(times);
            teller = tell(teller, plan, pace, None, &sink, &now).await;
            let present = now();
            append(&sink, teller.translator.rest_until(present).into_iter().flat_map(|step| step.events).collect())
                .await;
            sink.set_clock(SourceClock { shows: present, rate: 1.0 });
        }
        follow::follow(teller, &sink, now, fetch_every).await
    }
}

/// Tells the commits of `plan`, at its pace or at once.
async fn tell<S: Sink>(
    mut teller: Teller,
    plan: Plan,
    mut pace: Option<Pace>,
    followed: Option<Timestamp>,
    sink: &S,
    now: &impl Fn() -> Timestamp,
) -> Teller {
    let unreadable = plan.unreadable;
    let (send, mut steps) = mpsc::channel::<Step>(STEPS_AHEAD);
    let reading = task::spawn_blocking(move || {
        teller.read(&plan, followed, |step| match send.blocking_send(step) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        });
        teller
    });
    if let Some(pace) = &pace {
        sink.set_clock(pace.start());
    }
    let mut batch = Vec::new();
    loop {
        let step = match steps.try_recv() {
            Ok(step) => step,
            Err(TryRecvError::Empty) => {
                append(sink, mem::take(&mut batch)).await;
                match steps.recv().await {
                    Some(step) => step,
                    None => break,
                }
            }
            Err(TryRecvError::Disconnected) => break,
        };
        if let Some(pace) = &mut pace {
            let due = match step.kind {
                StepKind::Commit => pace.commit(step.time),
                StepKind::Rest => pace.rest(step.time),
            };
            if due.at > Instant::now() {
                append(sink, mem::take(&mut batch)).await;
                sleep_until(due.at).await;
            }
            if let Some(clock) = pace.catch_up(due, step.time, Instant::now()).or(due.clock) {
                append(sink, mem::take(&mut batch)).await;
                sink.set_clock(clock);
            }
        }
        batch.extend(step.events);
        if batch.len() >= BATCH_MAX {
            append(sink, mem::take(&mut batch)).await;
            task::yield_now().await;
        }
    }
    append(sink, batch).await;
    let mut teller = joined(reading).await;
    let incomplete = unreadable + teller.translator.take_incomplete();
    if incomplete > 0 {
        append(sink, vec![alerts::incomplete(incomplete, &teller.translator, now())]).await;
    }
    teller
}

async fn append(sink: &impl Sink, mut events: Vec<Event>) {
    while events.len() > BATCH_MAX {
        let rest = events.split_off(BATCH_MAX);
        sink.append(mem::replace(&mut events, rest)).await;
    }
    if !events.is_empty() {
        sink.append(events).await;
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    joined(task::spawn_blocking(work)).await
}

/// A panic of the work goes on here; work that the runtime gave up while it shuts down never ends.
async fn joined<T>(work: task::JoinHandle<T>) -> T {
    match work.await.map_err(task::JoinError::try_into_panic) {
        Ok(done) => done,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => std::future::pending().await,
    }
}
