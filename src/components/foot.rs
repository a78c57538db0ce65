//! The foot: a time axis. Pause, the last hour, day, week or all of time in bins with its marks and gaps, on wide screens a
//! lane for each agent; away from the present, which moment is shown and what can be done about it.

use crate::{
    dom::{Piece, Rows, document, follow, leaked, watch_sizes},
    sigil::Sigil,
    signals::{Mode, Signals, Times},
    voice,
};
use monkeytown_civilization::{Depth, MarkKind};
use monkeytown_protocol::{SourceKind, Timestamp};
use std::{
    cell::{Cell, RefCell},
    fmt::Write,
};
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

const HOUR_MILLIS: i64 = 3_600_000;
/// From this width of the page there are lanes (`look.md`, "Widths").
const LANES_FROM: f64 = 1_920.0;
/// Lanes that the foot has room for; of more agents the last line tells the number.
const LANES_MAX: usize = 10;
/// The words under the axis, each a sixth on from the one before.
const TICKS: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];
/// Height of the tallest bin, in the axis' own units.
const TALLEST: u64 = 36;

/// How fast time runs here, in words.
fn pace(times: &Times, source: Option<SourceKind>) -> String {
    let playing = source == Some(SourceKind::Git) && (times.rate - 1.0).abs() > 0.01;
    match source {
        None => "for the stream".to_owned(),
        Some(_) if playing && times.rate > 0.0 => voice::pace(times.rate),
        Some(_) if playing => "standing still".to_owned(),
        Some(_) => String::new(),
    }
}

/// Fills it.
pub fn bind(signals: &Signals) {
    let said = signals.clone();
    let (foot, pause, sums) = (Piece::section("foot"), Piece::section("pause"), Piece::section("sums"));
    let (page, views) = (Piece::section("page"), Piece::section("views"));
    let (travel, axis) = (Piece::section("travel"), Piece::section("axis"));
    follow(move || {
        let times = *said.times.read();
        let figures = *said.figures.read();
        let live = said.connection.read().is_live();
        let gaze = said.gaze.read();
        let replaying = figures.source == Some(SourceKind::Git) && (times.rate - 1.0).abs() > 0.01;
        let word = match (gaze.mode, live) {
            (Mode::Held | Mode::Paused, _) => "paused",
            (Mode::Going, _) => "going there",
            (Mode::Replaying, _) => "replaying",
            (Mode::Following, true) if replaying => "replaying",
            (Mode::Following, true) => "following",
            (Mode::Following, false) => "waiting",
        };
        foot.say("word", word);
        let behind =
            usize::try_from(said.connection.read().counters.received.saturating_sub(gaze.left_at)).unwrap_or_default();
        let words = match (gaze.mode, behind) {
            (Mode::Following, _) => pace(&times, figures.source),
            (Mode::Replaying, _) => voice::pace(times.rate),
            (Mode::Held, 0) => "nothing new".to_owned(),
            (Mode::Held, behind) => format!("{} behind", voice::counted(behind, "event")),
            _ => String::new(),
        };
        foot.say("pace", &words);
        let exact = times.now.to_string();
        foot.set("pace", "datetime", &exact);
        foot.set("pace", "title", &exact);
        let is_past = times.next.is_some();
        // What the witness does next is what it says.
        let (pressed, does) = match gaze.mode {
            Mode::Held => ("true", "follow"),
            Mode::Paused => ("true", "play"),
            _ => ("false", "pause"),
        };
        pause.set("", "aria-pressed", pressed);
        pause.set("", "aria-label", does);
        let there = is_past || gaze.mode == Mode::Going || !gaze.stuck.is_empty();
        page.mark("", "data-past", if there { "yes" } else { "" });
        if !there && document().active_element().is_some_and(|focused| travel.root().contains(Some(&focused))) {
            // A replay that ends by itself takes nobody's focus with it.
            let _ = pause.root().unchecked_ref::<HtmlElement>().focus();
        }
        travel.show("", there);
        let time = voice::time_of_day(&exact);
        let when = ["at ", time, ", ", &voice::ago(times.present.since_millis(times.now))].concat();
        let when = if is_past { when.as_str() } else { "the present" };
        travel.say("when", when);
        travel.set("when", "datetime", &exact);
        travel.set("when", "title", &exact);
        travel.say("stuck", &gaze.stuck);
        travel.say(
            "new",
            &if behind > 0 && there && gaze.mode != Mode::Following {
                [&*voice::numbered(behind, "event"), " since"].concat()
            } else {
                String::new()
            },
        );
        let next = times.next.map_or_else(String::new, |next| next.0.to_string());
        travel.set("", "data-next", &next);
        travel.set("skip", "aria-pressed", if gaze.skips { "true" } else { "false" });
        let back = times.earliest.map_or_else(String::new, |first| {
            [", ", &voice::span(times.present.since_millis(first)), " back"].concat()
        });
        travel.say("back-span", &back);
        let seconds = |time: Timestamp| (time.millis() / 1_000).to_string();
        axis.set("", "aria-valuenow", &seconds(times.now));
        axis.set("", "aria-valuemin", &seconds(times.earliest.unwrap_or_else(|| times.now.plus_millis(-HOUR_MILLIS))));
        axis.set("", "aria-valuemax", &seconds(if is_past { times.present } else { times.now }));
        axis.set("", "aria-valuetext", when);
        axis.say("end", if is_past { time } else { "now" });
        let totals = figures.totals;
        sums.say("commits", &voice::grouped(totals.transactions));
        sums.say("settled", &voice::grouped(totals.contracts_settled));
        sums.say("arrived", &voice::grouped(totals.flows_arrived));
        sums.say("broken", &voice::grouped(totals.flows_broken + totals.contracts_broken));
        page.mark("", "data-paused", if gaze.mode.is_still() { "yes" } else { "" });
        page.set("", "data-view", if gaze.history { "history" } else { "agents" });
        views.set("agents", "aria-pressed", if gaze.history { "false" } else { "true" });
        views.set("history", "aria-pressed", if gaze.history { "true" } else { "false" });
        views.say("agents-count", &voice::grouped(said.agents.read().len() as u64));
    });
    let drawn = signals.clone();
    let axis = leaked((Piece::section("axis"), Cell::new(0), Piece::section("zoom")));
    let lanes = RefCell::new(Rows::of("lanes"));
    watch_sizes(&[axis.0.root()], move || axis.1.set(axis.0.root().client_width()));
    follow(move || draw(&drawn, axis, &mut lanes.borrow_mut()));
}

/// Draws the axis: bins, marks, gaps, lanes, as wide as was measured when that changed; asking each time makes the browser
/// lay out what is half written.
fn draw(signals: &Signals, (axis, measured, zoom): &(Piece, Cell<i32>, Piece), lanes: &mut Rows) {
    let hour = signals.hour.read();
    let width = match measured.get() {
        0 => axis.root().client_width(),
        measured => measured,
    };
    let width = i64::from(width);
    let span = hour.span.max(HOUR_MILLIS);
    let x = |ago_millis: i64| width - width * ago_millis.clamp(0, span) / span;
    axis.set("bins", "d", &bars(&hour.axis));
    let (mut open, mut settled, mut broken) = (String::new(), String::new(), String::new());
    for (kind, ago_millis) in hour.marks.iter().filter(|(_, ago)| (0..span).contains(ago)) {
        let x = x(*ago_millis);
        // Writing to a string never fails.
        let _ = match kind {
            MarkKind::Opened => write!(open, "M{} 48l4-4 4 4-4 4Z", x - 4),
            MarkKind::Settled => write!(settled, "M{} 48l4-4 4 4-4 4Z", x - 4),
            MarkKind::Broken => write!(broken, "M{} 45l6 6m0-6-6 6", x - 3),
        };
    }
    axis.set("open", "d", &open);
    axis.set("settled", "d", &settled);
    axis.set("broken", "d", &broken);
    let mut gaps = String::new();
    for (from, to) in &hour.gaps {
        let (from, to) = (x(*from), x(*to).max(x(*from) + 2));
        let _ = write!(gaps, "M{from} 4H{to}V42H{from}Z");
    }
    axis.set("gaps", "d", &gaps);
    let marks = hour.marks.len();
    let events: u64 = hour.axis.iter().map(|bin| u64::from(*bin)).sum();
    let all = ["all: ", &*voice::span(span)].concat();
    let (which, farther) = match hour.depth {
        Depth::Hour => ("last hour", "last day"),
        Depth::Day => ("last day", "last week"),
        Depth::Week => ("last week", "all"),
        Depth::All => (&*all, "last hour"),
    };
    zoom.say("depth", which);
    zoom.set("depth", "title", &["next: ", farther].concat());
    axis.set("", "data-span", &span.to_string());
    for (at, name) in (0..).zip(TICKS) {
        axis.say(name, &tick(span * (6 - at) / 6));
    }
    let the = if hour.depth == Depth::All { "" } else { "the " };
    let events = voice::counted(usize::try_from(events).unwrap_or(0), "event");
    // Marks are known for an hour.
    let of_the_hour = if hour.depth == Depth::Hour { "" } else { " of the last hour" };
    let told = format!("{the}{which}: {events}, {marks} marks{of_the_hour}{}", hour.untold);
    axis.set("", "aria-label", &told);
    axis.set("", "title", &told);
    let is_wide = web_sys::window().and_then(|w| w.inner_width().ok()?.as_f64()).is_some_and(|w| w >= LANES_FROM);
    let all = hour.lanes.len();
    let shown = match all {
        _ if !is_wide => 0,
        ..=LANES_MAX => all,
        _ => LANES_MAX - 1,
    };
    let mut keys: Vec<&str> = hour.lanes.iter().take(shown).map(|lane| lane.id.as_str()).collect();
    if is_wide && shown < all {
        // No id is empty.
        keys.push("");
    }
    lanes.keep(&keys, |_| "t-lane", &|id, piece| piece.set("", "data-fur", &Sigil::of(id).fur.to_string()));
    for (at, piece) in lanes.pieces().enumerate() {
        match hour.lanes.get(at).filter(|_| at < shown) {
            Some(lane) => {
                piece.say("name", &lane.name.to_string());
                piece.set("lane", "d", &ticks(&lane.bins));
            }
            None => piece.say("name", &["and ", &voice::grouped((all - shown) as u64), " more"].concat()),
        }
    }
}

/// Bins as bars, a unit wide each, the tallest as high as there is room. A root would flatter quiet hours: heights are
/// true to each other.
fn bars(bins: &[u32]) -> String {
    let most = u64::from(bins.iter().copied().max().unwrap_or(0).max(1));
    let mut path = String::new();
    for (at, bin) in bins.iter().enumerate().filter(|(_, bin)| **bin > 0) {
        let height = (u64::from(*bin) * TALLEST / most).max(2);
        // Writing to a string never fails.
        let _ = write!(path, "M{at} 38v-{height}h.8v{height}z");
    }
    path
}

/// How long ago, under the axis: of days a tenth is told where there is one, so that a week's sixths are true.
fn tick(millis: i64) -> String {
    let tenths = millis / 8_640_000;
    match tenths {
        10..140 if tenths % 10 > 0 => format!("{}.{}d", tenths / 10, tenths % 10),
        _ if millis == HOUR_MILLIS => "60m".to_owned(),
        _ if tenths == 10 => "24h".to_owned(),
        _ => voice::span(millis),
    }
}

/// Marks in a row, a unit wide each.
pub fn ticks(bins: &[bool]) -> String {
    let mut path = String::new();
    for (at, _) in bins.iter().enumerate().filter(|(_, bin)| **bin) {
        // Writing to a string never fails.
        let _ = write!(path, "M{at} 0h.5v1h-.5z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_under_the_axis_are_true() {
        let told = |span: i64| (1..=6).rev().map(|sixths| tick(span * sixths / 6)).collect::<Vec<_>>().join(" ");
        assert_eq!(told(HOUR_MILLIS), "60m 50m 40m 30m 20m 10m");
        assert_eq!(told(24 * HOUR_MILLIS), "24h 20h 16h 12h 8h 4h");
        assert_eq!(told(168 * HOUR_MILLIS), "7d 5.8d 4.6d 3.5d 2.3d 1.1d");
        assert_eq!(told(60 * 24 * HOUR_MILLIS), "8w 7w 5w 4w 2w 10d");
    }

    #[test]
    fn the_fullest_half_minute_is_the_tallest_and_one_event_is_seen() {
        assert_eq!(bars(&[0, 1, 1_000]), "M1 38v-2h.8v2zM2 38v-36h.8v36z");
        assert_eq!(bars(&[]), "");
    }
}
