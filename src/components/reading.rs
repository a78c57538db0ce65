//! A list that changes while somebody reads it: who reads the newest goes on reading the newest, and what anybody else
//! reads stays where it is on the screen.
//!
//! Not every browser anchors what is scrolled (Safari does not), and those that do act a frame later. So the place is
//! kept here, in the same step that changes the list, and the style sheet keeps the browser from doing it again
//! (`overflow-anchor`). Knows nothing of what the rows say.

use crate::dom::{Rows, leaked, listen};
use std::cell::Cell;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// As near to the newest, in pixels, reads the newest: about one line.
const NEAR: i32 = 24;
/// Rows after the first one in view by which the place is found again when that one goes.
const SEEN_MAX: usize = 60;

/// Where the newest stands.
#[derive(Clone, Copy, PartialEq)]
pub enum Newest {
    /// Above all others.
    First,
    /// Below all others.
    Last,
}

/// What somebody reads in a list.
pub struct Reading(&'static View);

struct View {
    /// What scrolls.
    element: Element,
    newest: Newest,
    /// Whether the newest is read. Remembered from what the reader did, never measured when the list changes: it may
    /// have grown by other means meanwhile.
    is_at_newest: Cell<bool>,
    /// How far it was scrolled when that was last known.
    top: Cell<i32>,
}

impl View {
    /// The reader has scrolled, or the list has.
    fn scrolled(&self) {
        let top = self.element.scroll_top();
        let is_near = match self.newest {
            Newest::First => top < NEAR,
            Newest::Last => self.element.scroll_height() - top - self.element.client_height() < NEAR,
        };
        // Away from the end leads upwards only: a list that has grown below has not been left.
        let stays = self.newest == Newest::Last && self.is_at_newest.get() && top >= self.top.get();
        self.is_at_newest.set(is_near || stays);
        self.top.set(top);
    }

    /// Shows the newest to who reads the newest. Above all others it is in view by itself.
    fn follow(&self) -> bool {
        if self.is_at_newest.get() && self.newest == Newest::Last {
            self.element.set_scroll_top(self.element.scroll_height());
            self.top.set(self.element.scroll_top());
        }
        self.is_at_newest.get()
    }
}

impl Reading {
    /// Follows the reader of the list that scrolls in `element`.
    #[must_use]
    pub fn new(element: Element, newest: Newest) -> Self {
        let view = leaked(View { element, newest, is_at_newest: Cell::new(true), top: Cell::new(0) });
        listen(&view.element, "scroll", move |_| view.scrolled());
        Self(view)
    }

    /// Begins at the newest: it is somebody else's list.
    pub fn begin(&self) {
        self.0.is_at_newest.set(true);
        self.show();
    }

    /// It is seen again: some browsers forget meanwhile how far it was scrolled, and that is not the reader's doing.
    pub fn show(&self) {
        self.0.top.set(0);
    }

    /// What is read in `rows`, before they change: where each row in view stands, the first of them first.
    #[must_use]
    pub fn look(&self, rows: &Rows) -> Vec<(HtmlElement, i32)> {
        let mut seen = Vec::new();
        if self.0.newest == Newest::Last {
            // The browser tells of scrolling a frame later; who has just left the end is not taken back to it.
            self.0.scrolled();
        }
        if self.0.is_at_newest.get() {
            return seen;
        }
        let view: &HtmlElement = self.0.element.unchecked_ref();
        let top = view.scroll_top() + view.offset_top();
        for piece in rows.pieces() {
            let row: &HtmlElement = piece.root().unchecked_ref();
            let at = row.offset_top();
            if at + row.offset_height() > top && seen.len() < SEEN_MAX {
                seen.push((row.clone(), at));
            }
        }
        seen
    }

    /// Leaves it where it was on the screen, after the rows have changed: the first row that is still there.
    pub fn stay(&self, seen: &[(HtmlElement, i32)]) {
        let view = &self.0;
        if view.follow() {
            return;
        }
        if let Some((row, before)) = seen.iter().find(|(row, _)| row.is_connected()) {
            view.element.set_scroll_top(view.element.scroll_top() + row.offset_top() - before);
            view.top.set(view.element.scroll_top());
        }
    }
}
