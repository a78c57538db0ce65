//! What a witness does beside looking: buttons, fields and keys by which things are planted, kept, put away and erased.
//!
//! Buttons say what they are for by their name in the markup. Knows nothing of what becomes of an act.

use crate::{
    dom::{document, listen, value},
    intent::dismiss,
    signals::{FOR_THIS_VISIT, KEYLESS, NOTICES, SOUND, STILL, Sheet},
};
use monkeytown_protocol::EntityId;
use web_sys::Element;

/// A field of the seed's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Which of the four types.
    Type,
    /// The first field.
    First,
    /// The second: terms, or a kind.
    Second,
}

/// What a witness does.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Opens a side of the sheet.
    Sheet(Option<Sheet>),
    /// Enters something into the form.
    Enter(Field, String),
    /// Plants what was entered.
    Plant,
    /// Pins somebody, or no longer.
    Pin(EntityId),
    /// Pins a ghost, by its identity, or no longer.
    PinGhost(u64),
    /// Mutes somebody, or no longer.
    Mute(EntityId),
    /// Writes the note on whom is looked at.
    Note(String),
    /// Keeps the moment.
    Bookmark,
    /// Keeps the filter.
    KeepFilter,
    /// Puts ghosts away: one, and those that say the same, by their identities.
    Dismiss(Vec<u64>),
    /// Brings back all that was put away.
    Restore,
    /// Takes something kept away, by its key.
    Forget(String),
    /// Takes the last act back.
    Undo,
    /// Asks for what the browser does in its own time: what, and with which words.
    Ask(&'static str, String),
    /// Takes all that is kept along as a file.
    TakeAlong,
    /// Opens the sheet at one of the witness's seeds.
    Find(String),
    /// Brings a file back: it has been chosen and read.
    Bring(String),
    /// Hears what came of it.
    Told(String),
    /// What becomes of it: it replaces all that is kept, or is merged with it; or nothing.
    Adopt(Option<bool>),
    /// Asks to erase everything, or no longer; or erases it.
    Erase(bool),
    /// Turns a preference on or off.
    Prefer(&'static str),
    /// Turns on what the browser has allowed.
    Allowed(&'static str),
}

/// What is meant by pressing the button of this name. `near` finds an attribute of what the button belongs to.
pub(super) fn meant_by_button(name: &str, near: &dyn Fn(&str) -> Option<String>) -> Option<Act> {
    let whom = || EntityId::new(&near("data-entity-id")?).ok();
    match name {
        "sprout" => near("data-key").map(Act::Find),
        "plant-seed" | "to-seeds" => Some(Act::Sheet(Some(Sheet::Seeds))),
        "storage" | "to-kept" => Some(Act::Sheet(Some(Sheet::Kept))),
        "pin" => match near("data-numbers") {
            Some(numbers) => numbers.split(' ').next()?.parse().ok().map(Act::PinGhost),
            None => whom().map(Act::Pin),
        },
        "mute" => whom().map(Act::Mute),
        "bookmark" => Some(Act::Bookmark),
        "keep-filter" => Some(Act::KeepFilter),
        "dismiss" => near("data-numbers").map(|numbers| dismiss(&numbers)),
        "restore" => Some(Act::Restore),
        "forget" => near("data-key").map(Act::Forget),
        "undo" => Some(Act::Undo),
        "copy" => near("data-copy").map(|words| Act::Ask("copy", words)),
        "ask-room" => Some(Act::Ask("room", String::new())),
        "take-along" => Some(Act::TakeAlong),
        "merge" => Some(Act::Adopt(Some(false))),
        "replace" => Some(Act::Adopt(Some(true))),
        "leave" => Some(Act::Adopt(None)),
        "erase-all" | "erase-not" => Some(Act::Erase(false)),
        "erase" => Some(Act::Erase(true)),
        "for-this-visit" => Some(Act::Prefer(FOR_THIS_VISIT)),
        "stilled" => Some(Act::Prefer(STILL)),
        "keyless" => Some(Act::Prefer(KEYLESS)),
        SOUND => Some(Act::Prefer(SOUND)),
        NOTICES => Some(Act::Prefer(NOTICES)),
        _ => None,
    }
}

/// What is meant by entering something into a field.
pub(super) fn meant_by_field(field: &Element) -> Option<Act> {
    match field.get_attribute("name")?.as_str() {
        "type" => Some(Act::Enter(Field::Type, value(field))),
        "first" => Some(Act::Enter(Field::First, value(field))),
        "second" | "constraint-kind" | "resource-kind" => Some(Act::Enter(Field::Second, value(field))),
        "note" => Some(Act::Note(value(field))),
        "bring" => Some(Act::Ask("bring", String::new())),
        "brought" => Some(Act::Bring(value(field))),
        "told" => Some(Act::Told(value(field))),
        SOUND => Some(Act::Allowed(SOUND)),
        NOTICES => Some(Act::Allowed(NOTICES)),
        _ => None,
    }
}

/// Hears the form being sent: nothing is sent anywhere.
pub(super) fn on_plant(run: impl Fn(Act) + 'static) {
    listen(&document(), "submit", move |event| {
        event.prevent_default();
        run(Act::Plant);
    });
}
