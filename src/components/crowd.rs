//! Those without room in the field: counted on a button, and told by name when it is pressed.

use crate::{
    dom::{Piece, Rows},
    signals::AgentView,
    terrarium::seats::{Seat, seat_of},
    voice,
};
use monkeytown_protocol::EntityId;
use std::{cell::RefCell, rc::Rc};

/// Agents without room that are listed by name.
const LISTED_MAX: usize = 2_000;

/// The button and the list.
pub struct Crowd {
    more: Piece,
    everyone: Piece,
    rows: RefCell<Rows>,
}

impl Crowd {
    /// The page's own.
    pub fn of_page() -> Self {
        let rows = RefCell::new(Rows::of("everyone-list"));
        Self { more: Piece::section("more"), everyone: Piece::section("everyone"), rows }
    }

    /// Counts those of `agents` who are not in `seats`, both in the order of ids; lists them where that is `open`.
    pub fn tell(&self, agents: &[Rc<AgentView>], seats: &[(EntityId, Seat)], open: bool) {
        let mut unseated = Vec::new();
        for agent in agents {
            if seat_of(seats, &agent.id).is_none() {
                unseated.push(agent);
            }
        }
        let waiting = unseated.len();
        let words = if waiting == 0 { String::new() } else { format!("and {} more", voice::grouped(waiting as u64)) };
        self.more.say_if("", &words);
        self.more.set("", "aria-expanded", if open { "true" } else { "false" });
        let is_listed = open && waiting > 0;
        self.everyone.mark("", "data-open", if is_listed { "yes" } else { "" });
        unseated.truncate(if is_listed { LISTED_MAX } else { 0 });
        let keys: Vec<&str> = unseated.iter().map(|agent| agent.id.as_str()).collect();
        let mut rows = self.rows.borrow_mut();
        rows.keep(&keys, |_| "t-somebody", &|id, piece| piece.set("", "data-entity-id", id));
        for (piece, agent) in rows.pieces().zip(unseated) {
            piece.say("name", &agent.entity.label.to_string());
            piece.say("word", voice::status(agent.entity.status));
        }
    }
}
