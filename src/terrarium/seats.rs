//! How much room somebody takes, and what of a card fits into it. Sizes are the style sheet's, in CSS pixels.
//!
//! Pure; where everybody sits is `monkeytown-terrain`'s to say.

use crate::signals::AgentView;
use monkeytown_civilization::Entity;
use monkeytown_protocol::{EntityId, EntityStatus, Text};
use monkeytown_terrain::{Detail, Point, Posture, Rect, Size};
use std::rc::Rc;

/// How far a card's mask overhangs on its left (`look.md`, "Card").
pub const OVERHANG: f32 = 26.0;
/// The path above a card.
const PATH: f32 = 20.0;
/// One bead below a card.
const BEAD: f32 = 19.0;
/// Air above the first bead.
const BEADS_AIR: f32 = 6.0;
/// Below this width of the field the agents stand in one column.
pub const ONE_COLUMN_BELOW: f32 = 560.0;
/// Width of a card, where two columns would not have it, and where there is room.
const CARD: f32 = 244.0;
const CARD_NARROW: f32 = 206.0;
const NARROW_BELOW: f32 = 640.0;
const CARD_WIDE: f32 = 280.0;
const WIDE_FROM: f32 = 1_240.0;

/// Beside the words of a card, and of a row; the height of a line of them, and of one of what was being done; the letters
/// before a reason, and without one, and before that.
const CARD_AIR: f32 = 48.0;
const ROW_AIR: f32 = 130.0;
const LINE: f32 = 20.0;
const WAS_LINE: f32 = 17.0;
const BROKEN: usize = "broken: ".len();
const UNSAID: usize = "broken, without a reason".len();
const WAS: usize = "was ".len();
/// A broken card, and row, of which all but the reason's first line is left out.
const BROKEN_CARD: f32 = 115.0;
const BROKEN_ROW: f32 = 90.0;
/// The lines that the style sheet lets what was being done have.
const WAS_LINES_CARD: f32 = 3.0;
const WAS_LINES_ROW: f32 = 2.0;

/// At rest: where the words begin, the widths of a letter of the name, of one of the state, and of the state's glyph, and
/// the letters of an age.
const BESIDE_MASK: f32 = 50.0;
const NAME_LETTER: f32 = 7.8;
const STATE_LETTER: f32 = 6.6;
const GLYPH: f32 = 17.0;
const AGE_LETTERS: f32 = 4.0;
/// Air between the words of one at rest and a line's end.
const REST_AIR: f32 = 8.0;
/// The most that one at rest takes.
const REST_MAX: f32 = 216.0;
const REST_COMPACT_MAX: f32 = 174.0;

/// Rows of the one column; the others are counted. Of these only those in view are in the page.
const ROWS_MAX: usize = 1_000;
/// Below every place in the one column, in CSS pixels.
const AFTER_ALL: usize = 1_000_000;

/// How somebody is shown (`data-seat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A card with its mask, path and beads.
    Card,
    /// The same without its beads.
    Plain,
    /// A card of mask, name and status.
    Compact,
    /// The mask alone.
    Mask,
    /// At rest: a mask and a name without a box.
    Rest,
    /// A row of the one column.
    Row,
}

impl Form {
    /// As the markup says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Card | Self::Plain => "card",
            Self::Compact => "compact",
            Self::Mask => "mask",
            Self::Rest => "rest",
            Self::Row => "row",
        }
    }
}

/// Somebody's seat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seat {
    /// How it is furnished.
    pub form: Form,
    /// The card's own box, without mask, path and beads.
    pub rect: Rect,
    /// All that belongs to it: what nobody else may lie on.
    pub outer: Rect,
    /// What flows leave and reach: the card with its mask.
    pub body: Rect,
    /// How many beads there is room for below: those that come later wait for the next arrangement.
    pub beads: usize,
    /// Which row of how many it is, from 1; 0 where there is no column.
    pub row: (usize, usize),
}

/// Somebody's seat among `seats`, which stand in the order of ids.
#[must_use]
pub fn seat_of<'a>(seats: &'a [(EntityId, Seat)], id: &EntityId) -> Option<&'a Seat> {
    let at = seats.binary_search_by(|(seated, _)| seated.cmp(id)).ok()?;
    seats.get(at).map(|(_, seat)| seat)
}

/// How somebody takes part in the field. `waited_for`: a flow waits on it.
#[must_use]
pub fn posture(agent: &AgentView, waited_for: bool) -> Posture {
    match agent.entity.status {
        EntityStatus::Active | EntityStatus::Processing => Posture::Awake,
        EntityStatus::Complete => Posture::Completing,
        EntityStatus::Error => Posture::Broken,
        EntityStatus::Idle if waited_for => Posture::Waiting,
        EntityStatus::Idle => Posture::Rest,
    }
}

/// Whether it has a card rather than a mask and a name.
#[must_use]
pub fn is_awake(agent: &AgentView) -> bool {
    agent.entity.status != EntityStatus::Idle
}

/// The card's own size at a detail; `field` is the field's width, `scale` how much larger than usual text is.
fn card(agent: &AgentView, ignored: bool, detail: Detail, field: f32, scale: f32) -> Size {
    let entity = &agent.entity;
    let (width, height) = match (is_awake(agent), detail) {
        (_, Detail::Mask) => (48.0, 48.0),
        (true, Detail::Compact) => (176.0, 48.0),
        (false, Detail::Compact) => (rest_width(agent).min(REST_COMPACT_MAX), 44.0),
        (false, Detail::Full | Detail::Plain) => (rest_width(agent).min(REST_MAX), 44.0),
        (true, Detail::Full | Detail::Plain) => {
            let width = match field {
                _ if field >= WIDE_FROM => CARD_WIDE,
                _ if field < NARROW_BELOW => CARD_NARROW,
                _ => CARD,
            };
            let children = if agent.children.is_some() { CHILDREN } else { 0.0 };
            let height = match entity.status {
                EntityStatus::Error if !ignored => {
                    BROKEN_CARD + told(entity, width / scale.sqrt() - CARD_AIR, WAS_LINES_CARD)
                }
                EntityStatus::Active | EntityStatus::Processing if entity.progress.is_some() => 106.0,
                _ => 86.0,
            };
            (width, height + children)
        }
    };
    // Words at rest need all of it; a card's may be cut.
    let wider = if is_awake(agent) { scale.sqrt() } else { scale };
    Size { width: width * wider, height: height * scale }
}

/// The height of what is told of a break where a line has `room`, beyond the reason's first line: the reason is what the
/// witness came for, and has three lines as the style sheet has it; what was being done has `most`.
fn told(entity: &Entity, room: f32, most: f32) -> f32 {
    let reason = entity.reason.as_ref().map_or(UNSAID, |reason| BROKEN + letters(reason));
    let was = entity.activity.as_ref().map_or(0.0, |was| lines(WAS + letters(was), STATE_LETTER, room).min(most));
    (lines(reason, NAME_LETTER, room) - 1.0) * LINE + was * WAS_LINE
}

/// Letters from Hangul on, emoji among them, take the room of two.
fn letters(text: &Text) -> usize {
    text.as_str().chars().map(|letter| if letter < '\u{1100}' { 1 } else { 2 }).sum()
}

/// The lines that `count` letters of this width take, three at most.
#[expect(clippy::cast_precision_loss, reason = "a text is short")]
fn lines(count: usize, letter: f32, room: f32) -> f32 {
    let width = count as f32 * letter;
    match width {
        _ if width <= room => 1.0,
        // Lines end with a word, and not where there is no more room.
        _ if width * 1.15 <= 2.0 * room => 2.0,
        _ => 3.0,
    }
}

/// As much as the words of one at rest take beside its mask: its name, or what it waits for and how long.
#[expect(clippy::cast_precision_loss, reason = "names and states are short")]
fn rest_width(agent: &AgentView) -> f32 {
    let count = |words: &str| words.chars().count() as f32;
    let waits = agent.entity.activity.as_ref().map_or("", |activity| activity.as_str());
    let state = if waits.starts_with("waiting ") { waits } else { "resting" };
    let state = (count(state) + AGE_LETTERS) * STATE_LETTER + GLYPH;
    state.max(count(&agent.entity.label.to_string()) * NAME_LETTER) + BESIDE_MASK
}

/// What lies around a card: left, above, below.
fn around(agent: &AgentView, detail: Detail, scale: f32) -> (f32, f32, f32) {
    if !is_awake(agent) || !matches!(detail, Detail::Full | Detail::Plain) {
        return (0.0, 0.0, 0.0);
    }
    let path = if agent.entity.domain.is_some() { PATH } else { 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "two beads at most")]
    let beads = if agent.beads.is_empty() || detail == Detail::Plain {
        0.0
    } else {
        BEADS_AIR + agent.beads.len() as f32 * BEAD
    };
    (OVERHANG, path * scale, beads * scale)
}

/// Sizes of all that belongs to somebody, at each detail, most first.
#[must_use]
pub fn sizes(agent: &AgentView, ignored: bool, field: f32, scale: f32) -> [Size; 4] {
    [Detail::Full, Detail::Plain, Detail::Compact, Detail::Mask]
        .map(|detail| size(agent, ignored, detail, field, scale))
}

/// The same at one detail.
#[must_use]
pub fn size(agent: &AgentView, ignored: bool, detail: Detail, field: f32, scale: f32) -> Size {
    let (card, (left, above, below)) = (card(agent, ignored, detail, field, scale), around(agent, detail, scale));
    Size { width: card.width + left, height: card.height + above + below }
}

/// The line of how many of its own are done.
const CHILDREN: f32 = 18.0;

/// At which detail `sizes` take up as much as `place` does.
#[must_use]
pub fn detail(sizes: &[Size; 4], place: Rect) -> Detail {
    let details = [Detail::Full, Detail::Plain, Detail::Compact, Detail::Mask];
    let found =
        details.into_iter().zip(sizes).find(|(_, size)| size.width == place.width && size.height == place.height);
    found.map_or(Detail::Mask, |(detail, _)| detail)
}

/// The seat of somebody to whom `outer` was given at `detail`.
#[must_use]
pub fn seat(agent: &AgentView, ignored: bool, outer: Rect, detail: Detail, field: f32, scale: f32) -> Seat {
    let (left, above, _) = around(agent, detail, scale);
    let size = card(agent, ignored, detail, field, scale);
    let rect = Rect::at(Point { x: outer.x + left, y: outer.y + above }, size);
    let form = match (is_awake(agent), detail) {
        (_, Detail::Mask) => Form::Mask,
        (false, _) => Form::Rest,
        (true, Detail::Full) => Form::Card,
        (true, Detail::Plain) => Form::Plain,
        (true, Detail::Compact) => Form::Compact,
    };
    // At rest there is no edge between a line's end and the words.
    let air = if form == Form::Rest { REST_AIR } else { 0.0 };
    let body = Rect { x: rect.x - left, width: rect.width + left + air, ..rect };
    let beads = if form == Form::Card { agent.beads.len() } else { 0 };
    Seat { form, rect, outer, body, beads, row: (0, 0) }
}

/// Where the words stand that lie on the ground about somebody: the path and the beads.
#[must_use]
pub fn words(agent: &AgentView, seat: &Seat) -> [Rect; 2] {
    let Seat { rect, outer, .. } = *seat;
    let x = rect.x + OVERHANG;
    #[expect(clippy::cast_precision_loss, reason = "a path is short")]
    let path = agent.entity.domain.as_ref().map_or(0.0, |domain| (domain.path.as_str().chars().count() + 7) as f32);
    let path = (path * STATE_LETTER).min(rect.right() - x);
    [
        Rect { x, width: path, y: outer.y, height: rect.y - outer.y },
        Rect { x, width: rect.right() - x, y: rect.bottom(), height: outer.bottom() - rect.bottom() },
    ]
}

/// The one column of a narrow screen, most awake first, from `top` on: everybody's seat, and where it ends. On the left
/// of width `gutter` flows are drawn. Those in `before` stay in the order and as tall as they are; nobody comes between.
#[must_use]
pub fn column(
    agents: &[Rc<AgentView>],
    before: &[(EntityId, Seat)],
    [width, top, gutter, scale]: [f32; 4],
) -> (Vec<Option<Seat>>, f32) {
    let held = |agent: &AgentView| seat_of(before, &agent.id).map(|seat| seat.rect);
    let rank = |agent: &AgentView| match agent.entity.status {
        EntityStatus::Error => 0_usize,
        EntityStatus::Active | EntityStatus::Processing => 1,
        EntityStatus::Complete => 2,
        EntityStatus::Idle => 3,
    };
    // A plain number holds rank and place, so that the page's one sort serves here too.
    #[expect(clippy::cast_sign_loss, reason = "a row's place in a list that begins at its top")]
    let order = agents.iter().enumerate().map(|(at, agent)| {
        let rank = held(agent).map_or(AFTER_ALL + rank(agent), |rect| whole(rect.y) as usize);
        (rank * agents.len() + at) as u64
    });
    let order: Vec<u64> = order.collect();
    let mut seats = vec![None; agents.len()];
    let mut y = top;
    for (row, number) in monkeytown_terrain::rising(order).into_iter().take(ROWS_MAX).enumerate() {
        let at = usize::try_from(number).unwrap_or_default() % agents.len().max(1);
        let Some(agent) = agents.get(at) else { continue };
        let measured = agent.entity.progress.is_some() && is_awake(agent);
        let height = match agent.entity.status {
            EntityStatus::Error => BROKEN_ROW + told(&agent.entity, width / scale - ROW_AIR, WAS_LINES_ROW),
            EntityStatus::Idle => 44.0,
            _ if measured => 74.0,
            _ => 56.0,
        };
        let height = if is_awake(agent) && agent.children.is_some() { height + CHILDREN } else { height };
        let height = held(agent).map_or(0.0, |rect| rect.height).max(height * scale);
        let rect = Rect { x: 0.0, y, width, height };
        if let Some(place) = seats.get_mut(at) {
            let body = Rect { x: gutter, width: width - gutter, ..rect };
            let row = (row + 1, agents.len().min(ROWS_MAX));
            *place = Some(Seat { form: Form::Row, rect, outer: rect, body, beads: 0, row });
        }
        y += height;
    }
    (seats, y)
}

/// Whole pixels: text stays crisp, and printing a fraction costs the page more code than it is worth.
#[expect(clippy::cast_possible_truncation, reason = "a screen's coordinates")]
#[must_use]
pub fn whole(pixels: f32) -> i32 {
    pixels.round() as i32
}
