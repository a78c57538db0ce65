//! Reads a plan's commits with all processors, and hands the records on in the plan's order.
//!
//! Bounded: a thread that is ahead waits. Knows nothing of what becomes of a record.

use super::{
    plan::Plan,
    record::{Record, Recorder},
};
use crate::sources::domains::Domains;
use std::{ops::ControlFlow, sync::mpsc, thread};

/// Commits that a thread reads at a stretch: neighbours share most of their trees.
const STRETCH: usize = 64;
/// Stretches that a thread may be ahead.
const AHEAD: usize = 4;
/// Reading more is faster only so far; the rest of the machine has work to do too.
const THREADS_MAX: usize = 4;

/// Reads every commit of `plan` and gives its record to `take`, in order, until `take` breaks off.
pub(super) fn read(
    repository: &gix::ThreadSafeRepository,
    plan: &Plan,
    domains: &Domains,
    mut take: impl FnMut(Record) -> ControlFlow<()>,
) {
    let stretches: Vec<_> = plan.commits.chunks(STRETCH).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX).min(stretches.len());
    if threads < 2 {
        let mut recorder = Recorder::new(repository.to_thread_local(), domains);
        let _ = plan.commits.iter().try_for_each(|planned| take(recorder.record(planned)));
        return;
    }
    thread::scope(|scope| {
        let readers: Vec<_> = (0..threads)
            .map(|first| {
                let (send, receive) = mpsc::sync_channel::<Vec<Record>>(AHEAD);
                let stretches = &stretches;
                scope.spawn(move || {
                    let mut recorder = Recorder::new(repository.to_thread_local(), domains);
                    for stretch in stretches.iter().skip(first).step_by(threads) {
                        let records = stretch.iter().map(|planned| recorder.record(planned)).collect();
                        if send.send(records).is_err() {
                            return;
                        }
                    }
                });
                receive
            })
            .collect();
        // Stretch n is made by thread n modulo their number, so asking in turn gives the plan's order. A thread
        // that panicked ends the loop here, and the scope passes its panic on.
        let _ = readers
            .iter()
            .cycle()
            .take(stretches.len())
            .map_while(|reader| reader.recv().ok())
            .flatten()
            .try_for_each(&mut take);
    });
}
