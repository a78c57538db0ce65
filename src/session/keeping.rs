//! What the witness keeps, in this visit: every change is in the browser's storage, or refused in words, before it is
//! shown; ghosts that the stream no longer holds.
//!
//! Knows nothing of the stream, nor of what anything looks like.

use crate::{
    clock,
    signals::{FOR_THIS_VISIT, Kept, Undo},
    storage::{
        self,
        kept::{ERASED, Place},
    },
};
use monkeytown_civilization::{Civilization, HistoryItem, Keys};
use monkeytown_keepsakes::{
    Area, Class, Record, Refused, Seed, Store,
    ghosts::{from_record, identity, name_of, to_record},
    record::KEYS,
    seed::UNDER_WAY_MAX,
    store::ASIDE,
};
use monkeytown_protocol::Timestamp;
use monkeytown_terrain::rising;
use std::rc::Rc;

/// How long the last act is told over the page, in milliseconds.
const TOLD_MILLIS: f64 = 20_000.0;
/// How long it is known that this tab wrote something, in milliseconds: until it must have heard of an erasing before it.
const OWN_MILLIS: u64 = 10_000;
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
    /// Those that are pinned, from their own lines.
    pinned: Vec<Rc<HistoryItem>>,
    /// What this tab wrote last: names, when they were changed, and when they were written.
    own: Vec<(Class, String, u64, u64)>,
    over: bool,
}

impl Keeping {
    /// Reads all that is kept into `kept`; ghosts are those of `town`.
    pub fn open(kept: &mut Kept, town: String) -> Self {
        let place = Place::find();
        (kept.store, kept.lasts) = (Store::open(&place), place.lasts());
        let mut keeping = Self { place, town, ghosts: Vec::new(), pinned: Vec::new(), own: Vec::new(), over: false };
        keeping.reopen(kept);
        keeping
    }

    /// Looks again at what is derived from the store, which is another.
    pub fn reopen(&mut self, kept: &mut Kept) {
        self.ghosts.clear();
        if let Some(record) = kept.store.get(Class::Ghosts, &name_of(&self.town)) {
            self.ghosts.extend(from_record(record, &self.town).into_iter().map(Rc::new));
        }
        self.read_pins(kept);
        kept.used_units = self.place.units();
    }

    /// Counts anew what all of the page takes up.
    pub fn count(&self, kept: &mut Kept) {
        kept.used_units = self.place.units();
    }

    /// Reads the pinned ghosts again: what is pinned is another.
    pub fn read_pins(&mut self, kept: &Kept) {
        self.pinned.clear();
        for record in kept.store.of(Class::Pin) {
            self.pinned.extend(from_record(record, &self.town).into_iter().map(Rc::new));
        }
    }

    /// Another tab has written at `key`, or somebody has erased everything. Whether that concerns what is kept.
    pub fn hear(&mut self, kept: &mut Kept, key: Option<&str>) -> bool {
        match key {
            Some(key) if key == ERASED => self.erased_elsewhere(kept),
            None if self.place.keys().is_empty() => self.erased_elsewhere(kept),
            Some(key) if key.starts_with(KEYS) || key.starts_with(ASIDE) => {
                kept.store.hear(&self.place, key);
                if Record::named(key).is_some_and(|(class, _)| class == Class::Ghosts) {
                    self.reopen(kept);
                }
            }
            _ => return false,
        }
        true
    }

    /// The last act is told from now on; what it left is counted.
    pub fn told(&self, kept: &mut Kept) {
        kept.told_until = clock::monotonic_millis() + TOLD_MILLIS;
        kept.used_units = self.place.units();
    }

    /// Reads again all of a class, or of every one: another tab may have changed it, or taken something away.
    pub fn refresh(&self, kept: &mut Kept, class: Option<Class>) {
        // In memory alone there is nobody else.
        if !self.place.lasts() {
            return;
        }
        let prefix = class.map_or(KEYS.to_owned(), |class| [KEYS, class.word(), "."].concat());
        let held = kept.store.iter().filter(|record| class.is_none_or(|class| record.class == class));
        for key in held.map(Record::key).collect::<Vec<_>>() {
            if self.place.get(&key).is_none() {
                kept.store.hear(&self.place, &key);
            }
        }
        for key in self.place.keys() {
            if key.starts_with(&prefix) {
                kept.store.hear(&self.place, &key);
            }
        }
    }

    /// Keeps a record, or says in words why not.
    pub fn put(&mut self, kept: &mut Kept, record: Record) -> bool {
        self.note_own(&record);
        match kept.store.put(&self.place, record) {
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

    /// Takes something away; it can be taken back, as `words` say.
    pub fn take(&self, kept: &mut Kept, class: Class, id: &str, words: String) {
        if let Some(record) = kept.store.take(&self.place, class, id) {
            kept.undo = Undo { words, back: vec![record], away: Vec::new() };
        }
    }

    /// Takes the last act back: what it left goes, and what it took comes back where nothing stands now. What has been
    /// written since stays, and what finds no room can be tried again.
    pub fn undo(&mut self, kept: &mut Kept) {
        let undo = std::mem::take(&mut kept.undo);
        for record in &undo.away {
            if kept.store.get(record.class, &record.id) == Some(record) {
                kept.store.take(&self.place, record.class, &record.id);
            }
        }
        let mut left = Undo { words: undo.words, ..Undo::default() };
        for record in undo.back {
            if kept.store.get(record.class, &record.id).is_none() && !self.put(kept, record.clone()) {
                left.back.push(record);
            }
        }
        if left.back.is_empty() {
            "taken back".clone_into(&mut kept.answer);
        } else {
            kept.undo = left;
        }
        self.reopen(kept);
    }

    /// Keeps what arrived: beside what is here, or in its place. All of it or nothing; and nothing goes before all of it
    /// is there.
    pub fn adopt(&mut self, kept: &mut Kept, replace: bool) {
        let arrived = kept.arrived.take().unwrap_or_default();
        // What is unpacked is in order.
        let is_in_file =
            |held: &Record| arrived.binary_search_by(|new| (new.class, &*new.id).cmp(&(held.class, &*held.id))).is_ok();
        let now = now_millis();
        let grows = |record: &Record| {
            record.class == Class::Seed && Seed::from_record(record).is_some_and(|seed| seed.is_under_way(now))
        };
        let stays = kept.store.iter().filter(|held| !replace && !is_in_file(held));
        if stays.chain(&arrived).filter(|record| grows(record)).count() > UNDER_WAY_MAX {
            return "nothing of the file is kept: more than five seeds would be under way".clone_into(&mut kept.answer);
        }
        let only_here: Vec<Record> = kept.store.iter().filter(|held| !is_in_file(held)).cloned().collect();
        let mut undo = Undo { words: "the file was brought back".to_owned(), ..Undo::default() };
        for record in arrived {
            let held = kept.store.get(record.class, &record.id).cloned();
            if !replace && held.as_ref().is_some_and(|held| held.changed_millis >= record.changed_millis) {
                continue;
            }
            self.note_own(&record);
            let put = kept.store.put(&self.place, record.clone());
            undo.back.extend(held);
            undo.away.push(record);
            match put {
                Ok(gone) => undo.back.extend(gone),
                Err(why) => {
                    kept.undo = undo;
                    self.undo(kept);
                    return kept.answer = ["nothing of the file is kept. ", words(why)].concat();
                }
            }
        }
        if replace {
            for record in only_here {
                kept.store.take(&self.place, record.class, &record.id);
                undo.back.push(record);
            }
        }
        kept.undo = undo;
        kept.answer = self.in_words("the file is brought back");
        self.reopen(kept);
    }

    /// Erases everything that this browser holds of the page; nothing more is kept until it is loaded again.
    pub fn erase(&mut self, kept: &mut Kept) {
        self.place.clear();
        self.end(kept);
    }

    /// Another tab has erased everything. What this one has written meanwhile goes too; what is there of somebody who began
    /// afresh stays, for this tab may have slept for long.
    fn erased_elsewhere(&mut self, kept: &mut Kept) {
        for (class, id, changed_millis, _) in std::mem::take(&mut self.own) {
            let there = kept.store.refresh(&self.place, class, &id);
            if there.is_some_and(|record| record.changed_millis == changed_millis) {
                kept.store.take(&self.place, class, &id);
            }
        }
        storage::last_known::forget();
        self.place.leave();
        self.end(kept);
    }

    /// Whether everything has been erased, so that nothing more is kept in this visit.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What is said of something that is kept: where nothing lasts, for how long.
    pub fn in_words(&self, words: &str) -> String {
        let until = if self.place.lasts() { "" } else { " until this page is closed" };
        [words, until].concat()
    }

    fn note_own(&mut self, record: &Record) {
        let now = now_millis();
        self.own.retain(|(.., at)| now.saturating_sub(*at) < OWN_MILLIS);
        self.own.push((record.class, record.id.clone(), record.changed_millis, now));
    }

    fn end(&mut self, kept: &mut Kept) {
        storage::keep_no_more();
        self.over = true;
        self.ghosts.clear();
        self.pinned.clear();
        let (repository, emptied) = (std::mem::take(&mut kept.repository), kept.emptied + 1);
        *kept = Kept { repository, emptied, ..Kept::default() };
        "everything is erased. nothing more is kept until this page is loaded again".clone_into(&mut kept.answer);
    }

    /// Ghosts that the stream no longer holds, newest first: those of the last day, and the pinned.
    pub fn beside(&self, kept: &Kept, state: &Civilization, now: Timestamp) -> Vec<Rc<HistoryItem>> {
        let mut beside = self.ghosts.clone();
        beside.extend(self.pinned.iter().cloned());
        if !beside.is_empty() {
            let there = rising(state.history().map(identity).collect());
            let mut told = Keys::default();
            beside.retain(|item| {
                let identity = identity(item);
                let age = now.since_millis(item.time);
                // What a replay has not reached yet, it will tell.
                let lives = age >= 0 && (age < GHOST_LIVES_MILLIS || kept.has(Class::Pin, &identity.to_string()));
                let is_new = there.binary_search(&identity).is_err() && !told.contains(&identity);
                told.insert(identity);
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
        // What the stream holds is no ghost of ours, and must not take the place of one.
        self.ghosts = self.beside(kept, state, now);
        self.ghosts.truncate(GHOSTS_MAX);
        if kept.has(Class::Preference, FOR_THIS_VISIT) {
            return;
        }
        let mut count = self.ghosts.len();
        // Few that fit are better than none; those not kept are shown for as long as the page is open.
        while count > 0 {
            let items = self.ghosts.iter().take(count).map(Rc::as_ref);
            let record = to_record(Class::Ghosts, &name_of(&self.town), now_millis(), &self.town, items);
            self.note_own(&record);
            if kept.store.put(&self.place, record).is_ok() {
                return self.count(kept);
            }
            count /= 2;
        }
        kept.store.take(&self.place, Class::Ghosts, &name_of(&self.town));
        self.count(kept);
    }

    /// Forgets all ghosts that the stream does not hold.
    pub fn forget_ghosts(&mut self, kept: &mut Kept) {
        kept.store.take(&self.place, Class::Ghosts, &name_of(&self.town));
        self.reopen(kept);
    }

    /// The record that pins a ghost, with its line: it stays when the stream holds it no longer.
    pub fn pin(&self, item: &HistoryItem) -> Record {
        to_record(Class::Pin, &identity(item).to_string(), now_millis(), &self.town, std::iter::once(item))
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
