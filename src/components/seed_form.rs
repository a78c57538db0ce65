//! The form in which a seed is planted: four types, their fields, what is wrong with each, what would be planted.

use crate::{
    dom::{Piece, check, document, follow, write_value},
    signals::Signals,
};
use monkeytown_keepsakes::Form;
use monkeytown_protocol::SeedType;
use std::cell::Cell;

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("seed-form");
    let entered = Cell::new((SeedType::Query, 0));
    follow(move || {
        let (kept, _) = (signals.kept.read(), signals.typed.read());
        let form = &kept.form;
        piece.set("", "data-seed-type", form.seed_type.as_str());
        let faults = form.faults();
        let fields = [("first", "first-fault", &form.first), ("second", "second-fault", &form.second)];
        for ((field, told, words), fault) in fields.into_iter().zip(faults) {
            // Of what is empty nothing is said before it is to be planted.
            let fault = if kept.tried || !words.trim_ascii().is_empty() { fault } else { "" };
            piece.say_if(told, fault);
            piece.mark(field, "aria-invalid", if fault.is_empty() { "" } else { "true" });
        }
        let preview = if faults == ["", ""] { form.preview() } else { String::new() };
        piece.say_if("preview", &preview);
        piece.say_if("found", &kept.found);
        let now = (form.seed_type, kept.emptied);
        if entered.replace(now) != now {
            enter(form);
        }
    });
}

/// Puts into the fields what the form holds, so that what is planted is what is seen there.
fn enter(form: &Form) {
    for (id, words) in [("seed-first", &form.first), ("seed-second", &form.second)] {
        if let Some(field) = document().get_element_by_id(id) {
            write_value(&field, words);
        }
    }
    for (name, value) in
        [("type", form.seed_type.as_str()), ("constraint-kind", &form.second), ("resource-kind", &form.second)]
    {
        let choice = ["#seed-form [name=", name, "][value=\"", value, "\"]"].concat();
        if let Ok(Some(choice)) = document().query_selector(&choice) {
            check(&choice);
        }
    }
}
