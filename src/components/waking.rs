//! After silence everybody lights up in the order in which they sit from the first who stirs.

use super::agent_card::Filled;
use crate::{
    clock::Timer,
    dom::{Piece, Rows, leaked},
    terrarium::seats::whole,
};
use monkeytown_terrain::Rect;
use std::cell::RefCell;

/// How long it takes until all have seen that one has stirred, in milliseconds.
const WAKING_MILLIS: u32 = 3_000;

/// What spreads it.
pub struct Waking {
    page: Piece,
    ends: RefCell<Option<Timer>>,
}

impl Waking {
    /// The page's own.
    pub fn of_page() -> &'static Self {
        leaked(Self { page: Piece::section("page"), ends: RefCell::default() })
    }

    /// Lets `rows`, which are filled as `cards`, light up from `first` on.
    pub fn spread(&'static self, rows: &Rows, cards: &[Filled], first: Rect) {
        for (piece, card) in rows.pieces().zip(cards) {
            // A millisecond for every pixel.
            let way = (card.seat.rect.x - first.x).abs() + (card.seat.rect.y - first.y).abs();
            piece.style("", "--wake", &format!("{}ms", whole(way)));
        }
        self.page.mark("", "data-waking", "yes");
        let waking = self;
        *self.ends.borrow_mut() = Timer::after(WAKING_MILLIS, move || waking.page.mark("", "data-waking", ""));
    }
}
