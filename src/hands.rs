//! What only the browser can do, and only in its own time: files that the witness takes along or brings, the clipboard, how
//! much room there is, letting go of caches. Asked of `src/hands.js`, which costs a fifth of what promises cost here.
//!
//! Knows nothing of what words say. Answers come as words entered in a field (`intent`).

use crate::dom::{document, write_value};
use web_sys::Event;

/// Asks for it, with `words` in hand.
pub fn ask(what: &str, words: &str) {
    if let (Some(hands), Ok(event)) = (document().get_element_by_id("hands"), Event::new("hands")) {
        write_value(&hands, words);
        // Names of attributes and events are ours: the browser refuses none.
        let _ = hands.set_attribute("title", what);
        let _ = document().dispatch_event(&event);
    }
}
