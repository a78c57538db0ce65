//! What lies over everything: the palette, a field with the commands and agents that fit what is typed; and the list of all keys.

use super::{
    drawer::{Drawer, focus},
    mask,
};
use crate::{
    commands::{COMMANDS, When},
    dom::{Piece, Rows, follow, value, write_value},
    signals::{Choice, KEYLESS, Offer, Over, Signals},
    voice,
};
use monkeytown_keepsakes::Class;
use std::cell::RefCell;
use wasm_bindgen::JsCast;

/// What lies behind them.
const BEHIND: [&str; 7] = ["head", "field", "ghosts", "plot", "foot", "panel", "sheet"];

/// What tells a line from others: somebody's keeps its mask.
fn key(offer: &Offer) -> String {
    match &offer.choice {
        Choice::Command(line) => line.to_string(),
        Choice::Somebody(id) => ["@", id.as_str()].concat(),
        Choice::Find(_) => String::new(),
    }
}

/// Fills them.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (page, field) = (Piece::section("page"), Piece::section("typed"));
    let (palette, keys) = (Piece::section("palette"), Piece::section("keys"));
    let drawers = [Drawer::new("data-palette", &BEHIND), Drawer::new("data-keys", &BEHIND)];
    let rows = RefCell::new([Rows::of("offers"), Rows::of("key-list")]);
    follow(move || {
        let view = signals.palette.read();
        let is_off = signals.kept.read().has(Class::Preference, KEYLESS);
        page.mark("", "data-keyless", if is_off { "yes" } else { "" });
        let [offers, lines] = &mut *rows.borrow_mut();
        if view.over == Over::Palette {
            let known: Vec<String> = view.offers.iter().map(key).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            offers.keep(&known, |_| "t-offer", &|key, piece| {
                let place = piece.part("mask");
                match (key.strip_prefix('@'), place) {
                    (Some(id), Some(place)) => mask::wear(&place, "t-mask-small", id),
                    (_, place) => place.into_iter().for_each(|place| place.remove()),
                }
            });
            for ((at, piece), offer) in offers.pieces().enumerate().zip(&view.offers) {
                let number = at.to_string();
                let id = ["offer-", &number].concat();
                piece.set("", "data-at", &number);
                piece.set("", "id", &id);
                piece.say("name", &offer.name);
                piece.say("beside", offer.beside);
                let is_key = !matches!(offer.choice, Choice::Somebody(_)) && !matches!(offer.beside, "" | "on");
                piece.mark("beside", "data-key", if is_key { "yes" } else { "" });
                piece.mark("", "data-status", offer.status);
                if !offer.status.is_empty() {
                    mask::look(piece, offer.status);
                }
                piece.set("", "aria-selected", if at == view.at { "true" } else { "false" });
                if at == view.at {
                    field.set("", "aria-activedescendant", &id);
                    // A short window shows a part of them.
                    piece.root().scroll_into_view_with_bool(false);
                }
            }
            let words = match view.fitting.checked_sub(view.offers.len()) {
                None | Some(0) => String::new(),
                Some(more) => ["and ", &voice::grouped(more as u64), " more: type on"].concat(),
            };
            palette.say("fits", &words);
            if value(field.root()) != view.typed {
                write_value(field.root(), &view.typed);
            }
        }
        if view.over == Over::Keys {
            let told: Vec<&str> = COMMANDS.iter().map(|line| line.key).filter(|key| !key.is_empty()).collect();
            lines.keep(&told, |_| "t-key", &|key, piece| {
                let line = COMMANDS.iter().find(|line| line.key == key);
                piece.say("key", key);
                let of_somebody = line.is_some_and(|line| line.when == When::Somebody);
                let whom = if of_somebody { " whom you look at" } else { "" };
                piece.say("name", &[line.map_or("", |line| line.name), whom].concat());
            });
            keys.say("off", if is_off { "single keys do nothing now" } else { "" });
            keys.set("keyless", "aria-pressed", if is_off { "true" } else { "false" });
        }
        let [over, listed] = &drawers;
        // What closes gives the focus back before what opens takes it.
        if view.over != Over::Palette {
            over.set(&palette, false);
        }
        listed.set(&keys, view.over == Over::Keys);
        if view.over == Over::Palette && !palette.root().has_attribute("data-open") {
            over.set(&palette, true);
            focus(field.root().dyn_ref());
        }
    });
}
