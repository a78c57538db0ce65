//! The way round: where every curve would run through a card, the cheapest path over cells of sixteen pixels. Knows
//! cells, not curves.

use std::collections::BinaryHeap;

use super::board::{Board, CARD, FREE};
use super::curve::plus;
use super::ports::Port;
use crate::lattice::{Lattice, whole};
use crate::{Point, Rect};

/// How many cells of the board are one here, each way.
const FOLD: usize = 2;
/// How far from its port a path begins, in pixels: beyond the cells that the card itself closes.
const STUB: f32 = 16.0;
/// How many cells may be settled for all routes of one drawing together; past it a curve stays as it is.
const SETTLED_MAX: u32 = 120_000;

/// The cost of a step to the next cell, free, and of what makes it dearer, in tenths of a cell.
const STEP: u32 = 10;
const STEP_DIAGONAL: u32 = 14;
const OVER_ROUTE: u32 = 25;

/// A search that keeps its memory from route to route.
pub(super) struct Finder {
    lattice: Lattice,
    /// The worst that lies in each cell.
    ground: Vec<u8>,
    /// The cheapest way found to each cell.
    cost: Vec<u32>,
    /// From which cell, itself for a beginning.
    came: Vec<usize>,
    /// The rim of the search, cheapest first: cost from above, then cell.
    rim: BinaryHeap<u64>,
    left: u32,
}

/// A path found.
pub(super) struct Path {
    /// Which of the ports it leaves, and which it reaches.
    pub(super) from: usize,
    pub(super) to: usize,
    /// The middles of its cells, from first to last.
    pub(super) stops: Vec<Point>,
}

impl Finder {
    pub(super) fn over(board: &Board) -> Self {
        let fine = board.lattice;
        let lattice = Lattice {
            origin: fine.origin,
            cell: fine.cell * FOLD as f32,
            columns: fine.columns.div_ceil(FOLD),
            rows: fine.rows.div_ceil(FOLD),
        };
        let mut ground = vec![FREE; lattice.len()];
        for (index, value) in board.ground.iter().enumerate() {
            let (column, row) = (index % fine.columns / FOLD, index / fine.columns / FOLD);
            if let Some(cell) = ground.get_mut(row * lattice.columns + column) {
                *cell = (*cell).max(*value);
            }
        }
        Self { lattice, ground, cost: Vec::new(), came: Vec::new(), rim: BinaryHeap::new(), left: SETTLED_MAX }
    }

    /// The cheapest path from one of `from` to one of `to`, which lie about the card `target`. None where no port has a
    /// cell, or the search has cost too much.
    pub(super) fn find(&mut self, board: &Board, from: &[Port], to: &[Port], target: &Rect) -> Option<Path> {
        self.cost.clear();
        self.cost.resize(self.lattice.len(), u32::MAX);
        self.came.clear();
        self.came.resize(self.lattice.len(), 0);
        self.rim.clear();
        let target = target.grown(STUB + self.lattice.cell);
        for port in from {
            if let Some(cell) = self.lattice.index(plus(port.at, port.out, STUB)) {
                self.reach(cell, cell, 0, &target);
            }
        }
        while let Some(next) = self.rim.pop() {
            self.left = self.left.checked_sub(1)?;
            let cell = low(next);
            if self.ahead(cell, &target) == 0
                && let Some(port) = at_cell(&self.lattice, to, cell)
            {
                return self.retrace(from, port, cell);
            }
            let cost = self.cost.get(cell).copied()?;
            // A cheaper way was found after this one was noted.
            if u32::MAX - high(next) > cost.saturating_add(self.ahead(cell, &target)) {
                continue;
            }
            self.settle(board, cell, cost, &target);
        }
        None
    }

    /// Looks at the eight cells about one.
    fn settle(&mut self, board: &Board, cell: usize, cost: u32, target: &Rect) {
        let columns = self.lattice.columns;
        let (column, row) = (cell % columns, cell / columns);
        for turn in 0..9 {
            let (x, y) = (column + turn % 3, row + turn / 3);
            if x == 0 || y == 0 || x > columns || y > self.lattice.rows || turn == 4 {
                continue;
            }
            let next = (y - 1) * columns + x - 1;
            let diagonal = turn % 2 == 0;
            // No short cut over a card's corner.
            let corner = diagonal && (self.is_card(row * columns + x - 1) || self.is_card((y - 1) * columns + column));
            let ground = if corner { CARD } else { self.ground.get(next).copied().unwrap_or(CARD) };
            let mut weight = match ground {
                FREE => 10,
                1 => 14,
                2 => 35,
                _ => 600,
            };
            if board.laid_at(self.lattice.middle(next)) {
                weight += OVER_ROUTE;
            }
            let step = if diagonal { STEP_DIAGONAL } else { STEP };
            self.reach(next, cell, cost.saturating_add(step * weight / 10), target);
        }
    }

    fn is_card(&self, cell: usize) -> bool {
        self.ground.get(cell).is_none_or(|ground| *ground >= CARD)
    }

    /// Notes a way to a cell, if none so cheap is known.
    fn reach(&mut self, cell: usize, came: usize, cost: u32, target: &Rect) {
        let ahead = self.ahead(cell, target);
        if let (Some(known), Some(from)) = (self.cost.get_mut(cell), self.came.get_mut(cell))
            && cost < *known
        {
            *known = cost;
            *from = came;
            self.rim.push(u64::from(u32::MAX - cost.saturating_add(ahead)) << 32 | cell as u64);
        }
    }

    /// The least that is still to pay from a cell.
    fn ahead(&self, cell: usize, target: &Rect) -> u32 {
        let at = self.lattice.middle(cell);
        let x = (target.x - at.x).max(at.x - target.right()).max(0.0) / self.lattice.cell;
        let y = (target.y - at.y).max(at.y - target.bottom()).max(0.0) / self.lattice.cell;
        u32::try_from(whole(10.0 * x.max(y) + 4.0 * x.min(y))).unwrap_or(u32::MAX)
    }

    fn retrace(&self, from: &[Port], to: usize, end: usize) -> Option<Path> {
        let mut stops = Vec::new();
        let mut cell = end;
        // A path visits no cell twice.
        for _ in 0..self.lattice.len() {
            stops.push(self.lattice.middle(cell));
            let came = *self.came.get(cell)?;
            if came == cell {
                break;
            }
            cell = came;
        }
        stops.reverse();
        Some(Path { from: at_cell(&self.lattice, from, cell)?, to, stops })
    }
}

/// Which port's path begins in a cell.
fn at_cell(lattice: &Lattice, ports: &[Port], cell: usize) -> Option<usize> {
    ports.iter().position(|port| lattice.index(plus(port.at, port.out, STUB)) == Some(cell))
}

fn high(key: u64) -> u32 {
    (key >> 32) as u32
}

fn low(key: u64) -> usize {
    usize::from((key & 0xffff) as u16)
}
