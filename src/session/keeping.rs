//! What the witness keeps, in this visit: every change is in the browser's storage, or refused in words, before it is
//! shown; ghosts that the stream no longer holds.
//!
//! Knows nothing of the stream, nor of what anything looks like.

use crate::{
    clock,
    signals::{Kept, Undo},
    storage::{self, kept::Place},
};
use monkeytown_civilization::{Civilization, HistoryItem};
use monkeytown_keepsakes::{
    Area, Class, Record, Refused, Seed, Store,
    ghosts::{from_record, identity, to_record},
    record::KEYS,
};
use monkeytown_protocol::Timestamp;
use monkeytown_terrain::rising;
use std::rc::Rc;

/// The preference under which history is kept for this visit only.
pub(super) const FOR_THIS_VISIT: &str = "ghosts";
/// The name of the record of ghosts.
const GHOSTS: &str = "1";
/// How long an act can be taken back over the page, in milliseconds; on the sheet until the next.
pub(super) const UNDO_MILLIS: f64 = 20_000.0;
/// How long ghosts are kept, in milliseconds of the source's clock (`product.md`, "Features").
const GHOST_LIVES_MILLIS: i64 = 24 * 3_600_000;
/// Ghosts kept beside those that the stream holds.
const GHOSTS_MAX: usize = 1_000;

/// Where the witness's things lie, and whose ghosts are among them.
pub(super) struct Keeping {
    place: Place,
    town: String,
    /// Ghosts that the stream held once, newest first.
    ghosts: Vec<Rc<HistoryItem>>,
}

impl Keeping {
    /// Reads all that is kept into `kept`; ghosts are those of `town`.
    pub fn open(kept: &mut Kept, town: String) -> Self {
        let place = Place::find();
        (kept.store, kept.lasts) = (Store::open(&place), place.lasts());
        let mut keeping = Self { place, town, ghosts: Vec::new() };
        keeping.reopen(kept);
        keeping
    }

    /// Looks again at what is derived from the store, which is another.
    pub fn reopen(&mut self, kept: &mut Kept) {
        self.ghosts.clear();
        if let Some(record) = kept.store.get(Class::Ghosts, GHOSTS) {
            self.ghosts.extend(from_record(record, &self.town).into_iter().map(Rc::new));
        }
        kept.used_units = self.place.units();
    }

    /// Another tab has written at `key`, or has erased everything.
    pub fn hear(&mut self, kept: &mut Kept, key: Option<&str>) {
        match key {
            Some(key) => kept.store.hear(&self.place, key),
            None if self.place.keys().is_empty() => self.forget(kept),
            None => {}
        }
        self.reopen(kept);
    }

    /// Reads again all of a class: another tab may have changed it.
    pub fn refresh(&self, kept: &mut Kept, class: Class) {
        let prefix = [KEYS, class.word(), "."].concat();
        for key in self.place.keys() {
            if key.starts_with(&prefix) {
                kept.store.hear(&self.place, &key);
            }
        }
    }

    /// Keeps a record, or says in words why not.
    pub fn put(&self, kept: &mut Kept, record: Record) -> bool {
        let put = kept.store.put(&self.place, record);
        kept.used_units = self.place.units();
        match put {
            Ok(gone) if gone.is_empty() => true,
            Ok(_) => {
                "older history has made room in this browser's storage".clone_into(&mut kept.answer);
                true
            }
            Err(refused) => {
                words(refused).clone_into(&mut kept.answer);
                false
            }
        }
    }

    /// Keeps what has no words of its own.
    pub fn put_mark(&self, kept: &mut Kept, class: Class, id: &str) -> bool {
        self.put(kept, record(class, id, "{}".to_owned()))
    }

    /// Takes something away; it can be taken back, as `words` say.
    pub fn take(&self, kept: &mut Kept, class: Class, id: &str, words: String) {
        let taken = kept.store.take(&self.place, class, id);
        self.undoable(kept, Undo { words, back: taken.into_iter().collect(), ..Undo::default() });
    }

    /// From now on the last act is this one.
    pub fn undoable(&self, kept: &mut Kept, undo: Undo) {
        kept.undo = Undo { until_millis: clock::monotonic_millis() + UNDO_MILLIS, ..undo };
        kept.used_units = self.place.units();
    }

    /// Takes the last act back.
    pub fn undo(&mut self, kept: &mut Kept) {
        let undo = std::mem::take(&mut kept.undo);
        for record in undo.away {
            kept.store.take(&self.place, record.class, &record.id);
        }
        let mut whole = true;
        for record in undo.back {
            whole &= self.put(kept, record);
        }
        if whole {
            "taken back".clone_into(&mut kept.answer);
        }
        self.reopen(kept);
    }

    /// Keeps what arrived: beside what is here, or in its place. All of it or nothing.
    pub fn adopt(&mut self, kept: &mut Kept, replace: bool) {
        let mut undo = Undo { words: "the file was brought back".to_owned(), ..Undo::default() };
        if replace {
            undo.back = kept.store.iter().cloned().collect();
            for record in &undo.back {
                kept.store.take(&self.place, record.class, &record.id);
            }
        }
        let mut refused = None;
        for record in kept.arrived.take().unwrap_or_default() {
            let held = kept.store.get(record.class, &record.id).cloned();
            if held.as_ref().is_some_and(|held| held.changed_millis >= record.changed_millis) {
                continue;
            }
            match kept.store.put(&self.place, record.clone()) {
                Ok(gone) => undo.back.extend(gone),
                Err(why) => {
                    refused = Some(why);
                    break;
                }
            }
            match held {
                Some(held) => undo.back.push(held),
                None => undo.away.push(record),
            }
        }
        self.undoable(kept, undo);
        if let Some(why) = refused {
            self.undo(kept);
            kept.answer = ["nothing of the file is kept. ", words(why)].concat();
        } else {
            "the file is brought back".clone_into(&mut kept.answer);
        }
        self.reopen(kept);
    }

    /// Erases everything that this browser holds of the page; nothing more is kept until it is loaded again.
    pub fn erase(&mut self, kept: &mut Kept) {
        self.place.clear();
        self.forget(kept);
        "everything is erased. nothing more is kept until this page is loaded again".clone_into(&mut kept.answer);
    }

    fn forget(&mut self, kept: &mut Kept) {
        storage::keep_no_more();
        self.place = Place::default();
        self.ghosts.clear();
        let repository = std::mem::take(&mut kept.repository);
        *kept = Kept { repository, emptied: kept.emptied + 1, ..Kept::default() };
    }

    /// Ghosts that the stream no longer holds, newest first: those of the last day, and the pinned.
    pub fn beside(&self, kept: &Kept, state: &Civilization, now: Timestamp) -> Vec<Rc<HistoryItem>> {
        let mut beside = self.ghosts.clone();
        for record in kept.store.of(Class::Pin) {
            beside.extend(from_record(record, &self.town).into_iter().map(Rc::new));
        }
        if !beside.is_empty() {
            let there = rising(state.history().map(identity).collect());
            let mut told = Vec::new();
            beside.retain(|item| {
                let identity = identity(item);
                let age = now.since_millis(item.time);
                // What a replay has not reached yet, it will tell.
                let lives = (0..GHOST_LIVES_MILLIS).contains(&age) || kept.has(Class::Pin, item.id.as_str());
                let is_new = there.binary_search(&identity).is_err() && !told.contains(&identity);
                told.push(identity);
                lives && is_new
            });
        }
        beside
    }

    /// Keeps of the history that was known `before` what the stream does not hold any more.
    pub fn keep_ghosts(&mut self, kept: &mut Kept, before: &Civilization, state: &Civilization, now: Timestamp) {
        let older = std::mem::take(&mut self.ghosts);
        self.ghosts.extend(before.history().cloned().map(Rc::new));
        self.ghosts.extend(older);
        self.ghosts.truncate(GHOSTS_MAX);
        self.ghosts = self.beside(kept, state, now);
        if kept.has(Class::Preference, FOR_THIS_VISIT) {
            return;
        }
        let mut count = self.ghosts.len();
        // Few that fit are better than none; those not kept are shown for as long as the page is open.
        while count > 0 {
            let items = self.ghosts.iter().take(count).map(Rc::as_ref);
            let record = to_record(Class::Ghosts, GHOSTS, now_millis(), &self.town, items);
            if kept.store.put(&self.place, record).is_ok() {
                return;
            }
            count /= 2;
        }
        kept.store.take(&self.place, Class::Ghosts, GHOSTS);
    }

    /// Forgets all ghosts that the stream does not hold.
    pub fn forget_ghosts(&mut self, kept: &mut Kept) {
        kept.store.take(&self.place, Class::Ghosts, GHOSTS);
        self.reopen(kept);
    }

    /// The record of a pin: a ghost is pinned with its line, and stays when the stream holds it no longer.
    pub fn pin(&self, item: Option<&HistoryItem>, id: &str) -> Record {
        match item {
            Some(item) => to_record(Class::Pin, id, now_millis(), &self.town, std::iter::once(item)),
            None => record(Class::Pin, id, "{}".to_owned()),
        }
    }
}

/// The witness's seeds, in the order of their ids.
pub(super) fn seeds(kept: &Kept) -> Vec<Seed> {
    kept.store.of(Class::Seed).filter_map(Seed::from_record).collect()
}

/// A record of now.
pub(super) fn record(class: Class, id: &str, body: String) -> Record {
    Record { class, id: id.to_owned(), changed_millis: now_millis(), body }
}

/// Milliseconds since 1970 by the witness's clock.
pub(super) fn now_millis() -> u64 {
    u64::try_from(clock::wall().millis()).unwrap_or_default()
}

/// Why something was not kept, in words.
fn words(refused: Refused) -> &'static str {
    match refused {
        Refused::Blocked => "that was not kept: this browser keeps nothing for this page",
        Refused::Full => "that was not kept: this browser's storage is full. all that was kept before is whole",
        Refused::Share => "that was not kept: as many of these are kept as there is room for. take one away first",
        Refused::Newer => "that was not kept: a newer version of this page wrote there. reload to change it",
    }
}
