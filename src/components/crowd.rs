//! Those without room in the field: counted on a button, and told by name when it is pressed.

use crate::{
    dom::{Piece, Rows},
    signals::AgentView,
    terrarium::seats::{Seat, seat_of},
    voice,
};
use monkeytown_protocol::EntityId;
use monkeytown_terrain::Rect;
use std::{cell::RefCell, rc::Rc};

/// Agents without room that are listed by name.
const LISTED_MAX: usize = 2_000;

/// The button and the list.
pub struct Crowd {
    more: Piece,
    everyone: Piece,
    rows: RefCell<Rows>,
}

/// Around the words of the count: at their ends, and in all from top to bottom; and below it, in CSS pixels.
const AIR: f32 = 18.0;
const TALL: f32 = 44.0;
const BELOW: f32 = 12.0;
/// The width of one letter of it, in CSS pixels.
const LETTER: f32 = 6.7;

fn words(waiting: usize) -> String {
    if waiting == 0 { String::new() } else { format!("and {} more", voice::grouped(waiting as u64)) }
}

impl Crowd {
    /// Where the count of so many stands: in a field of this width and height, or below so high a column; none of nobody.
    pub fn place(&self, waiting: usize, (width, height): (f32, f32), one_column: bool, scale: f32) -> Option<Rect> {
        let height = if one_column { height + TALL + 2.0 * BELOW } else { height };
        #[expect(clippy::cast_precision_loss, reason = "a few words")]
        let wide = words(waiting).len() as f32 * LETTER * scale + 2.0 * AIR;
        let place = Rect { x: (width - wide) / 2.0, y: height - BELOW - TALL, width: wide, height: TALL };
        (waiting > 0).then_some(place)
    }

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
        self.more.say_if("", &words(waiting));
        self.more.set("", "aria-expanded", if open { "true" } else { "false" });
        let is_listed = open && waiting > 0;
        self.everyone.mark("", "data-open", if is_listed { "yes" } else { "" });
        unseated.truncate(if is_listed { LISTED_MAX } else { 0 });
        let keys: Vec<&str> = unseated.iter().map(|agent| agent.id.as_str()).collect();
        let mut rows = self.rows.borrow_mut();
        rows.keep(&keys, |_| "t-somebody", &|id, piece| piece.set("", "data-entity-id", id));
        for (piece, agent) in rows.pieces().zip(unseated) {
            piece.say("name", &agent.entity.label.to_string());
            piece.mark("", "data-dim", if agent.dim { "yes" } else { "" });
            piece.say("word", voice::status(agent.entity.status));
        }
    }
}
