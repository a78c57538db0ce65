//! What slides in over the field: the focus goes along and comes back, and what lies behind cannot be reached.

use crate::dom::{Piece, document, is_embedded};
use std::cell::{Cell, RefCell};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

/// What the page as a whole is marked with while it is open, and what it covers.
pub struct Drawer {
    page: Piece,
    mark: &'static str,
    behind: Vec<Piece>,
    open: Cell<bool>,
    /// What had the focus when it opened: it is given back.
    came_from: RefCell<Option<HtmlElement>>,
}

impl Drawer {
    /// A drawer that marks the page with the attribute `mark` and covers `behind`.
    pub fn new(mark: &'static str, behind: &[&str]) -> Self {
        let behind = behind.iter().copied().map(Piece::section).collect();
        Self { page: Piece::section("page"), mark, behind, open: Cell::default(), came_from: RefCell::default() }
    }

    /// Opens `piece`, or closes it.
    pub fn set(&self, piece: &Piece, open: bool) {
        // Over the terrarium alone nothing opens: who is looked at is marked there.
        if self.open.replace(open) == open || is_embedded() {
            return;
        }
        let mark = if open { "yes" } else { "" };
        if open {
            *self.came_from.borrow_mut() = document().active_element().and_then(|element| element.dyn_into().ok());
        }
        self.page.mark("", self.mark, mark);
        piece.mark("", "data-open", mark);
        for behind in &self.behind {
            cover(behind.root(), open);
        }
        if open {
            focus(piece.root().dyn_ref());
        } else {
            // Whoever it came from may have gone meanwhile.
            let back = self.came_from.take().filter(|element| element.is_connected());
            let pause = || document().get_element_by_id("pause")?.dyn_into().ok();
            focus(back.or_else(pause).as_ref());
            // Where it came from the page as a whole, that takes none: what is closed has it no longer all the same.
            let left = document().active_element().filter(|left| piece.root().contains(Some(left)));
            if let Some(left) = left.and_then(|left| left.dyn_into::<HtmlElement>().ok()) {
                // It has the focus, and can be left.
                let _ = left.blur();
            }
        }
    }
}

/// Covers an element once more, or once less: one that several lie over can be reached again when the last has gone.
fn cover(element: &Element, more: bool) {
    let mut times = element.get_attribute("inert").unwrap_or_default();
    if more {
        times.push('.');
    } else {
        times.pop();
    }
    // The attribute's name is ours, so that the browser refuses neither.
    let _ = if times.is_empty() { element.remove_attribute("inert") } else { element.set_attribute("inert", &times) };
}

/// Gives an element the focus.
pub fn focus(element: Option<&HtmlElement>) {
    if let Some(element) = element {
        // An element that is gone cannot be focused, and need not be.
        let _ = element.focus();
    }
}
