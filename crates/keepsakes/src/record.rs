//! One thing kept, and how it is written down: a line that says its version, its sum and when it changed, and a body.
//!
//! Knows nothing of what bodies say, nor of where lines lie. A line that was torn, edited or written by a newer page is
//! told from a sound one, never taken for it.

use crate::body::Body;

/// What a thing is, the most precious first: what is at the end goes first when room is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// An intervention.
    Seed,
    /// Words about an entity.
    Note,
    /// A moment to come back to.
    Bookmark,
    /// Somebody kept in sight.
    Pin,
    /// Somebody who is not to call.
    Mute,
    /// A text by which the page is filtered.
    Filter,
    /// How the page is to be.
    Preference,
    /// A ghost put away.
    Dismissed,
    /// Ghosts of the last day.
    Ghosts,
}

impl Class {
    /// Every class, in order.
    pub const ALL: [Self; 9] = [
        Self::Seed,
        Self::Note,
        Self::Bookmark,
        Self::Pin,
        Self::Mute,
        Self::Filter,
        Self::Preference,
        Self::Dismissed,
        Self::Ghosts,
    ];

    /// Its word in keys and in the file that is taken away.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::Note => "note",
            Self::Bookmark => "bookmark",
            Self::Pin => "pin",
            Self::Mute => "mute",
            Self::Filter => "filter",
            Self::Preference => "preference",
            Self::Dismissed => "dismissed",
            Self::Ghosts => "ghosts",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// Whether it goes only by the witness's own hand.
    #[must_use]
    pub fn is_own(self) -> bool {
        !matches!(self, Self::Dismissed | Self::Ghosts)
    }

    /// The most that all of a class may take up, in UTF-16 units.
    #[must_use]
    pub fn share_units(self) -> usize {
        match self {
            Self::Seed => 300_000,
            Self::Note => 400_000,
            Self::Bookmark | Self::Pin | Self::Mute | Self::Dismissed => 50_000,
            Self::Filter | Self::Preference => 10_000,
            Self::Ghosts => 400_000,
        }
    }
}

impl Class {
    /// The version of a line of this class. Pages that do not know a class take a line of their own version for a torn
    /// one, and one of a later version for what it is: a newer page's.
    fn version(self) -> u64 {
        if self == Self::Filter { 2 } else { VERSION }
    }
}

/// A thing kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub class: Class,
    /// Which of its class.
    pub id: String,
    /// When it was changed last, in milliseconds since 1970 by the witness's clock.
    pub changed_millis: u64,
    /// What it says: an object of JSON.
    pub body: String,
}

/// Why a line is not a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsound {
    /// It was written by a newer page, which can read it.
    Newer,
    /// It was torn or edited.
    Torn,
}

/// What every key of a record begins with.
pub const KEYS: &str = "monkeytown.kept.";
/// The version of a line of a class that was there from the first.
const VERSION: u64 = 1;

impl Record {
    /// Where it lies.
    #[must_use]
    pub fn key(&self) -> String {
        [KEYS, self.class.word(), ".", &self.id].concat()
    }

    /// What a key names: a class, and which of it.
    #[must_use]
    pub fn named(key: &str) -> Option<(Class, &str)> {
        let (word, id) = key.strip_prefix(KEYS)?.split_once('.')?;
        Some((Class::of(word)?, id))
    }

    /// As it is written down.
    #[must_use]
    pub fn line(&self) -> String {
        let sum = sum(&self.key(), self.changed_millis, &self.body);
        [
            &self.class.version().to_string(),
            " ",
            &sum.to_string(),
            " ",
            &self.changed_millis.to_string(),
            " ",
            &self.body,
        ]
        .concat()
    }

    /// Reads what lies at `key`; `None` where no record would lie.
    ///
    /// # Errors
    /// When what lies there is not a whole record of this version.
    #[must_use]
    pub fn read(key: &str, line: &str) -> Option<Result<Self, Unsound>> {
        if !key.starts_with(KEYS) {
            return None;
        }
        let mut parts = line.splitn(4, ' ');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let version = number();
        let known = Self::named(key).map_or(VERSION, |(class, _)| class.version());
        if version.is_some_and(|version| version > known) {
            return Some(Err(Unsound::Newer));
        }
        let (said, changed_millis) = (number(), number());
        let record = Self::named(key).zip(changed_millis).zip(parts.next());
        let record = record.map(|(((class, id), changed_millis), body)| Self {
            class,
            id: id.to_owned(),
            changed_millis,
            body: body.to_owned(),
        });
        let sound = record
            .filter(|record| version == Some(known) && said == Some(sum(key, record.changed_millis, &record.body)));
        Some(sound.ok_or(Unsound::Torn))
    }

    /// What it takes up, in UTF-16 units, its key included.
    #[must_use]
    pub fn units(&self) -> usize {
        units(&self.key()) + units(&self.line())
    }
}

/// The words of a note, a bookmark or a filter.
#[must_use]
pub fn words_of(record: &Record) -> String {
    Body::read(&record.body).get("words").unwrap_or_default().to_owned()
}

/// How many UTF-16 units a text takes up.
#[must_use]
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// A sum over a record (FNV-1a, 64 bits): not against malice, for whoever edits a line can sum it too, but against
/// chance.
fn sum(key: &str, changed_millis: u64, body: &str) -> u64 {
    let bytes = key.bytes().chain(changed_millis.to_le_bytes()).chain(body.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
