//! A regular grid of square cells over the field, and the arithmetic between places and cells. Owns no values: whoever
//! keeps some lays them out by [`Lattice::index`].

use crate::{Point, Rect};

/// The farthest a coordinate or a side may reach, in pixels. Beyond it a float no longer tells neighbouring pixels
/// apart, and no screen is so large: such input counts as none.
const REACH: f32 = 1.0e6;

/// The most cells along one side.
const SIDE_MAX: f32 = 400.0;

/// A grid of cells, row by row from the upper left.
#[derive(Clone, Copy)]
pub(crate) struct Lattice {
    /// The upper left corner, in pixels.
    pub(crate) origin: Point,
    /// One side of a cell, in pixels.
    pub(crate) cell: f32,
    /// Cells to a pixel.
    per_pixel: f32,
    /// Cells across.
    pub(crate) columns: usize,
    /// Cells down.
    pub(crate) rows: usize,
}

impl Lattice {
    /// Covers `field` with cells of `cell` pixels, larger ones where there would be more than `cells_max`. None for a
    /// field that is none.
    pub(crate) fn over(field: Rect, cell: f32, cells_max: f32) -> Option<Self> {
        if !sound(&field) {
            return None;
        }
        let area = field.width * field.height;
        let cell = cell.max((area / cells_max).sqrt()).max(field.width.max(field.height) / SIDE_MAX);
        let cells = |side: f32| whole((side / cell).ceil()).max(1);
        Some(Self::new(Point { x: field.x, y: field.y }, cell, cells(field.width), cells(field.height)))
    }

    /// `columns` by `rows` cells of `cell` pixels from `origin`.
    pub(crate) fn new(origin: Point, cell: f32, columns: usize, rows: usize) -> Self {
        Self { origin, cell, per_pixel: 1.0 / cell, columns, rows }
    }

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        self.columns * self.rows
    }

    /// The cell in which a point lies; none outside.
    pub(crate) fn index(&self, point: Point) -> Option<usize> {
        let (x, y) = ((point.x - self.origin.x) * self.per_pixel, (point.y - self.origin.y) * self.per_pixel);
        // Written so that what is no number lies outside.
        if !(x >= 0.0 && y >= 0.0) {
            return None;
        }
        let (column, row) = (whole(x), whole(y));
        (column < self.columns && row < self.rows).then_some(row * self.columns + column)
    }

    /// The middle of a cell.
    pub(crate) fn middle(&self, index: usize) -> Point {
        Point {
            x: self.origin.x + ((index % self.columns) as f32 + 0.5) * self.cell,
            y: self.origin.y + ((index / self.columns) as f32 + 0.5) * self.cell,
        }
    }
}

/// Whether a box is one that could be on a screen: numbers, within reach, at least a pixel wide and high.
pub(crate) fn sound(rect: &Rect) -> bool {
    rect.x.abs() <= REACH
        && rect.y.abs() <= REACH
        && (1.0..=REACH).contains(&rect.width)
        && (1.0..=REACH).contains(&rect.height)
}

/// The whole part; nothing for what is below nothing or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and NaN is nothing")]
pub(crate) fn whole(value: f32) -> usize {
    value as usize
}
