//! The way round: where every curve would run through a card, the cheapest path over cells of sixteen pixels. Knows
//! cells, not curves.

use std::collections::BinaryHeap;

use super::board::{Board, CARD, FREE};
use super::curve::plus;
use super::ports::{GAP, Port};
use crate::lattice::{Lattice, whole};
use crate::{Point, Rect};

/// How many cells of the board are one here, each way.
const FOLD: usize = 2;
/// How far from its port a path begins, in cells: beyond the cells that the card itself closes.
const STUB: f32 = 1.0;
/// How many cells may be settled for all routes of one drawing together; past it a curve stays as it is.
const SETTLED_MAX: u32 = 30_000;

/// The cost of a step to the next cell: straight and diagonal, free, and by what lies there the factor, in fifths.
const STEP: u32 = 2;
const STEP_DIAGONAL: u32 = 3;
const FACTORS: [u32; 3] = [5, 11, 40];
/// What is added to the factor where another route runs.
const OVER_ROUTE: u32 = 10;
/// What the search takes a cell still to go for: half more than its least cost, for then it goes straighter at its
/// target and settles a third of the cells, for a path that is seldom longer.
const AHEAD: u32 = 15;
const AHEAD_DIAGONAL: u32 = 7;

/// A search that keeps its memory from route to route. Its cells have a rim of closed ones about them, so that every
/// open cell has eight neighbours.
pub(super) struct Finder {
    lattice: Lattice,
    /// The worst that lies in each cell.
    ground: Vec<u8>,
    /// The cheapest way found to each cell.
    cost: Vec<u32>,
    /// From which cell, itself for a beginning.
    came: Vec<usize>,
    /// Where the search stands, cheapest first: cost from above, then cell.
    rim: BinaryHeap<u64>,
    /// The columns and rows between which the search ends.
    target: [usize; 4],
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
        let cell = fine.cell * FOLD as f32;
        let origin = Point { x: fine.origin.x - cell, y: fine.origin.y - cell };
        let lattice = Lattice::new(origin, cell, fine.columns.div_ceil(FOLD) + 2, fine.rows.div_ceil(FOLD) + 2);
        let mut ground = vec![CARD; lattice.len()];
        for row in 1..lattice.rows - 1 {
            let start = row * lattice.columns;
            ground.get_mut(start + 1..start + lattice.columns - 1).unwrap_or_default().fill(FREE);
        }
        for (index, value) in board.ground.iter().enumerate() {
            let (column, row) = (index % fine.columns / FOLD + 1, index / fine.columns / FOLD + 1);
            if let Some(cell) = ground.get_mut(row * lattice.columns + column) {
                *cell = (*cell).max(*value);
            }
        }
        Self {
            lattice,
            ground,
            cost: Vec::new(),
            came: Vec::new(),
            rim: BinaryHeap::new(),
            target: [0; 4],
            left: SETTLED_MAX,
        }
    }

    /// The cheapest path from one of `from` to one of `to`, which lie about the card `target`. None where there is none
    /// between the cards, or the search has cost too much.
    pub(super) fn find(&mut self, board: &Board, from: &[Port], to: &[Port], target: &Rect) -> Option<Path> {
        self.cost.clear();
        self.cost.resize(self.lattice.len(), u32::MAX);
        self.came.clear();
        self.came.resize(self.lattice.len(), 0);
        self.rim.clear();
        let Lattice { origin, cell, columns, .. } = self.lattice;
        let reach = target.grown(STUB * cell + GAP);
        self.target = [reach.x - origin.x, reach.right() - origin.x, reach.y - origin.y, reach.bottom() - origin.y]
            .map(|side| whole(side / cell));
        for port in from {
            if let Some(cell) = self.cell_of(port) {
                self.reach(cell, cell, 0);
            }
        }
        while let Some(next) = self.rim.pop() {
            let cell = low(next);
            let cost = self.cost.get(cell).copied()?;
            let ahead = self.ahead(cell);
            // A cheaper way was found after this one was noted.
            if u32::MAX - high(next) > cost + ahead {
                continue;
            }
            self.left = self.left.checked_sub(1)?;
            if ahead == 0
                && let Some(port) = self.at_cell(to, cell)
            {
                return self.retrace(from, port, cell);
            }
            for across in [cell - 1, cell + 1] {
                self.step(board, across, cell, cost, STEP);
            }
            for down in [cell - columns, cell + columns] {
                self.step(board, down, cell, cost, STEP);
                for across in [cell - 1, cell + 1] {
                    // No short cut over a card's corner.
                    if !self.is_card(across) && !self.is_card(down) {
                        self.step(board, down + across - cell, cell, cost, STEP_DIAGONAL);
                    }
                }
            }
        }
        None
    }

    fn is_card(&self, cell: usize) -> bool {
        self.ground.get(cell).is_none_or(|ground| *ground >= CARD)
    }

    fn step(&mut self, board: &Board, next: usize, cell: usize, cost: u32, step: u32) {
        let ground = self.ground.get(next).copied().unwrap_or(CARD);
        let Some(mut factor) = FACTORS.get(usize::from(ground)).copied() else { return };
        // The board's cell at the lower right of the four that this one holds.
        let (column, row) = (next % self.lattice.columns, next / self.lattice.columns);
        if board.laid_at(column * FOLD - 1, row * FOLD - 1) {
            factor += OVER_ROUTE;
        }
        self.reach(next, cell, cost + step * factor);
    }

    /// Notes a way to a cell, if it is open and none so cheap is known.
    fn reach(&mut self, cell: usize, came: usize, cost: u32) {
        if self.is_card(cell) {
            return;
        }
        let ahead = self.ahead(cell);
        if let (Some(known), Some(from)) = (self.cost.get_mut(cell), self.came.get_mut(cell))
            && cost < *known
        {
            *known = cost;
            *from = came;
            self.rim.push(u64::from(u32::MAX - cost - ahead) << 32 | cell as u64);
        }
    }

    /// About what is still to pay from a cell.
    fn ahead(&self, cell: usize) -> u32 {
        let (column, row) = (cell % self.lattice.columns, cell / self.lattice.columns);
        let [left, right, top, bottom] = self.target;
        let x = left.saturating_sub(column).max(column.saturating_sub(right));
        let y = top.saturating_sub(row).max(row.saturating_sub(bottom));
        let (long, short) = (x.max(y) as u64, x.min(y) as u64);
        low32(long * u64::from(AHEAD) + short * u64::from(AHEAD_DIAGONAL))
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
        Some(Path { from: self.at_cell(from, cell)?, to, stops })
    }

    /// The cell in which a port's path begins.
    fn cell_of(&self, port: &Port) -> Option<usize> {
        self.lattice.index(plus(port.at, port.out, STUB * self.lattice.cell))
    }

    /// Which port's path begins in a cell.
    fn at_cell(&self, ports: &[Port], cell: usize) -> Option<usize> {
        ports.iter().position(|port| self.cell_of(port) == Some(cell))
    }
}

fn high(key: u64) -> u32 {
    (key >> 32) as u32
}

fn low32(key: u64) -> u32 {
    (key & 0xffff_ffff) as u32
}

fn low(key: u64) -> usize {
    usize::from((key & 0xffff) as u16)
}
