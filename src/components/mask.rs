//! The mask of an agent: its sigil's shapes, and eyes that tell its state (`look.md`, "The sigil").

use crate::{dom::Piece, sigil::Sigil};
use wasm_bindgen::JsCast;
use web_sys::Element;

/// A mask from this template, as `id` has it, put into `place` before all else.
pub fn wear(place: &Element, template: &str, id: &str) {
    let mask = Piece::copy_of(template);
    let sigil = Sigil::of(id);
    let shapes = [
        ("e", sigil.ears),
        ("c", sigil.crown),
        ("h", sigil.head),
        ("f", sigil.face),
        ("m", sigil.muzzle),
        ("n", sigil.muzzle),
    ];
    for (shape, which) in shapes {
        let href = format!("#{shape}{which}");
        // The outline and the pelt are the same shapes twice.
        let uses = mask.root().query_selector_all(&format!("[data-p={shape}]"));
        let Ok(uses) = uses else { continue };
        for at in 0..uses.length() {
            if let Some(element) = uses.get(at).and_then(|node| node.dyn_into::<Element>().ok()) {
                // The name is ours.
                let _ = element.set_attribute("href", &href);
            }
        }
    }
    mask.set("", "data-fur", &sigil.fur.to_string());
    // The piece that the mask goes into finds it by this name.
    mask.set("", "data-p", "face");
    // The place is on the page, or in a copy that will be.
    let _ = place.prepend_with_node_1(mask.root());
}

/// Gives the mask in `piece` the eyes of a status.
pub fn look(piece: &Piece, status: &str) {
    piece.set("y", "href", &["#y-", status].concat());
    piece.set("face", "data-status", status);
}
