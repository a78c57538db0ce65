//! All that is kept as one file that a witness takes away, and what of such a file may come back.
//!
//! A file may be anybody's: it is read whole before anything of it is kept, and what is wrong with it is said.

use crate::form::LINE_MAX_UNITS;
use crate::record::{Class, Record, units};
use crate::seed::Seed;
use crate::store::{BUDGET_UNITS, Store};
use crate::writing::Writing;
use monkeytown_protocol::Json;

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

/// All of `store` as a file.
#[must_use]
pub fn pack(store: &Store, now_millis: u64) -> String {
    let mut list = String::from("[");
    for record in store.iter() {
        if list.len() > 1 {
            list.push(',');
        }
        list.push('\n');
        let mut one = Writing::default();
        one.text("class", record.class.word());
        one.text("id", &record.id);
        one.number("changed", record.changed_millis);
        one.raw("body", &record.body);
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
/// When it is no such file, or one that must not be kept.
pub fn unpack(file: &str) -> Result<Vec<Record>, Unfit> {
    if file.len() > 2 * BUDGET_UNITS {
        return Err(Unfit("it is larger than all that may be kept here"));
    }
    let json = Json::parse(file).map_err(|_| Unfit("it is not JSON"))?;
    if text(&json, "format") != Some(FORMAT) {
        return Err(Unfit("it is not a file that this page wrote"));
    }
    match member(&json, "version") {
        Some(Json::Whole(VERSION)) => {}
        Some(Json::Whole(_)) => return Err(Unfit("a newer page wrote it")),
        _ => return Err(Unfit("it does not say its version")),
    }
    let Some(Json::List(kept)) = member(&json, "kept") else { return Err(Unfit("it holds no list")) };
    if kept.len() > RECORDS_MAX {
        return Err(Unfit("it holds more than 10,000 things"));
    }
    let mut records: Vec<Record> = Vec::new();
    for one in kept {
        let record = read(one).ok_or(Unfit("one of its things is not whole"))?;
        let before = records.iter_mut().find(|held| held.class == record.class && held.id == record.id);
        match before {
            Some(held) if held.changed_millis < record.changed_millis => *held = record,
            Some(_) => {}
            None => records.push(record),
        }
    }
    Ok(records)
}

fn member<'j, 'a>(json: &'j Json<'a>, name: &str) -> Option<&'j Json<'a>> {
    let Json::Object(members) = json else { return None };
    members.iter().find(|(held, _)| held == name).map(|(_, value)| value)
}

fn text<'j>(json: &'j Json<'_>, name: &str) -> Option<&'j str> {
    match member(json, name)? {
        Json::Text(text) => Some(text),
        _ => None,
    }
}

fn read(json: &Json<'_>) -> Option<Record> {
    let class = Class::of(text(json, "class")?)?;
    let id = text(json, "id").filter(|id| !id.is_empty() && id.len() <= ID_MAX_BYTES)?;
    let Some(Json::Whole(changed_millis)) = member(json, "changed") else { return None };
    let body = written(member(json, "body").filter(|body| matches!(body, Json::Object(_)))?)?;
    let record = Record { class, id: id.to_owned(), changed_millis: *changed_millis, body };
    is_fit(&record).then_some(record)
}

/// Whether a thing says what one of its class says: what no form would take does not come by a file.
fn is_fit(record: &Record) -> bool {
    let body = Json::parse(&record.body).ok();
    let words = |name: &str| body.as_ref().and_then(|body| text(body, name)).map(units);
    match record.class {
        Class::Seed => Seed::from_record(record).is_some_and(|seed| seed.form.faults() == ["", ""]),
        Class::Note => words("words").is_some_and(|units| (1..=NOTE_MAX_UNITS).contains(&units)),
        Class::Bookmark => words("words").is_some_and(|units| units <= LINE_MAX_UNITS),
        Class::Preference => words("value").is_some_and(|units| units <= LINE_MAX_UNITS),
        Class::Ghosts => words("lines").is_some(),
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

/// A body of texts and whole numbers, as this page writes it; `None` for anything else.
fn written(json: &Json<'_>) -> Option<String> {
    let Json::Object(members) = json else { return None };
    let mut body = Writing::default();
    for (name, value) in members {
        match value {
            Json::Text(text) => body.text(name, text),
            Json::Whole(number) => body.number(name, *number),
            _ => return None,
        }
    }
    Some(body.end())
}
