//! What the witness does and keeps, as components read it: the store itself, and what is said of the last act.
//!
//! Knows nothing of where lines lie.

use monkeytown_keepsakes::{Class, Form, Record, Store};
use monkeytown_protocol::{EntityId, SeedType};

/// The preference under which history is kept for this visit only.
pub const FOR_THIS_VISIT: &str = "ghosts";
/// The preference under which nothing moves.
pub const STILL: &str = "still";
/// The preference under which single letters, digits and marks do nothing (WCAG 2.1.4).
pub const KEYLESS: &str = "keyless";
/// The preference under which settling and breaking are heard. Named as `src/hands.js` is asked for it; so is the next.
pub const SOUND: &str = "sound";
/// The preference under which the browser calls when somebody pinned breaks and nobody looks.
pub const NOTICES: &str = "notices";

/// An act that can be taken back: what was taken away comes back, what was put goes.
#[derive(Default)]
pub struct Undo {
    /// What was done, in words.
    pub words: String,
    /// What comes back.
    pub back: Vec<Record>,
    /// What goes, if it is still as the act left it.
    pub away: Vec<Record>,
}

/// A note that is being written.
pub struct Draft {
    /// On whom.
    pub id: EntityId,
    /// Its words.
    pub words: String,
    /// What was kept when it was begun: another tab may have changed it since.
    pub based_on: String,
}

/// What the witness does and keeps.
pub struct Kept {
    /// All that is kept.
    pub store: Store,
    /// Whether it outlives the visit.
    pub lasts: bool,
    /// What all of the page takes up in the browser's storage, in UTF-16 units.
    pub used_units: usize,
    /// What came of the last act, in words.
    pub answer: String,
    /// Whether the browser itself has answered: it is told where it was asked.
    pub of_browser: bool,
    /// What can be taken back.
    pub undo: Undo,
    /// Until when the last act is told over the page, on the monotonic clock; on the sheet it stands until the next.
    pub told_until: f64,
    /// What a chosen file holds, until the witness says what is to become of it.
    pub arrived: Option<Vec<Record>>,
    /// Whether the witness is asked once more before all is erased.
    pub erasing: bool,
    /// Notes that are being written: one, and those for whose words there was no room.
    pub drafts: Vec<Draft>,
    /// The seed that is being written.
    pub form: Form,
    /// Its second field for each type, so that another type and back again loses nothing.
    pub seconds: [String; 4],
    /// Whether it was to be planted as it is: then what is missing is said too.
    pub tried: bool,
    /// How often the form was emptied: its fields are to be written anew.
    pub emptied: u32,
    /// What a query finds now, in words.
    pub found: String,
    /// The repository in which issues are opened; empty when nobody says.
    pub repository: String,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            store: Store::default(),
            lasts: false,
            used_units: 0,
            answer: String::new(),
            of_browser: false,
            undo: Undo::default(),
            told_until: 0.0,
            seconds: Default::default(),
            arrived: None,
            erasing: false,
            drafts: Vec::new(),
            form: Form { seed_type: SeedType::Query, first: String::new(), second: String::new() },
            tried: false,
            emptied: 0,
            found: String::new(),
            repository: String::new(),
        }
    }
}

impl Kept {
    /// Whether something of this name is kept.
    #[must_use]
    pub fn has(&self, class: Class, id: &str) -> bool {
        self.store.get(class, id).is_some()
    }
}
