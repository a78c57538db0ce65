//! A journal whose disk refuses, whose writes stop in the middle, and that is found so at the next start.

use super::{restore::open_on, scribe::Paper};
use crate::{
    log::{Appended, Draft, Interest, Keeper, Log, Moment, ReadBounds, RingBounds, append::Unwritten},
    metrics::Metrics,
    sources::{
        Sink,
        simulator::{Simulator, SimulatorConfig},
    },
};
use fastrand::Rng;
use monkeytown_protocol::{Event, Offset, Position};
use std::{
    fs::{self, File},
    io,
    path::Path,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

const ROOMY: RingBounds = RingBounds { max_events: 100_000, max_bytes: 1 << 30 };

/// What a disk does next.
#[derive(Debug, Clone, Copy, Default)]
struct Disk {
    /// It takes so many bytes more; without a number, all.
    room: Option<usize>,
    /// It takes them and cannot say that they are there.
    forgets: bool,
}

struct Unreliable {
    file: File,
    disk: Arc<Mutex<Disk>>,
}

impl Paper for Unreliable {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(room) = &mut disk.room else { return self.file.write(bytes) };
        let fits = bytes.len().min(*room);
        *room -= fits;
        self.file.write(bytes.get(..fits).unwrap_or_default())?;
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        let forgets = self.disk.lock().unwrap_or_else(PoisonError::into_inner).forgets;
        if forgets { Err(io::Error::other("input/output error")) } else { self.file.sync() }
    }

    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.file.cut(bytes)
    }
}

fn open(folder: &Path, disk: &Arc<Mutex<Disk>>) -> Log {
    let disk = Arc::clone(disk);
    open_on(ROOMY, Metrics::new(), folder, |file| Box::new(Unreliable { file, disk })).unwrap().0
}

fn draft(event: Event) -> Draft {
    let mut open_json = serde_json::to_vec(&event).unwrap();
    open_json.pop();
    Draft { event, open_json }
}

fn simulator() -> Simulator {
    Simulator::new(SimulatorConfig { rate: 10.0, seed: 3 }).unwrap()
}

fn told(simulator: &mut Simulator, count: usize) -> Vec<Event> {
    (0..count).map(|_| simulator.next_event()).collect()
}

async fn append(log: &Log, events: &[Event]) -> Result<Appended, Unwritten> {
    log.append_drafts(events.iter().cloned().map(draft).collect()).await
}

/// All that a log serves.
fn served(log: &Log) -> Vec<Vec<u8>> {
    let all = ReadBounds { events: usize::MAX, bytes: usize::MAX, scanned: usize::MAX };
    let batch = log.read(log.retention().0, all, &Interest::everything()).unwrap();
    batch.into_iter().flat_map(|batch| batch.events).map(|event| event.json.to_vec()).collect()
}

fn set(disk: &Mutex<Disk>, to: Disk) {
    *disk.lock().unwrap() = to;
}

/// The log as it would be if the machine had stopped now.
fn as_found(folder: &Path) -> (Log, tempfile::TempDir) {
    found_by(ROOMY, folder)
}

fn found_by(ring: RingBounds, folder: &Path) -> (Log, tempfile::TempDir) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    (Log::open(ring, Metrics::new(), copy.path()).unwrap().0, copy)
}

#[tokio::test]
async fn a_full_disk_takes_nothing_and_loses_nothing_until_there_is_room() {
    for full in [Disk { room: Some(100), ..Disk::default() }, Disk { forgets: true, ..Disk::default() }] {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Arc::default());
        let log = open(folder.path(), &disk);
        let mut simulator = simulator();
        let (first, second, third) = (told(&mut simulator, 5), told(&mut simulator, 5), told(&mut simulator, 5));
        append(&log, &first).await.unwrap();
        let before = served(&log);
        set(&disk, full);
        let unwritten = append(&log, &second).await.unwrap_err();
        assert_eq!(unwritten.drafts.len(), 5, "they are given back");
        assert!(log.trouble().is_some());
        assert_eq!((log.head(), served(&log)), (Some(Offset(4)), before), "readers keep what is held");
        assert_eq!(append(&log, &first).await.unwrap().duplicates, 5, "what is held is acknowledged again");
        // A source waits, and loses nothing.
        let (waiting, told) = (log.clone(), second.clone());
        let source = tokio::spawn(async move { waiting.append(told).await });
        assert_eq!(as_found(folder.path()).0.head(), Some(Offset(4)));
        set(&disk, Disk::default());
        source.await.unwrap();
        assert_eq!(log.trouble(), None);
        assert_eq!(append(&log, &second).await.unwrap().duplicates, 5);
        assert_eq!(append(&log, &third).await.unwrap().offsets.first(), Some(&Offset(10)));
        let (found, _copy) = as_found(folder.path());
        assert_eq!((served(&found), found.epoch()), (served(&log), log.epoch()));
        assert_eq!(found.state(), log.state());
    }
}

#[tokio::test]
async fn what_could_not_be_written_is_given_back_with_all_that_was_the_same() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Arc::default());
    let log = open(folder.path(), &disk);
    let events = told(&mut simulator(), 3);
    let drafts = || events.iter().cloned().map(draft).collect::<Vec<_>>();
    // Two that tell the same at once: neither may take the other's word that it is there.
    let (mut staged, _) = log.stage_all(vec![drafts(), drafts()]);
    assert!(staged.iter().all(|staged| !staged.is_before(Offset(0))));
    let (second, first) = (staged.pop().unwrap(), staged.pop().unwrap());
    assert_eq!((first.fresh_json().count(), second.fresh_json().count()), (3, 0));
    assert_eq!((log.unstage(first).len(), log.unstage(second).len()), (3, 3));
    assert_eq!(append(&log, &events).await.unwrap().duplicates, 0, "no identity is left behind");
}

#[tokio::test]
async fn whenever_a_disk_refuses_what_was_acknowledged_is_found_and_nothing_is_served_that_is_not() {
    for seed in 0..6 {
        let mut rng = Rng::with_seed(seed);
        let (folder, disk) = (tempfile::tempdir().unwrap(), Arc::default());
        let log = open(folder.path(), &disk);
        let mut simulator = simulator();
        for _ in 0..12 {
            let events = told(&mut simulator, rng.usize(1..8));
            let room = rng.bool().then(|| rng.usize(0..3_000));
            set(&disk, Disk { room, forgets: rng.u8(..4) == 0 });
            let _ = append(&log, &events).await;
            let (found, _copy) = as_found(folder.path());
            let (there, here) = (served(&found), served(&log));
            assert_eq!(there.get(..here.len()), Some(here.as_slice()), "seed {seed}");
            if there.len() == here.len() {
                assert_eq!(found.state(), log.state(), "seed {seed}");
            }
            set(&disk, Disk::default());
            let Keeper::Journal(journal) = &log.1 else { panic!("a journal keeps it") };
            journal.writable().await;
        }
    }
}

/// Keyframes are made again as the journal is read: every moment that the ring holds is the same, and so is the oldest.
#[tokio::test]
async fn moments_are_found_again() {
    let ring = RingBounds { max_events: 3_000, max_bytes: 1 << 24 };
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(ring, Metrics::new(), folder.path()).unwrap().0;
    let mut simulator = simulator();
    for _ in 0..14 {
        append(&log, &told(&mut simulator, 500)).await.unwrap();
    }
    let (found, _copy) = found_by(ring, folder.path());
    let oldest = log.oldest();
    assert_eq!(oldest.position.next(), log.retention().0);
    assert_eq!(found.oldest(), oldest);
    for next in (oldest.position.next().0..=7_000).step_by(97) {
        let position = Position { epoch: log.epoch().clone(), after: Some(Offset(next - 1)) };
        let moment = Moment::At(position.clone());
        assert_eq!(found.find(&moment).await, log.find(&moment).await);
        let state =
            |log: &Log| log.fold_to(&position, &AtomicBool::new(false)).unwrap().envelope().state.get().to_owned();
        assert_eq!(state(&found), state(&log), "before {next}");
    }
}
