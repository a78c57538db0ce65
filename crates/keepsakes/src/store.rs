//! All that is kept, in memory as it is on the disk: put, taken out, bounded, counted by class.
//!
//! Knows nothing of browsers: where lines lie is an [`Area`], which may be full, blocked, or written by others. A record
//! is one line, so that a write that fails leaves the line before whole and touches no other.

use crate::record::{Class, Record, Unsound, units};

/// All that this page may keep, in UTF-16 units (`limits.md`): half of what browsers hold, so that it fits everywhere.
pub const BUDGET_UNITS: usize = 2_400_000;

/// How much of it the page as last known may take up, beside the shares of the classes.
pub const LAST_KNOWN_UNITS: usize = 1_000_000;

/// What the key of a line begins with that was torn and has been put aside for another.
pub const ASIDE: &str = "monkeytown.aside.";
/// All that may be put aside so, in UTF-16 units.
const ASIDE_MAX_UNITS: usize = 50_000;

/// Where lines lie.
pub trait Area {
    /// The keys of all lines, whoever wrote them.
    fn keys(&self) -> Vec<String>;
    /// The line at a key.
    fn get(&self, key: &str) -> Option<String>;
    /// Puts a line in the place of what was there; one that does not fit leaves that whole.
    ///
    /// # Errors
    /// When there is no room, or nothing is kept at all.
    fn set(&self, key: &str, line: &str) -> Result<(), Refused>;
    /// Takes a line away.
    fn remove(&self, key: &str);
}

/// Why something was not kept. What was there before is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nothing is kept here at all.
    Blocked,
    /// Others have filled the place.
    Full,
    /// All of its class takes up as much as it may.
    Share,
    /// A newer page has written there.
    Newer,
}

/// Something that could not be read and lies where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// Where.
    pub key: String,
    /// Why.
    pub why: Unsound,
}

/// All that is kept.
#[derive(Debug, Default)]
pub struct Store {
    /// In the order of class and id.
    records: Vec<Record>,
    /// What each class takes up. Derived, because a sum over all lines for each that comes would be most of the work.
    units: [usize; Class::ALL.len()],
    aside: Vec<Aside>,
}

impl Store {
    /// Reads all that lies in `area`.
    pub fn open(area: &dyn Area) -> Self {
        let mut store = Self::default();
        for key in area.keys() {
            store.hear(area, &key);
        }
        store
    }

    /// Reads what lies at `key` now: somebody else has written there.
    pub fn hear(&mut self, area: &dyn Area, key: &str) {
        self.aside.retain(|aside| aside.key != key);
        if let Some(at) = Record::named(key).and_then(|(class, id)| self.find(class, id).ok()) {
            self.let_go(at);
        }
        if key.starts_with(ASIDE) && area.get(key).is_some() {
            self.aside.push(Aside { key: key.to_owned(), why: Unsound::Torn });
        }
        match area.get(key).and_then(|line| Record::read(key, &line)) {
            Some(Ok(record)) => self.hold(record),
            Some(Err(why)) => self.aside.push(Aside { key: key.to_owned(), why }),
            None => {}
        }
    }

    /// Reads again what lies under a name, which another page may have written meanwhile: to be done before it is
    /// changed.
    pub fn refresh(&mut self, area: &dyn Area, class: Class, id: &str) -> Option<&Record> {
        let name = Record { class, id: id.to_owned(), changed_millis: 0, body: String::new() };
        self.hear(area, &name.key());
        self.get(class, id)
    }

    fn find(&self, class: Class, id: &str) -> Result<usize, usize> {
        self.records.binary_search_by(|record| (record.class, record.id.as_str()).cmp(&(class, id)))
    }

    fn hold(&mut self, record: Record) {
        if let Ok(at) = self.find(record.class, &record.id) {
            self.let_go(at);
        }
        if let Some(units) = self.units.get_mut(record.class as usize) {
            *units += record.units();
        }
        let (Ok(at) | Err(at)) = self.find(record.class, &record.id);
        self.records.insert(at, record);
    }

    /// Takes the record at a place out of memory.
    fn let_go(&mut self, at: usize) -> Record {
        let record = self.records.remove(at);
        if let Some(units) = self.units.get_mut(record.class as usize) {
            *units -= record.units();
        }
        record
    }

    /// What is kept under a name.
    #[must_use]
    pub fn get(&self, class: Class, id: &str) -> Option<&Record> {
        self.records.get(self.find(class, id).ok()?)
    }

    /// All of a class, in the order of their ids.
    pub fn of(&self, class: Class) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(move |record| record.class == class)
    }

    /// Everything, in the order of class and id.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    /// What could not be read.
    #[must_use]
    pub fn aside(&self) -> &[Aside] {
        &self.aside
    }

    /// What a class takes up, in UTF-16 units.
    #[must_use]
    pub fn units_of(&self, class: Class) -> usize {
        self.units.get(class as usize).copied().unwrap_or_default()
    }

    /// Keeps a record in the place of the one of its name. What is not the witness's own makes room, oldest first.
    /// Says what went for it.
    ///
    /// # Errors
    /// When it is not kept; then everything is as it was.
    pub fn put(&mut self, area: &dyn Area, record: Record) -> Result<Vec<Record>, Refused> {
        let key = record.key();
        match self.aside.iter().find(|aside| aside.key == key).map(|aside| aside.why) {
            Some(Unsound::Newer) => return Err(Refused::Newer),
            Some(Unsound::Torn) => self.put_aside(area, &key)?,
            None => {}
        }
        let before = self.get(record.class, &record.id).map_or(0, Record::units);
        let more = record.units();
        let mut gone = Vec::new();
        while self.units_of(record.class) - before + more > record.class.share_units() {
            let oldest = self.oldest(|held| held.class == record.class && held.id != record.id);
            let Some(oldest) = oldest.filter(|_| !record.class.is_own()) else {
                return Err(self.put_back(area, gone, Refused::Share));
            };
            self.give_up(area, oldest, &mut gone);
        }
        while let Err(refused) = area.set(&key, &record.line()) {
            // The least precious first, never anything more precious than what is to be kept.
            let least = self.records.iter().filter(|held| !held.class.is_own()).map(|held| held.class).max();
            let oldest = least.filter(|class| *class >= record.class && refused == Refused::Full);
            let oldest = oldest.and_then(|class| self.oldest(|held| held.class == class && held.key() != key));
            let Some(oldest) = oldest else { return Err(self.put_back(area, gone, refused)) };
            self.give_up(area, oldest, &mut gone);
        }
        self.aside.retain(|aside| aside.key != key);
        self.hold(record);
        Ok(gone)
    }

    /// Puts back what had made room in vain: it fits where it was, unless others have filled that meanwhile.
    fn put_back(&mut self, area: &dyn Area, gone: Vec<Record>, why: Refused) -> Refused {
        for record in gone {
            if area.set(&record.key(), &record.line()).is_ok() {
                self.hold(record);
            }
        }
        why
    }

    /// Makes the place of a torn line free without losing what is left of it.
    fn put_aside(&mut self, area: &dyn Area, key: &str) -> Result<(), Refused> {
        let Some(line) = area.get(key) else { return Ok(()) };
        let to = [ASIDE, key].concat();
        let there = self.aside.iter().filter(|aside| aside.key.starts_with(ASIDE) && aside.key != to);
        let held: usize = there.map(|aside| units(&aside.key) + area.get(&aside.key).as_deref().map_or(0, units)).sum();
        if held + units(&to) + units(&line) > ASIDE_MAX_UNITS {
            return Err(Refused::Share);
        }
        area.set(&to, &line)?;
        self.hear(area, &to);
        Ok(())
    }

    fn oldest(&self, is_among: impl Fn(&Record) -> bool) -> Option<usize> {
        let among = self.records.iter().enumerate().filter(|(_, record)| is_among(record));
        among.min_by_key(|(_, record)| record.changed_millis).map(|(at, _)| at)
    }

    fn give_up(&mut self, area: &dyn Area, at: usize, gone: &mut Vec<Record>) {
        let record = self.let_go(at);
        area.remove(&record.key());
        gone.push(record);
    }

    /// Takes something out; it is given back, so that it can be put again.
    pub fn take(&mut self, area: &dyn Area, class: Class, id: &str) -> Option<Record> {
        let at = self.find(class, id).ok()?;
        let record = self.let_go(at);
        area.remove(&record.key());
        Some(record)
    }
}
