//! The one who writes: a thread of its own takes all appends that wait, writes them as one record, syncs once, and only
//! then lets the log have them. Subscribers are served meanwhile; nothing that they need is locked while the disk works.
//!
//! When the disk refuses, the record is cut off again and everything is answered "not now" until a trial write, four
//! a second, succeeds.

use super::{
    folder::Folder,
    format::{RecordBuilder, SegmentHead},
};
use crate::{
    log::{
        Appended, Draft, Log,
        append::{self, Staged, Unwritten},
    },
    metrics::Metrics,
};
use monkeytown_protocol::Offset;
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};

/// Appends that wait to be written. Who comes then waits to be let in.
const WAITING_MAX: usize = 256;
/// Bytes after which what is written at once is enough; a single append may be larger.
const RECORD_ENOUGH_BYTES: usize = 4 << 20;
/// How often it is tried whether the disk takes something again.
const TRIAL_EVERY: Duration = Duration::from_millis(250);
/// What a trial writes.
static TRIAL: [u8; 64 * 1024] = [0; 64 * 1024];
/// Between two tries to drop what the ring no longer holds, when the system refuses.
const DROP_AGAIN: Duration = Duration::from_secs(60);

struct Job {
    drafts: Vec<Draft>,
    answer: oneshot::Sender<Result<Appended, Unwritten>>,
}

/// The way to the thread that writes. When the last who has it goes, what waits is written and the thread ends.
pub(in crate::log) struct Journal {
    jobs: mpsc::Sender<Job>,
    trouble: watch::Receiver<Option<String>>,
}

/// When a segment is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct SegmentBounds {
    pub(super) events: u64,
    pub(super) bytes: u64,
}

impl Journal {
    pub(super) fn start(
        log: Log,
        folder: Folder,
        tail: Tail,
        bounds: SegmentBounds,
        metrics: Metrics,
    ) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (told, trouble) = watch::channel(None);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let now = Instant::now();
        metrics.journal_size_bytes.set(gauge(folder.bytes()));
        let scribe = Scribe { log, folder, tail, bounds, metrics, trouble: told, next_trial: now, next_drop: now };
        thread::Builder::new().name("journal".to_owned()).spawn(move || runtime.block_on(scribe.write(waiting)))?;
        Ok(Self { jobs, trouble })
    }

    /// Appends; what comes back is synced, or has changed nothing.
    pub(in crate::log) async fn append(&self, drafts: Vec<Draft>) -> Result<Appended, Unwritten> {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.send(Job { drafts, answer }).await;
        assert!(sent.is_ok(), "the journal's thread goes on for as long as somebody may append");
        answered.await.expect("the journal's thread answers everything that it takes")
    }

    /// Why nothing can be written, while that is so.
    pub(in crate::log) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Ends when the thread has, which no code of ours means to happen while somebody may append.
    pub(in crate::log) async fn stopped(&self) {
        let mut trouble = self.trouble.clone();
        while trouble.changed().await.is_ok() {}
    }

    /// Waits until it looks as if something could be written.
    pub(in crate::log) async fn writable(&self) {
        // The sender lives as long as the thread, and that as long as this.
        let _ = self.trouble.clone().wait_for(Option::is_none).await;
    }
}

/// What a record is written to.
pub(super) trait Paper: Send {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts it to a length, and writes on from there.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Paper for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        self.seek(SeekFrom::Start(bytes)).map(|_| ())
    }
}

/// The end of the newest segment. What is not synced is no part of it.
pub(super) struct Tail {
    paper: Box<dyn Paper>,
    /// Where the next record begins.
    bytes: u64,
    /// The segment's first event.
    first: Offset,
    /// Something may lie behind the end.
    litter: bool,
}

impl Tail {
    pub(super) fn new(paper: Box<dyn Paper>, bytes: u64, first: Offset) -> Self {
        Self { paper, bytes, first, litter: false }
    }

    /// Writes behind the end, and syncs.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.clean()?;
        self.litter = true;
        self.paper.write(bytes)?;
        self.paper.sync()
    }

    /// What was written last belongs to it.
    fn grow(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.litter = false;
    }

    /// Cuts off what does not belong to it. What was written in vain is written anew and not only synced again: the
    /// system may have forgotten that it was not on the disk.
    fn clean(&mut self) -> io::Result<()> {
        if self.litter {
            self.paper.cut(self.bytes)?;
            self.litter = false;
        }
        Ok(())
    }
}

struct Scribe {
    log: Log,
    folder: Folder,
    tail: Tail,
    bounds: SegmentBounds,
    metrics: Metrics,
    trouble: watch::Sender<Option<String>>,
    next_trial: Instant,
    next_drop: Instant,
}

impl Scribe {
    async fn write(mut self, mut waiting: mpsc::Receiver<Job>) {
        loop {
            let next = if self.in_trouble() {
                match tokio::time::timeout_at(self.next_trial.into(), waiting.recv()).await {
                    Ok(next) if self.next_trial > Instant::now() => next,
                    other => {
                        self.try_again();
                        match other {
                            Ok(next) => next,
                            Err(_) => continue,
                        }
                    }
                }
            } else {
                waiting.recv().await
            };
            let Some(first) = next else { return };
            let mut bytes = weight(&first);
            let mut jobs = vec![first];
            while bytes < RECORD_ENOUGH_BYTES
                && let Ok(job) = waiting.try_recv()
            {
                bytes += weight(&job);
                jobs.push(job);
            }
            self.take(jobs);
        }
    }

    fn in_trouble(&self) -> bool {
        self.trouble.borrow().is_some()
    }

    /// Writes what the jobs bring, and answers them. Those that bring nothing new are answered in any case.
    fn take(&mut self, jobs: Vec<Job>) {
        let first = self.log.next();
        let (drafts, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.drafts, job.answer)).unzip();
        let (staged, recorded) = self.log.stage_all(drafts);
        let end = append::json_end(recorded);
        let mut record = RecordBuilder::new(first);
        for open_json in staged.iter().flat_map(Staged::fresh_json) {
            record.push(open_json, end.as_bytes());
        }
        let written = record.events() == 0 || (!self.in_trouble() && self.commit(record));
        for (staged, answer) in staged.into_iter().zip(answers) {
            let outcome = if written || staged.is_before(first) {
                Ok(self.log.hold_staged(staged, recorded))
            } else {
                Err(Unwritten { drafts: self.log.unstage(staged) })
            };
            // Whoever asked may have gone.
            let _ = answer.send(outcome);
        }
        if written {
            self.drop_old();
        }
    }

    fn commit(&mut self, record: RecordBuilder) -> bool {
        let bytes = record.finish();
        let begun = Instant::now();
        let written = self.turn_page().and_then(|()| self.tail.write(&bytes));
        match written {
            Ok(()) => {
                self.metrics.journal_commit_seconds.observe(begun.elapsed().as_secs_f64());
                self.tail.grow(bytes.len() as u64);
                self.measure();
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn measure(&mut self) {
        if let Some(newest) = self.folder.segments.last_mut() {
            newest.bytes = self.tail.bytes;
        }
        self.metrics.journal_size_bytes.set(gauge(self.folder.bytes()));
    }

    /// Begins a new segment when this one is full. No job is staged that the log does not have yet but those about to
    /// be written, and those come after the state that the segment begins with.
    fn turn_page(&mut self) -> io::Result<()> {
        let next = self.log.next();
        if self.tail.bytes < self.bounds.bytes && next.0 - self.tail.first.0 < self.bounds.events {
            return Ok(());
        }
        if next == self.tail.first {
            return Ok(());
        }
        self.tail.clean()?;
        let (state, recorded) = self.log.state_to_keep();
        let head = SegmentHead { epoch: self.log.epoch().clone(), first: next, recorded, state: &state };
        let file = self.folder.begin(&head)?;
        self.tail = Tail::new(Box::new(file), self.folder.segments.last().map_or(0, |newest| newest.bytes), next);
        Ok(())
    }

    fn fail(&mut self, error: &io::Error) {
        self.metrics.journal_failures_total.inc();
        self.next_trial = Instant::now() + TRIAL_EVERY;
        // What lies behind the end is cut off now where that is possible, else before the next write.
        let _ = self.tail.clean();
        let words = error.to_string();
        if self.trouble.borrow().as_ref() != Some(&words) {
            tracing::error!(error = words, "the journal cannot be written; nothing new is taken until it can");
        }
        self.trouble.send_replace(Some(words));
    }

    /// Whether something can be written again: zeros, which no record begins with.
    fn try_again(&mut self) {
        let tried = self.turn_page().and_then(|()| self.tail.write(&TRIAL)).and_then(|()| self.tail.clean());
        match tried {
            Ok(()) => {
                tracing::info!("the journal can be written again");
                self.trouble.send_replace(None);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn drop_old(&mut self) {
        if self.next_drop > Instant::now() {
            return;
        }
        if let Err(error) = self.folder.drop_before(self.log.retention().0) {
            tracing::warn!(%error, "a segment of the journal that is no longer needed cannot be removed");
            self.next_drop = Instant::now() + DROP_AGAIN;
        }
    }
}

fn weight(job: &Job) -> usize {
    job.drafts.iter().map(|draft| draft.open_json.len()).sum()
}

fn gauge(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
