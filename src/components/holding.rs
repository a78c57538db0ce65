//! Whose cards are held: they do not move under the pointer, or do not leave the page out of view.

use super::agent_card::Filled;
use crate::{
    dom::Rows,
    signals::{Gaze, Kept},
    terrarium::{
        seats::{Seat, seat_of},
        view::{Span, touches},
    },
};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::EntityId;

/// Those who stay where they are: who is looked at closely, pinned, pointed at or focused. In the one column, where a finger
/// leaves its place pointed at and focused, who is pressed, or focused by a key; when that is `resized`, whoever has the
/// focus. `rows` are filled as `cards`.
pub fn held(
    rows: &Rows,
    cards: &[Filled],
    (gaze, kept): (&Gaze, &Kept),
    (one_column, resized): (bool, bool),
) -> Vec<EntityId> {
    let selector = match (one_column, resized) {
        (false, _) => ":hover,:focus-within",
        (true, false) => ":active",
        (true, true) => ":focus-within",
    };
    let mut held = Vec::new();
    for (piece, card) in rows.pieces().zip(cards) {
        if gaze.entity.as_ref() == Some(&card.agent.id)
            || (!one_column && !resized && kept.has(Class::Pin, card.agent.id.as_str()))
            || piece.root().matches(selector).unwrap_or(false)
            || (one_column && piece.root().query_selector(":focus-visible").is_ok_and(|focused| focused.is_some()))
        {
            held.push(card.agent.id.clone());
        }
    }
    held
}

/// The parts of the column that are in the page: what is about the view, and where those stand in it who would lose a
/// press, the focus or a look if they went. `rows` are filled as `cards`.
pub fn spans(rows: &Rows, cards: &[Filled], gaze: &Gaze, seats: &[(EntityId, Seat)], view: Span) -> Vec<Span> {
    let mut spans = vec![view];
    for (piece, card) in rows.pieces().zip(cards) {
        let Some(seat) = seat_of(seats, &card.agent.id).filter(|seat| !touches(seat, view)) else { continue };
        let is_looked_at = gaze.entity.as_ref() == Some(&card.agent.id);
        if is_looked_at || piece.root().matches(":active,:focus-within").unwrap_or(false) {
            spans.push((seat.rect.y, seat.rect.bottom()));
        }
    }
    spans
}
