//! Seats for agents: a pure function of the viewport and the roster.
//!
//! A grid in the order of ids, each seat moved a little by a hash of its agent's id: the same civilization
//! gives the same picture, an agent that wakes or rests keeps its seat, and nothing overlaps because no seat
//! moves further than its own gap. When there are more agents than seats, those at rest gather in rows at the
//! bottom, and what even these cannot hold is counted. Narrow screens get one column.

use monkeytown_protocol::EntityId;

/// Width of a card, mask excluded, in CSS pixels (`look.md`, "Card").
pub const CARD_WIDTH: f64 = 244.0;
/// How far a card's mask overhangs on its left, in CSS pixels.
pub const OVERHANG: f64 = 26.0;
/// Below this width of the terrarium the agents stand in one column, in CSS pixels.
const ONE_COLUMN_BELOW: f64 = 560.0;
const MARGIN: f64 = 24.0;
const GAP: f64 = 28.0;
/// The path above a card.
const PATH_HEIGHT: f64 = 20.0;
/// A seat without beads: the path, the tallest card, and a breath.
const SEAT_HEIGHT: f64 = 132.0;
const BEAD_HEIGHT: f64 = 20.0;
const REST_WIDTH: f64 = 196.0;
const REST_HEIGHT: f64 = 52.0;
const ROW_AWAKE: f64 = 74.0;
const ROW_AT_REST: f64 = 44.0;

/// The room there is, in CSS pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewport {
    /// Across.
    pub width: f64,
    /// Down.
    pub height: f64,
}

/// Who wants a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sitter {
    /// Whose seat it is.
    pub id: EntityId,
    /// How it sits.
    pub posture: Posture,
}

/// How somebody sits, and so how much room the card takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posture {
    /// At rest: a mask and a name, no card.
    Rest,
    /// A card of three lines.
    Card,
    /// A card with a ruler of its progress.
    Measured,
    /// A card that says what broke.
    Broken,
}

impl Posture {
    /// Whether it has a card.
    #[must_use]
    pub fn is_awake(self) -> bool {
        self != Self::Rest
    }

    /// Height of the card, in CSS pixels; the style sheet says the same (`--card-height-…`).
    #[must_use]
    pub fn height(self) -> f64 {
        match self {
            Self::Rest => 44.0,
            Self::Card => 84.0,
            Self::Measured => 106.0,
            Self::Broken => 104.0,
        }
    }
}

/// How a seat is furnished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// A card with its mask, path and beads.
    Card,
    /// A mask and a name.
    Rest,
    /// A row of the one column, across the whole width.
    Row,
}

/// Where somebody sits: the box of the card, or of mask and name; mask, path and beads lie around a card.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
    /// Across.
    pub width: f64,
    /// Down, at least.
    pub height: f64,
    /// How it is furnished.
    pub seat: Seat,
}

/// Everybody's seat.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arrangement {
    /// Seats in the order of the roster; `None` for those there was no room for.
    pub seats: Vec<Option<Placement>>,
    /// How many agents have no seat.
    pub hidden: usize,
    /// How many beads fit below a card.
    pub beads: usize,
    /// Height that the whole takes: over the viewport's only in one column, which scrolls.
    pub height: f64,
    /// Whether it is the one column of a narrow screen.
    pub one_column: bool,
}

/// Finds a seat for everybody in `roster`, which is in the order of ids.
#[must_use]
pub fn arrange(viewport: Viewport, roster: &[Sitter]) -> Arrangement {
    if viewport.width < ONE_COLUMN_BELOW {
        return column(viewport, roster);
    }
    let columns = whole((viewport.width - MARGIN) / (CARD_WIDTH + OVERHANG + GAP)).max(1);
    let rows = whole((viewport.height - MARGIN) / SEAT_HEIGHT).max(1);
    if roster.len() <= columns * rows {
        let sitters: Vec<(usize, &Sitter)> = roster.iter().enumerate().collect();
        return grid(viewport, &sitters, columns, roster.len());
    }
    crowd(viewport, roster, columns)
}

/// Everybody has a seat of the grid.
fn grid(viewport: Viewport, sitters: &[(usize, &Sitter)], columns: usize, roster_len: usize) -> Arrangement {
    let mut seats = vec![None; roster_len];
    let rows = sitters.len().div_ceil(columns.max(1)).max(1);
    // Rows of almost the same length: no row is left with one alone, and rows do not stand in file.
    let (in_row, longer_rows) = (sitters.len() / rows, sitters.len() % rows);
    let pitch_y = ((viewport.height - MARGIN) / real(rows)).max(1.0);
    let beads = whole((pitch_y - SEAT_HEIGHT) / BEAD_HEIGHT).min(2);
    let free_y = (pitch_y - SEAT_HEIGHT - real(beads) * BEAD_HEIGHT).max(0.0);
    for (order, (index, sitter)) in sitters.iter().enumerate() {
        let (row, column, row_length) = seat_of(order, in_row, longer_rows);
        let pitch_x = (viewport.width - 2.0 * MARGIN) / real(row_length);
        let free_x = (pitch_x - CARD_WIDTH - OVERHANG - GAP / 2.0).max(0.0);
        let (drift_x, drift_y) = drift(sitter.id.as_str());
        // Every other row leans the other way, so that lines between rows do not run through cards.
        let lean = if row.is_multiple_of(2) { 0.1 } else { 0.6 };
        let x = MARGIN + real(column) * pitch_x + OVERHANG + free_x * (lean + 0.3 * drift_x);
        let y = PATH_HEIGHT + real(row) * pitch_y + free_y * (0.2 + 0.6 * drift_y);
        let seat = if sitter.posture.is_awake() { Seat::Card } else { Seat::Rest };
        let width = if sitter.posture.is_awake() { CARD_WIDTH } else { REST_WIDTH };
        if let Some(place) = seats.get_mut(*index) {
            *place = Some(Placement { x, y, width, height: sitter.posture.height(), seat });
        }
    }
    Arrangement { seats, hidden: 0, beads, height: viewport.height, one_column: false }
}

/// Row, place in it, and the row's length, of the one who is `order`-th: the first `longer_rows` rows hold one
/// more than `in_row`.
fn seat_of(order: usize, in_row: usize, longer_rows: usize) -> (usize, usize, usize) {
    let in_longer = longer_rows * (in_row + 1);
    if order < in_longer {
        (order / (in_row + 1), order % (in_row + 1), in_row + 1)
    } else {
        let rest = order - in_longer;
        let length = in_row.max(1);
        (longer_rows + rest / length, rest % length, length)
    }
}

/// More agents than seats: those awake first, those at rest below, the remainder counted.
fn crowd(viewport: Viewport, roster: &[Sitter], columns: usize) -> Arrangement {
    let awake: Vec<(usize, &Sitter)> =
        roster.iter().enumerate().filter(|(_, sitter)| sitter.posture.is_awake()).collect();
    let resting: Vec<usize> =
        (0..roster.len()).filter(|index| roster.get(*index).is_some_and(|s| !s.posture.is_awake())).collect();
    let rest_columns = whole((viewport.width - 2.0 * MARGIN) / REST_WIDTH).max(1);
    let seat_rows_needed = awake.len().div_ceil(columns);
    let rest_rows_wanted = resting.len().div_ceil(rest_columns);
    // Who works is seen before who rests, but one row of those at rest stays, so that they are not forgotten.
    let reserved = if resting.is_empty() { 0.0 } else { REST_HEIGHT };
    let seat_rows_max = whole((viewport.height - MARGIN - reserved) / SEAT_HEIGHT).max(1);
    let seat_rows = seat_rows_needed.min(seat_rows_max);
    let above = real(seat_rows) * SEAT_HEIGHT;
    let rest_rows = whole(((viewport.height - MARGIN - above) / REST_HEIGHT).max(0.0)).min(rest_rows_wanted);
    let seated = awake.get(..awake.len().min(seat_rows * columns)).unwrap_or_default();
    let upper = Viewport { width: viewport.width, height: viewport.height - real(rest_rows) * REST_HEIGHT };
    let mut arrangement = grid(upper, seated, columns, roster.len());
    let top = viewport.height - real(rest_rows) * REST_HEIGHT;
    for (order, index) in resting.iter().take(rest_rows * rest_columns).enumerate() {
        let (column, row) = (order % rest_columns, order / rest_columns);
        if let Some(place) = arrangement.seats.get_mut(*index) {
            *place = Some(Placement {
                x: MARGIN + real(column) * REST_WIDTH,
                y: top + real(row) * REST_HEIGHT,
                width: REST_WIDTH - 8.0,
                height: REST_HEIGHT - 4.0,
                seat: Seat::Rest,
            });
        }
    }
    arrangement.hidden = arrangement.seats.iter().filter(|seat| seat.is_none()).count();
    arrangement.height = viewport.height;
    arrangement
}

/// One column: those awake first, then those at rest, each group in the order of ids.
fn column(viewport: Viewport, roster: &[Sitter]) -> Arrangement {
    let mut seats = vec![None; roster.len()];
    let mut y = 8.0;
    for awake in [true, false] {
        for (index, _) in roster.iter().enumerate().filter(|(_, sitter)| sitter.posture.is_awake() == awake) {
            let height = if awake { ROW_AWAKE } else { ROW_AT_REST };
            if let Some(place) = seats.get_mut(index) {
                *place = Some(Placement { x: 0.0, y, width: viewport.width, height, seat: Seat::Row });
            }
            y += height;
        }
    }
    Arrangement { seats, hidden: 0, beads: 0, height: y + 8.0, one_column: true }
}

/// Two shares of 0..1 that belong to `id` alone (FNV-1a, then a mix so that similar ids part).
fn drift(id: &str) -> (f64, f64) {
    let hash = hash(id);
    (f64::from(hash & 0xffff) / 65_535.0, f64::from(hash >> 16) / 65_535.0)
}

/// A hash of an id that is the same everywhere and always (FNV-1a with a final mix).
#[must_use]
pub fn hash(id: &str) -> u32 {
    let mut hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash ^= hash >> 15;
    hash = hash.wrapping_mul(0x2c1b_3c6d);
    hash ^= hash >> 12;
    hash = hash.wrapping_mul(0x297a_2d39);
    hash ^ (hash >> 15)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a screen holds no more seats than u32")]
fn whole(value: f64) -> usize {
    value.clamp(0.0, 10_000.0) as usize
}

#[expect(clippy::cast_precision_loss, reason = "counts of seats are small")]
fn real(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(count: usize, awake: impl Fn(usize) -> bool) -> Vec<Sitter> {
        let id = |at: usize| EntityId::new(&format!("agent-{at:03}")).expect("an id");
        (0..count)
            .map(|at| Sitter { id: id(at), posture: if awake(at) { Posture::Measured } else { Posture::Rest } })
            .collect()
    }

    fn boxes(arrangement: &Arrangement) -> Vec<(f64, f64, f64, f64)> {
        let beads = arrangement.beads as f64 * BEAD_HEIGHT;
        let reach = |p: &Placement| match p.seat {
            Seat::Card => (p.x - OVERHANG, p.y - PATH_HEIGHT, p.x + p.width, p.y + p.height + beads),
            Seat::Rest | Seat::Row => (p.x, p.y, p.x + p.width, p.y + p.height),
        };
        arrangement.seats.iter().flatten().map(reach).collect()
    }

    const SIZES: [(f64, f64); 5] = [(1000.0, 600.0), (1640.0, 760.0), (700.0, 500.0), (390.0, 560.0), (600.0, 300.0)];

    #[test]
    fn nobody_sits_on_anybody_and_everybody_sits_inside() {
        for (width, height) in SIZES {
            for count in [0, 1, 2, 9, 10, 12, 30, 300] {
                let arrangement = arrange(Viewport { width, height }, &roster(count, |at| at % 3 == 0));
                let boxes = boxes(&arrangement);
                assert_eq!(boxes.len() + arrangement.hidden, count, "{width}x{height}, {count}");
                for (at, a) in boxes.iter().enumerate() {
                    assert!(a.0 >= 0.0 && a.2 <= width + 0.5, "{width}x{height}, {count}: {a:?}");
                    assert!(a.1 >= 0.0 && a.3 <= arrangement.height + 0.5, "{width}x{height}, {count}: {a:?}");
                    for b in &boxes[at + 1..] {
                        let apart = a.2 <= b.0 || b.2 <= a.0 || a.3 <= b.1 || b.3 <= a.1;
                        assert!(apart, "{width}x{height}, {count}: {a:?} on {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_agent_that_wakes_keeps_its_seat_and_so_does_everybody_else() {
        let viewport = Viewport { width: 1000.0, height: 600.0 };
        let before = arrange(viewport, &roster(10, |_| false));
        let after = arrange(viewport, &roster(10, |at| at == 4));
        for (at, (a, b)) in before.seats.iter().zip(&after.seats).enumerate() {
            let (a, b) = (a.expect("a seat"), b.expect("a seat"));
            assert_eq!((a.x, a.y), (b.x, b.y), "{at}");
        }
    }

    #[test]
    fn those_who_work_are_seen_before_those_who_rest() {
        let roster = roster(60, |at| at >= 54);
        let arrangement = arrange(Viewport { width: 1000.0, height: 600.0 }, &roster);
        assert!(arrangement.seats[54..].iter().all(Option::is_some));
        assert_eq!(arrangement.hidden, arrangement.seats.iter().filter(|seat| seat.is_none()).count());
        assert!(arrangement.hidden > 0);
    }
}
