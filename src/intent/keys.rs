//! Keys, as intents: by the table of commands, and by what has the focus.
//!
//! Keys do nothing while somebody types, with Control, Alt or Meta, or behind a dialog that they do not concern.

use super::{Intent, TABS, dismiss};
use crate::{
    clock::monotonic_millis,
    commands::{Command, by_key, waits},
    dom::document,
    hands,
};
use std::cell::RefCell;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, KeyboardEvent};

/// How long a key waits for its second, in milliseconds.
const WAITS_MILLIS: f64 = 1_500.0;

thread_local! {
    /// A key that waits for its second, and since when.
    static BEFORE: RefCell<Option<(String, f64)>> = const { RefCell::new(None) };
}

/// What is meant by a key.
pub(super) fn meant_by_key(key: &KeyboardEvent) -> Option<Intent> {
    // What a method of input composes is its own.
    if key.ctrl_key() || key.meta_key() || key.alt_key() || key.is_composing() {
        return None;
    }
    if let Some(intent) = meant_in_tabs(key) {
        return Some(intent);
    }
    let target: Element = key.target()?.dyn_into().ok()?;
    let is_in = |selector: &str| target.closest(selector).is_ok_and(|found| found.is_some());
    let mut name = key.key();
    if is_in("#typed") {
        let intent = match &*name {
            "ArrowDown" => Intent::Mark(true),
            "ArrowUp" => Intent::Mark(false),
            "Enter" => Intent::Choose(None),
            "Escape" => Intent::Back,
            _ => return None,
        };
        key.prevent_default();
        return Some(intent);
    }
    if name.len() == 1 && !key.shift_key() {
        // As without the lock for capitals.
        name.make_ascii_lowercase();
    }
    let off =
        is_in("input,textarea,select") || document().query_selector("[data-keyless]").is_ok_and(|off| off.is_some());
    let now = monotonic_millis();
    let before = BEFORE.take().filter(|(_, since)| now - since < WAITS_MILLIS);
    let command = by_key(&name, before.as_ref().map(|(before, _)| before.as_str()), off);
    match command {
        None if !off && waits(&name) => BEFORE.set(Some((name, now))),
        None => {}
        // Elsewhere arrows are the browser's, or somebody else's.
        Some(Command::Arrows) if is_in(".agent") || target.tag_name() == "BODY" => {
            key.prevent_default();
            hands::ask("step", &name);
        }
        Some(Command::Arrows) => {}
        Some(Command::Dismiss) => {
            let numbers = target.closest("[data-numbers]").ok()??.get_attribute("data-numbers");
            return numbers.map(|numbers| Intent::Act(dismiss(&numbers)));
        }
        // A filter goes before anything closes.
        Some(Command::Close) if is_in("#search:not(:placeholder-shown)") => return Some(Intent::Search(String::new())),
        Some(Command::Close) => return Some(Intent::Back),
        Some(command) => {
            // Some browsers look for words by "/".
            key.prevent_default();
            return Some(Intent::Command(command));
        }
    }
    None
}

/// Arrows move between tabs that stand in a row (WAI-ARIA Authoring Practices, "Tabs").
fn meant_in_tabs(key: &KeyboardEvent) -> Option<Intent> {
    let step = match key.key().as_str() {
        "ArrowRight" => 1,
        "ArrowLeft" => TABS.len() - 1,
        _ => return None,
    };
    let focused: Element = key.target()?.dyn_into().ok()?;
    let at = TABS.iter().position(|(id, _)| focused.id() == *id)?;
    let (id, tab) = TABS.get((at + step) % TABS.len())?;
    let next: HtmlElement = document().get_element_by_id(id)?.dyn_into().ok()?;
    // A tab that is gone is not focused.
    let _ = next.focus();
    Some(Intent::Tab(*tab))
}
