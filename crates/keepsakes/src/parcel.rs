//! All that is kept as one file that a witness takes away, and what of such a file may come back.
//!
//! A file may be anybody's: it is read whole before anything of it is kept, and what is wrong with it is said.

use crate::body::Body;
use crate::form::LINE_MAX_UNITS;
use crate::record::{Class, Record, units};
use crate::seed::Seed;
use crate::store::{BUDGET_UNITS, Store};
use crate::writing::Writing;
use monkeytown_protocol::{Json, SeedId, from_json};

/// What the file says it is.
const FORMAT: &str = "monkeytown-witness";
/// The version of the file.
const VERSION: u64 = 1;
/// The most things that a file may hold.
const RECORDS_MAX: usize = 10_000;
/// The longest name of a thing, in bytes.
const ID_MAX_BYTES: usize = 512;
/// The most words of one note, in UTF-16 units.
pub const NOTE_MAX_UNITS: usize = 4_000;

/// Why a file is refused, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit(pub &'static str);

/// The file.
struct Parcel {
    format: String,
    version: u64,
    kept: Vec<Packed>,
}

from_json!(Parcel { format, version, kept; });

/// One thing in it. Its body is text, so that whatever a later version writes there can be passed over.
struct Packed {
    class: String,
    id: String,
    changed: u64,
    body: String,
}

from_json!(Packed { class, id, changed, body; });

/// All of `store` as a file.
#[must_use]
pub fn pack(store: &Store, now_millis: u64) -> String {
    let mut list = String::from("[");
    for record in store.iter() {
        list.push_str(if list.len() > 1 { ",\n" } else { "\n" });
        let mut one = Writing::default();
        one.text("class", record.class.word());
        one.text("id", &record.id);
        one.number("changed", record.changed_millis);
        one.text("body", &record.body);
        list.push_str(&one.end());
    }
    list.push_str("\n]");
    let mut file = Writing::default();
    file.text("format", FORMAT);
    file.number("version", VERSION);
    file.number("taken", now_millis);
    file.raw("kept", &list);
    file.end()
}

/// What a file holds, in order, each thing once: of two of a name the one that was changed last.
///
/// # Errors
/// When it is no such file, or one that must not be kept; `now_millis` by the witness's clock.
pub fn unpack(file: &str, now_millis: u64) -> Result<Vec<Record>, Unfit> {
    if file.len() > 2 * BUDGET_UNITS {
        return Err(Unfit("it is larger than all that may be kept here"));
    }
    let json = Json::parse(file).map_err(|_| Unfit("it is not JSON"))?;
    let Parcel { format, version, kept } =
        from_json::read(&json).map_err(|_| Unfit("it is not a file that this page wrote"))?;
    if format != FORMAT || kept.len() > RECORDS_MAX {
        return Err(Unfit("it is not a file that this page wrote"));
    }
    if version != VERSION {
        return Err(Unfit("another version of this page wrote it"));
    }
    let mut records: Vec<Record> = Vec::new();
    for Packed { class, id, changed, body } in kept {
        let class = Class::of(&class).filter(|_| !id.is_empty() && id.len() <= ID_MAX_BYTES);
        let body = Body::read(&body);
        // A clock that was ahead when it was written makes nothing of it untrue: what has not been yet is now.
        let changed_millis = changed.min(now_millis);
        let record = class.map(|class| Record { class, id, changed_millis, body: body.written() });
        let record = record.filter(|record| is_fit(record, &body)).map(|record| planted_by(now_millis, record));
        let record = record.ok_or(Unfit("one of its things is not whole"))?;
        let place = records.binary_search_by(|held| (held.class, &*held.id).cmp(&(record.class, &*record.id)));
        match place {
            Ok(at) => {
                if let Some(held) = records.get_mut(at).filter(|held| held.changed_millis < record.changed_millis) {
                    *held = record;
                }
            }
            Err(at) => records.insert(at, record),
        }
    }
    Ok(records)
}

/// A seed that will be planted has been planted now; everything else is what it is.
fn planted_by(now_millis: u64, record: Record) -> Record {
    match Seed::from_record(&record).filter(|seed| record.class == Class::Seed && seed.planted_millis > now_millis) {
        Some(seed) => Seed { planted_millis: now_millis, ..seed }.to_record(record.changed_millis),
        None => record,
    }
}

/// Whether a thing says what one of its class says: what no form would take does not come by a file.
fn is_fit(record: &Record, body: &Body) -> bool {
    let within = |name: &str, least: usize, most: usize| {
        body.get(name).is_some_and(|words| (least..=most).contains(&units(words)))
    };
    match record.class {
        Class::Seed => {
            // Our own are letters, digits and a hyphen; one that a commit cannot name is none.
            let is_heard_of = SeedId::new(&record.id).is_ok() && record.id.bytes().all(|byte| byte.is_ascii_graphic());
            is_heard_of && Seed::from_record(record).is_some_and(|seed| seed.form.faults() == ["", ""])
        }
        Class::Note => within("words", 1, NOTE_MAX_UNITS),
        Class::Bookmark => within("words", 0, LINE_MAX_UNITS),
        Class::Filter => within("words", 1, LINE_MAX_UNITS),
        Class::Preference => within("value", 0, LINE_MAX_UNITS),
        Class::Ghosts => within("lines", 0, BUDGET_UNITS),
        Class::Pin | Class::Mute | Class::Dismissed => true,
    }
}

/// What would become of things that came back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// They are not here.
    pub new: usize,
    /// They are here, and were changed before.
    pub newer: usize,
    /// They are here, the same or changed later: those here stay.
    pub known: usize,
    /// They are here and not in the file: they go where the file replaces everything.
    pub only_here: usize,
}

/// Compares what a file holds with what is kept.
#[must_use]
pub fn preview(store: &Store, records: &[Record]) -> Preview {
    let mut preview = Preview { only_here: store.iter().count(), ..Preview::default() };
    for record in records {
        match store.get(record.class, &record.id) {
            None => preview.new += 1,
            Some(held) => {
                preview.only_here -= 1;
                let is_newer = held.changed_millis < record.changed_millis;
                preview.newer += usize::from(is_newer);
                preview.known += usize::from(!is_newer);
            }
        }
    }
    preview
}
