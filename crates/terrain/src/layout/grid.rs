//! Rows in a fixed order: what stands when the forces did not settle. It cannot fail, only run out of room.
//!
//! Knows the order of importance and where the held are; nothing of homes and links.

use super::settle::{Ground, Piece};

/// Fills the field from its upper left corner, row by row, around those who are held. Says whether all have a place;
/// whoever has none keeps none.
pub(super) fn fill(ground: &mut Ground) -> bool {
    // Narrower gaps before fewer bodies.
    for gap in [ground.gap, ground.gap / 4.0] {
        if rows(ground, gap) {
            return true;
        }
    }
    false
}

fn rows(ground: &mut Ground, gap: f32) -> bool {
    let extent = ground.extent;
    let mut held: Vec<Piece> = Vec::new();
    for piece in &mut ground.pieces {
        piece.is_placed = piece.is_pinned;
        piece.unbind();
        if piece.is_pinned {
            held.push(*piece);
        }
    }
    let (mut left, mut above, mut row_height) = (0.0_f32, 0.0_f32, 0.0_f32);
    let mut is_all = true;
    for piece in &mut ground.pieces {
        if piece.is_pinned {
            continue;
        }
        while above + piece.size.height <= extent.height {
            if left + piece.size.width > extent.width {
                // A row that the held leave no room in has no height of its own.
                above += row_height.max(1.0) + gap;
                (left, row_height) = (0.0, 0.0);
                continue;
            }
            piece.put(left, above, extent);
            let in_the_way = held.iter().find(|other| {
                let (across, down) = other.depth(piece, 1.0, crate::Size { width: gap, height: gap });
                across > 0.0 && down > 0.0
            });
            if let Some(other) = in_the_way {
                left = other.left() + other.size.width + gap;
                continue;
            }
            piece.is_placed = true;
            left += piece.size.width + gap;
            row_height = row_height.max(piece.size.height);
            break;
        }
        is_all &= piece.is_placed;
    }
    is_all
}
