//! Where what a witness keeps lies: `LocalStorage`, or nowhere where the browser keeps nothing, so that the store's own
//! memory serves for the visit.
//!
//! Knows keys and lines; what they say is `monkeytown-keepsakes`'.

use super::{area, last_known};
use crate::dom::listen;
use js_sys::Reflect;
use monkeytown_keepsakes::{Area, Refused, units};
use web_sys::Storage;

/// What every key of this page begins with, kept things or not.
const OURS: &str = "monkeytown.";

/// What another tab sets for a moment when everything has been erased.
pub const ERASED: &str = "monkeytown.erased";

/// The place.
#[derive(Default)]
pub struct Place(Option<Storage>);

impl Place {
    /// The browser's place, if it gives one.
    #[must_use]
    pub fn find() -> Self {
        Self(area())
    }

    /// Whether what is kept here outlives the visit.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.0.is_some()
    }

    /// What all of this page takes up, in UTF-16 units.
    #[must_use]
    pub fn units(&self) -> usize {
        let mut all = 0;
        for key in self.keys() {
            if key.starts_with(OURS) {
                all += units(&key) + self.get(&key).as_deref().map_or(0, units);
            }
        }
        all
    }

    /// Leaves nothing of this page; what others of the same origin hold is theirs. Other tabs hear of it by the mark that
    /// is set and taken away again. From now on this is no place.
    pub fn clear(&mut self) {
        for key in self.keys() {
            if key.starts_with(OURS) {
                self.remove(&key);
            }
        }
        // Where there is no room even for that, the lines that went have been heard of one by one.
        let _ = self.set(ERASED, "");
        self.remove(ERASED);
        self.leave();
    }

    /// From now on this is no place.
    pub fn leave(&mut self) {
        self.0 = None;
    }
}

impl Area for Place {
    fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        if let Some(storage) = &self.0 {
            for at in 0..storage.length().unwrap_or_default() {
                keys.extend(storage.key(at).ok().flatten());
            }
        }
        keys
    }

    fn get(&self, key: &str) -> Option<String> {
        self.0.as_ref()?.get_item(key).ok().flatten()
    }

    fn set(&self, key: &str, line: &str) -> Result<(), Refused> {
        match &self.0 {
            Some(storage) => storage.set_item(key, line).or_else(|_| {
                // The page as last known comes again by itself: it goes before anything that the witness keeps.
                last_known::forget();
                storage.set_item(key, line).map_err(|_| Refused::Full)
            }),
            None => Ok(()),
        }
    }

    fn remove(&self, key: &str) {
        if let Some(storage) = &self.0 {
            // A line that cannot be taken away was none.
            let _ = storage.remove_item(key);
        }
    }
}

/// Calls `changed` when another tab has written at a key, or somebody has cleared everything (`None`).
pub fn on_change(changed: impl Fn(Option<String>) + 'static) {
    if let Some(window) = web_sys::window() {
        listen(&window, "storage", move |event| {
            changed(Reflect::get(&event, &"key".into()).ok().and_then(|key| key.as_string()));
        });
    }
}
