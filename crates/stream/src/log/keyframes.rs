//! Keyframes: the fold as it was at some places, so that it can be had at any place by folding a bounded number of events.
//!
//! Owns how far apart they are, how they are packed, and which go when there are too many. A keyframe is a clone of the fold
//! until it is packed: by a thread of its own, beside whoever appends. Knows nothing of events, and of the ring only what it
//! must keep for the oldest of them.

use super::{RingBounds, ring::Ring};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use monkeytown_civilization::{Civilization, Keyed, Log};
use monkeytown_protocol::{EntityId, Offset, Timestamp};
use std::{
    collections::VecDeque,
    io::{BufWriter, Read},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// A ring has so many keyframes at least; between two lie no fewer and no more events, and bytes of them, than this. To read
/// 8,192 events of the simulator from their JSON and fold them takes as long as to unpack the keyframe before them, some 7 ms
/// each, so keyframes that lie closer would gain little; and whoever appends them takes as long, of which the clone is a
/// twentieth.
const KEYFRAMES: usize = 16;
const EVENTS_APART: (usize, usize) = (1_024, 8_192);
const BYTES_APART: (usize, usize) = (1 << 20, 8 << 20);
/// All packed keyframes: a sixteenth of the ring's own bound as it is by default. A million events of the simulator need a quarter of it, 0.12 MB
/// a keyframe. Of states as large as the fold allows, of text that nothing packs, seven fit, and a fold is of a third of the
/// ring at most.
const PACKED_MAX_BYTES: usize = 64 << 20;
/// Clones that are packed at once, by a thread each; whoever makes more packs them itself.
const UNPACKED_MAX: usize = 2;

/// How far apart keyframes are, and how many.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyframeBounds {
    /// Events between two.
    pub(super) events: usize,
    /// Bytes of JSON between two.
    pub(super) bytes: usize,
    /// All that are packed, in bytes.
    pub(super) packed_bytes: usize,
}

impl KeyframeBounds {
    /// As a ring needs them.
    pub(super) fn of(ring: RingBounds) -> Self {
        Self {
            events: (ring.max_events / KEYFRAMES).clamp(EVENTS_APART.0, EVENTS_APART.1),
            bytes: (ring.max_bytes / KEYFRAMES).clamp(BYTES_APART.0, BYTES_APART.1),
            packed_bytes: PACKED_MAX_BYTES,
        }
    }

    /// What is kept of events that have gone, so that the oldest moment is the first event held: what lies between two
    /// keyframes, with what each event costs beside its JSON, and one append.
    pub(super) fn behind_bytes(&self) -> usize {
        2 * (self.bytes + self.events * 64)
    }
}

/// The fold as a keyframe holds it.
#[derive(Debug, Clone)]
pub(super) enum Held {
    /// As it is.
    Whole(Arc<Civilization>),
    /// Its JSON with all log lines, deflated.
    Packed(Arc<[u8]>),
}

impl Held {
    fn pack(fold: &Civilization) -> Self {
        let packing = DeflateEncoder::new(Vec::new(), Compression::fast());
        let mut writer = BufWriter::new(packing);
        serde_json::to_writer(&mut writer, &(fold, fold.logs())).expect("the fold has string keys and finite numbers");
        let packed = writer.into_inner().map_err(|_| ()).and_then(|packing| packing.finish().map_err(|_| ()));
        Self::Packed(packed.expect("memory takes what is written").into())
    }

    /// The fold, to be gone on with.
    pub(super) fn fold(&self) -> Civilization {
        match self {
            Self::Whole(fold) => Civilization::clone(fold),
            Self::Packed(packed) => {
                let mut json = Vec::new();
                DeflateDecoder::new(&packed[..]).read_to_end(&mut json).expect("it was packed here");
                let (fold, logs): (Civilization, Keyed<EntityId, Log>) =
                    serde_json::from_slice(&json).expect("it was written here");
                fold.with_logs(logs)
            }
        }
    }

    fn packed_bytes(&self) -> usize {
        match self {
            Self::Whole(_) => 0,
            Self::Packed(packed) => packed.len(),
        }
    }
}

/// The fold at a place.
#[derive(Debug, Clone)]
pub(super) struct Keyframe {
    /// The first event that is not in it.
    pub(super) next: Offset,
    /// The sources' time there; `None` before any event.
    pub(super) clock: Option<Timestamp>,
    pub(super) held: Held,
}

#[derive(Debug)]
struct Frames {
    bounds: KeyframeBounds,
    /// The oldest first; never empty once a log has begun.
    frames: VecDeque<Keyframe>,
    packed_bytes: usize,
}

impl Frames {
    fn pack(&mut self, next: Offset, fold: &Arc<Civilization>, packed: Held) {
        // It may have gone meanwhile, and another may be at its place.
        if let Ok(at) = self.frames.binary_search_by_key(&next, |frame| frame.next)
            && let Some(frame) = self.frames.get_mut(at)
            && matches!(&frame.held, Held::Whole(whole) if Arc::ptr_eq(whole, fold))
        {
            self.packed_bytes += packed.packed_bytes();
            frame.held = packed;
        }
        while self.packed_bytes > self.bounds.packed_bytes && self.thin() {}
    }

    /// Lets the one go that leaves the smallest gap; never the oldest, from which all begins, nor the newest.
    fn thin(&mut self) -> bool {
        let gap = |at: &usize| {
            let of = |at: usize| self.frames.get(at).map_or(0, |frame| frame.next.0);
            of(at + 1) - of(at - 1)
        };
        let Some(at) = (1..self.frames.len().saturating_sub(1)).min_by_key(gap) else { return false };
        self.remove(at);
        true
    }

    fn remove(&mut self, at: usize) {
        if let Some(gone) = self.frames.remove(at) {
            self.packed_bytes -= gone.held.packed_bytes();
        }
    }
}

/// The keyframes, shared by who makes them, who packs them and who folds on from them.
#[derive(Debug, Clone)]
pub(super) struct Keyframes(Arc<Mutex<Frames>>);

impl Keyframes {
    pub(super) fn new(bounds: KeyframeBounds) -> Self {
        Self(Arc::new(Mutex::new(Frames { bounds, frames: VecDeque::new(), packed_bytes: 0 })))
    }

    fn frames(&self) -> MutexGuard<'_, Frames> {
        self.0.lock().expect("no code panics while it holds the keyframes")
    }

    /// The newest one in which no event from `next` on is.
    pub(super) fn before(&self, next: Offset) -> Option<Keyframe> {
        let frames = self.frames();
        let at = frames.frames.partition_point(|frame| frame.next <= next);
        at.checked_sub(1).and_then(|at| frames.frames.get(at)).cloned()
    }

    /// Where the oldest is, and the sources' time there.
    pub(super) fn oldest(&self) -> (Offset, Option<Timestamp>) {
        self.frames().frames.front().map_or((Offset(0), None), |oldest| (oldest.next, oldest.clock))
    }

    fn pack(&self, next: Offset, fold: &Arc<Civilization>) {
        // In a small ring it may have gone already.
        if !self.frames().frames.iter().any(|frame| frame.next == next) {
            return;
        }
        let packed = Held::pack(fold);
        self.frames().pack(next, fold, packed);
    }
}

#[cfg(test)]
impl Keyframes {
    pub(super) fn count(&self) -> usize {
        self.frames().frames.len()
    }

    pub(super) fn unpacked(&self) -> usize {
        self.frames().frames.iter().filter(|frame| matches!(frame.held, Held::Whole(_))).count()
    }

    pub(super) fn packed_bytes(&self) -> usize {
        self.frames().packed_bytes
    }
}

/// A thread that packs, for as long as it lives.
struct Packing(Arc<AtomicUsize>);

impl Packing {
    fn of(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Packing {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Makes keyframes as events are folded.
pub(super) struct Keyframer {
    bounds: KeyframeBounds,
    keyframes: Keyframes,
    /// The next event that will be folded.
    next: Offset,
    /// How many threads pack, whether or not anybody still needs what they do.
    packing: Arc<AtomicUsize>,
    /// Since the newest keyframe.
    events: usize,
    bytes: usize,
}

impl Keyframer {
    pub(super) fn new(bounds: KeyframeBounds, keyframes: Keyframes) -> Self {
        Self { bounds, keyframes, next: Offset(0), packing: Arc::default(), events: 0, bytes: 0 }
    }

    /// Begins with `fold`, in which everything before `next` is.
    pub(super) fn begin(&mut self, next: Offset, fold: &Civilization) {
        let mut frames = self.keyframes.frames();
        frames.frames.clear();
        frames.packed_bytes = 0;
        drop(frames);
        self.next = next;
        self.keep(fold);
    }

    /// One more event, of so many bytes of JSON, is in `fold`.
    pub(super) fn folded(&mut self, fold: &Civilization, bytes: usize) {
        self.next = self.next.next();
        self.events += 1;
        self.bytes += bytes;
        if self.events >= self.bounds.events || self.bytes >= self.bounds.bytes {
            self.keep(fold);
        }
    }

    fn keep(&mut self, fold: &Civilization) {
        (self.events, self.bytes) = (0, 0);
        let (next, fold) = (self.next, Arc::new(fold.clone()));
        let mut frames = self.keyframes.frames();
        let (clock, held) = (fold.last_time(), Held::Whole(Arc::clone(&fold)));
        frames.frames.push_back(Keyframe { next, clock, held });
        // Before any event there is nothing to pack.
        if clock.is_none() {
            return;
        }
        drop(frames);
        // One who appends at a time: nobody else counts up.
        if self.packing.load(Ordering::Relaxed) < UNPACKED_MAX {
            let (keyframes, fold, place) = (self.keyframes.clone(), Arc::clone(&fold), Packing::of(&self.packing));
            let thread = thread::Builder::new().name("keyframe".to_owned());
            let spawned = thread.spawn(move || {
                keyframes.pack(next, &fold);
                drop(place);
            });
            if spawned.is_ok() {
                return;
            }
        }
        // They come faster than they are packed, or the system has no thread to give: whoever appends waits for this one.
        self.keyframes.pack(next, &fold);
    }

    /// Lets those go that nothing begins at any more, and has the ring keep what follows the oldest.
    pub(super) fn settle(&self, ring: &mut Ring) {
        let mut frames = self.keyframes.frames();
        loop {
            while frames.frames.get(1).is_some_and(|second| second.next <= ring.first()) {
                frames.remove(0);
            }
            let Some(oldest) = frames.frames.front() else { return };
            ring.keep_behind(oldest.next);
            if ring.behind_bytes() <= self.bounds.behind_bytes() || frames.frames.len() < 2 {
                return;
            }
            // Thinned so much that too much would have to be kept: the oldest moment is the next keyframe's.
            frames.remove(0);
        }
    }
}
