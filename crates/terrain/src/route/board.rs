//! What lies where: cards, labels and the routes already laid, on a grid of eight pixels, and what a line over it
//! costs. Knows neither wires nor ports.

use super::curve::{distance, dot, plus};
use crate::lattice::{Lattice, whole};
use crate::{Point, Rect};

/// One side of a cell, in pixels: finer than the gap between a card and an arrowhead is wide.
const CELL: f32 = 8.0;
/// The most cells; a field too large for it has larger ones.
const CELLS_MAX: f32 = 32_000.0;

/// What lies in a cell, in rising order of how unwelcome a route is.
pub(super) const FREE: u8 = 0;
const NEAR: u8 = 1;
const LABEL: u8 = 2;
pub(super) const CARD: u8 = 3;

/// How far from a card's edge a route is held to be in it, in cells: half of one, so that no part of the card escapes,
/// and a quarter for the corners that a route cuts between two steps.
const CARD_MARGIN: f32 = 0.75;
/// How far from a card's edge it is still close, in cells.
const NEAR_MARGIN: f32 = 2.25;
/// Near its own ends a route is close to its own cards, and that is no fault: the first cells count as free.
const ENDS: f32 = 1.75;

/// The cost of a pixel through a card, through a label, close by a card, and along or across another route; a free
/// pixel costs one. A crossing takes about sixteen pixels.
const THROUGH_CARD: f32 = 20.0;
const THROUGH_LABEL: f32 = 16.0;
const CLOSE_BY: f32 = 1.2;
const OVER_ROUTE: f32 = 2.5;

/// How much a pixel through words counts as one through a card.
const WORDS: f32 = 0.25;

/// What it costs to run into a card at all, however little: more than any way round.
const INTO_CARD: f32 = 5_000.0;

/// What a line costs.
#[derive(Clone, Copy)]
pub(super) struct Price {
    /// In pixels of free way.
    pub(super) cost: f32,
    /// How many pixels of it run through cards or outside the field; those through words count as a few.
    pub(super) struck: f32,
}

impl Price {
    /// Whether it runs through a card, or outside the field.
    pub(super) fn is_through_card(&self) -> bool {
        self.cost >= INTO_CARD
    }
}

/// The field as the router sees it.
pub(super) struct Board {
    pub(super) lattice: Lattice,
    pub(super) ground: Vec<u8>,
    laid: Vec<u8>,
}

impl Board {
    /// An empty field; none for a field that is none.
    pub(super) fn over(field: Rect) -> Option<Self> {
        let lattice = Lattice::over(field, CELL, CELLS_MAX)?;
        Some(Self { lattice, ground: vec![FREE; lattice.len()], laid: vec![0; lattice.len()] })
    }

    /// Puts a card down.
    pub(super) fn card(&mut self, card: &Rect) {
        self.fill(&card.grown(NEAR_MARGIN * self.lattice.cell), NEAR);
        self.fill(&card.grown(CARD_MARGIN * self.lattice.cell), CARD);
    }

    /// Puts a label down.
    pub(super) fn label(&mut self, label: &Rect) {
        self.fill(label, LABEL);
    }

    /// Every cell whose middle lies in `rect` becomes at least as unwelcome as `value`.
    fn fill(&mut self, rect: &Rect, value: u8) {
        let Lattice { origin, cell, columns, rows, .. } = self.lattice;
        let first = |at: f32| whole(((at / cell) - 0.5).ceil());
        let (left, right) = (first(rect.x - origin.x), first(rect.right() - origin.x).min(columns));
        let (top, bottom) = (first(rect.y - origin.y), first(rect.bottom() - origin.y).min(rows));
        for row in top..bottom {
            for cell in self.ground.get_mut(row * columns + left..row * columns + right).into_iter().flatten() {
                *cell = (*cell).max(value);
            }
        }
    }

    /// Forgets the routes laid.
    pub(super) fn clear(&mut self) {
        self.laid.fill(0);
    }

    /// Whether a route runs by here.
    pub(super) fn laid_at(&self, column: usize, row: usize) -> bool {
        self.laid.get(row * self.lattice.columns + column).is_some_and(|laid| *laid > 0)
    }

    /// Lays a route of `width` pixels: two cells wide at least, so that no crossing slips between two cells.
    pub(super) fn lay(&mut self, line: &[Point], width: f32) {
        let reach = (width / 2.0).max(self.lattice.cell / 2.0);
        each_step(line, self.lattice.cell, |at, _| {
            for (x, y) in [(-reach, -reach), (reach, -reach), (-reach, reach), (reach, reach), (0.0, 0.0)] {
                let cell = self.lattice.index(Point { x: at.x + x, y: at.y + y });
                if let Some(laid) = cell.and_then(|cell| self.laid.get_mut(cell)) {
                    *laid = 1;
                }
            }
        });
    }

    /// What a line costs. Reckoned no further than to `limit`: a line that costs as much is not wanted.
    pub(super) fn price(&self, line: &[Point], limit: f32) -> Price {
        let mut price = Price { cost: 0.0, struck: 0.0 };
        let (Some(first), Some(last)) = (line.first(), line.last()) else { return price };
        let ends = ENDS * self.lattice.cell;
        each_step(line, self.lattice.cell, |at, length| {
            if price.cost >= limit {
                return;
            }
            let cell = self.lattice.index(at);
            let mut ground = cell.and_then(|cell| self.ground.get(cell)).copied().unwrap_or(CARD);
            if (ground == NEAR || ground == CARD) && (is_near(at, *first, ends) || is_near(at, *last, ends)) {
                ground = FREE;
            }
            let mut factor = match ground {
                FREE => 1.0,
                NEAR => 1.0 + CLOSE_BY,
                LABEL => {
                    price.struck += length * WORDS;
                    1.0 + THROUGH_LABEL
                }
                _ => {
                    if price.struck <= 0.0 {
                        price.cost += INTO_CARD;
                    }
                    price.struck += length;
                    THROUGH_CARD
                }
            };
            if cell.and_then(|cell| self.laid.get(cell)).is_some_and(|laid| *laid > 0) {
                factor += OVER_ROUTE;
            }
            price.cost += length * factor;
        });
        price
    }
}

fn is_near(at: Point, end: Point, reach: f32) -> bool {
    let way = plus(at, end, -1.0);
    dot(way, way) < reach * reach
}

/// Walks a line in steps of at most `step` pixels: the place at each step's end, and the step's length.
fn each_step(line: &[Point], step: f32, mut visit: impl FnMut(Point, f32)) {
    for (from, to) in line.iter().zip(line.iter().skip(1)) {
        let length = distance(*from, *to);
        let steps = (length / step).ceil().max(1.0);
        let (share, length) = (1.0 / steps, length / steps);
        let way = plus(*to, *from, -1.0);
        let mut done = 1.0;
        while done <= steps {
            visit(plus(*from, way, done * share), length);
            done += 1.0;
        }
    }
}
