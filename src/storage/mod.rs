//! `LocalStorage`: the one place that touches it. It may be full, blocked or edited by hand; all three are answers,
//! never failures of the page.

pub mod choices;
pub mod kept;
pub mod last_known;

use std::{cell::Cell, fmt};
use web_sys::Storage;

/// Why something was not kept. The value that was there before is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageError {
    /// The browser keeps nothing for this page.
    Blocked,
    /// There is no room.
    Full,
    /// It is larger than this page allows itself.
    TooLarge,
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocked => "this browser keeps nothing for this page: the next visit starts afresh",
            Self::Full => "this browser's storage is full: what is shown now is not kept for the next visit",
            Self::TooLarge => "what is shown now is too much to keep for the next visit",
        })
    }
}

impl std::error::Error for StorageError {}

thread_local! {
    /// Whether nothing is kept until the page is loaded again: everything was erased, or nothing is to be kept at all.
    static ERASED: Cell<bool> = const { Cell::new(false) };
}

/// From now on nothing is kept or read, whoever asks: everything was erased, or the page is part of another one.
pub fn keep_no_more() {
    ERASED.set(true);
}

/// The browser's storage. gloo-storage would panic where it is blocked, so it is asked for directly.
fn area() -> Option<Storage> {
    if ERASED.get() {
        return None;
    }
    web_sys::window()?.local_storage().ok().flatten()
}

fn read(key: &str) -> Option<String> {
    area()?.get_item(key).ok().flatten()
}

fn write(key: &str, value: &str) -> Result<(), StorageError> {
    // That nothing is kept then has been said where it was erased.
    if ERASED.get() {
        return Ok(());
    }
    area().ok_or(StorageError::Blocked)?.set_item(key, value).map_err(|_| StorageError::Full)
}

fn remove(key: &str) {
    // Where nothing is kept there is nothing to take away.
    let _ = area().map(|area| area.remove_item(key));
}
