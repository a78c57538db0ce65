//! The lines at one height of the ground, by marching squares, joined from cell to cell. Knows no hills.

use super::{Contour, Map, POINTS_MAX};
use crate::Point;
use crate::lattice::{Lattice, whole};

/// How light a line is that is far from all who are awake, what is added for being near, and for being a fifth line.
const LIGHT: f32 = 60.0;
const LIGHT_AWAKE: f32 = 130.0;
const LIGHT_FIFTH: f32 = 60.0;

/// One height. An edge of a cell is named by its left or upper corner, and whether it
/// runs across or down; the sides of a cell are counted from its top clockwise, its corners from its upper left.
pub(super) struct Level<'a> {
    pub(super) map: &'a Map,
    pub(super) files: f32,
    pub(super) is_fifth: bool,
}

const ACROSS: u8 = 1;
const DOWN: u8 = 2;

impl Level<'_> {
    /// Appends every line, and says how many points they have.
    pub(super) fn trace(&self, contours: &mut Vec<Contour>) -> usize {
        let columns = self.map.corners.columns;
        let mut seen = vec![0_u8; self.map.corners.len()];
        let mut total = 0;
        for corner in 0..seen.len() {
            // Into the cell below or to the right of the edge, and into the one before it.
            let ways =
                [(ACROSS, Some(corner), corner.checked_sub(columns)), (DOWN, Some(corner), corner.checked_sub(1))];
            for (edge, after, before) in ways {
                let Some(start) = self.crossing(corner, edge) else { continue };
                if !mark(&mut seen, corner, edge) {
                    continue;
                }
                let mut points = vec![start];
                let mut near = 0.0;
                let side = if edge == ACROSS { 0 } else { 3 };
                let closed = self.walk(after, side, &mut seen, &mut points, &mut near);
                if !closed {
                    points.reverse();
                    self.walk(before, (side + 2) % 4, &mut seen, &mut points, &mut near);
                }
                total += points.len();
                if points.len() > 1 {
                    let near = near / points.len() as f32;
                    let fifth = if self.is_fifth { LIGHT_FIFTH } else { 0.0 };
                    let light = u8::try_from(whole(LIGHT + LIGHT_AWAKE * near + fifth)).unwrap_or(u8::MAX);
                    contours.push(Contour { level_files: self.files, points, closed, light });
                }
                if total > POINTS_MAX {
                    return total;
                }
            }
        }
        total
    }

    /// Follows a line into a cell through one of its sides, to the field's edge or round to its beginning: then it is
    /// closed.
    fn walk(&self, into: Option<usize>, side: usize, seen: &mut [u8], points: &mut Vec<Point>, near: &mut f32) -> bool {
        let Lattice { columns, rows, .. } = self.map.corners;
        let (mut next, mut side) = (into, side);
        while let Some(cell) = next {
            if cell % columns + 1 >= columns || cell / columns + 1 >= rows {
                return false;
            }
            let corners = [cell, cell + 1, cell + columns + 1, cell + columns].map(|corner| self.height(corner));
            let above = corners.map(|height| height >= self.files);
            let is_above = |corner: usize| above.get(corner % 4).copied().unwrap_or(false);
            // The line turns round one end of the side through which it came, or goes straight across. Where it could
            // turn round both ends the cell's middle decides.
            let (here, after) = (is_above(side), is_above(side + 1));
            let (opposite, last) = (is_above(side + 2), is_above(side + 3));
            let turns_here = if here == opposite && after == last {
                (corners.iter().sum::<f32>() >= self.files * 4.0) != here
            } else {
                last != here
            };
            side = if turns_here {
                side + 3
            } else if opposite != after {
                side + 1
            } else {
                side + 2
            } % 4;
            let (corner, edge) = match side {
                0 => (cell, ACROSS),
                1 => (cell + 1, DOWN),
                2 => (cell + columns, ACROSS),
                _ => (cell, DOWN),
            };
            if !mark(seen, corner, edge) {
                return true;
            }
            points.extend(self.crossing(corner, edge));
            *near += self.map.awake.get(corner).copied().unwrap_or(0.0);
            next = match side {
                0 => cell.checked_sub(columns),
                1 => Some(cell + 1),
                2 => Some(cell + columns),
                _ => (cell % columns).checked_sub(1).map(|_| cell - 1),
            };
            side = (side + 2) % 4;
        }
        false
    }

    fn height(&self, corner: usize) -> f32 {
        self.map.height.get(corner).copied().unwrap_or(0.0)
    }

    /// Where the line crosses an edge.
    fn crossing(&self, corner: usize, edge: u8) -> Option<Point> {
        let Lattice { columns, rows, .. } = self.map.corners;
        let other = if edge == ACROSS { corner + 1 } else { corner + columns };
        if (edge == ACROSS && other % columns == 0) || other >= columns * rows {
            return None;
        }
        let (low, high) = (self.height(corner), self.height(other));
        if (low >= self.files) == (high >= self.files) {
            return None;
        }
        let share = (self.files - low) / (high - low);
        let (from, to) = (self.map.corner(corner), self.map.corner(other));
        Some(Point { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share })
    }
}

/// Notes that a line crosses an edge; false where that was known.
fn mark(seen: &mut [u8], corner: usize, edge: u8) -> bool {
    let Some(edges) = seen.get_mut(corner) else { return false };
    let is_new = *edges & edge == 0;
    *edges |= edge;
    is_new
}
