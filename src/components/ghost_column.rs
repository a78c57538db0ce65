//! The ghost column: what settled or broke, newest first, fading with age; searched, put away, brought back.

use super::{
    agent_card, mask,
    reading::{Newest, Reading},
};
use crate::{
    dom::{Piece, Rows, follow},
    signals::{Signals, short_id},
    voice,
};
use monkeytown_civilization::{HistoryItem, HistoryKind, Outcome};
use monkeytown_keepsakes::{Class, Store, ghosts::identity};
use monkeytown_protocol::Timestamp;
use std::{cell::RefCell, rc::Rc};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The groups of the column: under how many milliseconds of age, and their names. What is pinned stands above all,
/// whatever its age.
const GROUPS: [(i64, &str); 5] = [
    (i64::MIN, "pinned"),
    (10 * MINUTE, "in the last 10 minutes"),
    (60 * MINUTE, "earlier this hour"),
    (DAY, "in the last day"),
    (i64::MAX, "longer ago"),
];

/// A line of the column.
enum Line<'a> {
    Heading {
        name: &'static str,
        count: usize,
    },
    /// An item, and the identities of the neighbours that say the same, its own first.
    Item {
        item: &'a HistoryItem,
        alike: Vec<u64>,
    },
}

impl Line<'_> {
    /// What tells a line from every other. An item's number alone would not: another history counts from one again.
    fn key(&self) -> String {
        match self {
            Self::Heading { name, .. } => (*name).to_owned(),
            Self::Item { item, .. } => ["#", &*identity(item).to_string()].concat(),
        }
    }
}

/// What is not put away, under headings. Sources put what times they like, so a group is gathered, not assumed to be a
/// run. Equal neighbours are one line: the newest of them, with a count.
fn lines<'a>(items: &'a [Rc<HistoryItem>], store: &Store, now: Timestamp) -> Vec<Line<'a>> {
    let mut lines: Vec<Line> = Vec::with_capacity(items.len() + GROUPS.len());
    let mut over = i64::MIN;
    for (under, name) in GROUPS {
        let pinned = under == i64::MIN;
        let heading = lines.len();
        let mut count = 0;
        for item in items {
            let is_here = pinned || (over..under).contains(&now.since_millis(item.time));
            if !is_here || is_pinned(store, item) != pinned {
                continue;
            }
            let identity = identity(item);
            if store.get(Class::Dismissed, &identity.to_string()).is_some() {
                continue;
            }
            count += 1;
            match lines.get_mut(heading..).and_then(<[Line]>::last_mut) {
                Some(Line::Item { item: before, alike }) if are_alike(before, item) => alike.push(identity),
                _ => lines.push(Line::Item { item, alike: vec![identity] }),
            }
        }
        if count > 0 {
            lines.insert(heading, Line::Heading { name, count });
        }
        over = under;
    }
    lines
}

fn is_pinned(store: &Store, item: &HistoryItem) -> bool {
    store.get(Class::Pin, &identity(item).to_string()).is_some()
}

fn are_alike(a: &HistoryItem, b: &HistoryItem) -> bool {
    a.label == b.label && a.agent == b.agent && a.outcome == b.outcome && a.kind == b.kind
}

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let rows = Rows::of("ghost-list");
    let reading = Reading::new(rows.list().clone(), Newest::First);
    let rows = RefCell::new(rows);
    let (kept, restore, views) = (Piece::section("kept"), Piece::section("restore"), Piece::section("views"));
    follow(move || {
        let ghosts = signals.ghosts.read();
        let gaze = signals.gaze.read();
        let store = &signals.kept.read().store;
        let now = signals.times.read().now;
        let lines = lines(&ghosts.items, store, now);
        let keys: Vec<String> = lines.iter().map(Line::key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut shown = 0;
        let mut rows = rows.borrow_mut();
        let seen = reading.look(&rows);
        rows.keep(&keys, |key| if key.starts_with('#') { "t-ghost" } else { "t-heading" }, &|_, _| {});
        for (piece, line) in rows.pieces().zip(&lines) {
            match line {
                Line::Heading { name, count } => {
                    piece.say("name", name);
                    piece.say("count", &voice::grouped(*count as u64));
                }
                Line::Item { item, alike } => {
                    shown += alike.len();
                    fill(piece, item, alike, now);
                    piece.set("pin", "aria-pressed", if is_pinned(store, item) { "true" } else { "false" });
                }
            }
        }
        reading.stay(&seen);
        let held = voice::grouped(ghosts.held as u64);
        let is_searched = !gaze.query.trim_ascii().is_empty();
        let words = match (ghosts.items.len(), shown) {
            _ if ghosts.held == 0 => "nothing has settled yet".to_owned(),
            _ if is_searched => format!("{} of {held} match", voice::grouped(ghosts.matching as u64)),
            (items, shown) if items < ghosts.held || shown < items => format!("the newest {shown} of {held} shown"),
            _ => format!("{held} settled or broken"),
        };
        kept.say("", &words);
        // What a filter finds is said elsewhere, once.
        kept.mark("", "role", if is_searched { "" } else { "status" });
        views.say("history-count", &held);
        let away = (ghosts.items.len() - shown) as u64;
        let words = if away == 0 { String::new() } else { format!("restore {}", voice::grouped(away)) };
        restore.say_if("", &words);
    });
}

/// Writes one thing that ended.
fn fill(piece: &Piece, item: &HistoryItem, alike: &[u64], now: Timestamp) {
    let broken = item.outcome == Outcome::Broken;
    let age_millis = now.since_millis(item.time);
    let owner = item.agent.as_ref().unwrap_or(&item.id);
    if piece.part("face").is_none() {
        mask::wear(piece.root(), "t-mask-small", owner.as_str());
        piece.renew(&["face", "y"]);
    }
    piece.set("", "data-entity-id", item.id.as_str());
    let numbers: Vec<String> = alike.iter().map(ToString::to_string).collect();
    piece.set("", "data-numbers", &numbers.join(" "));
    piece.set("", "data-outcome", agent_card::outcome(Some(item.outcome)));
    // Marks fade with age and are gone after a day; text only darkens, so that it can still be read.
    let left_percent = 100 - (80 * age_millis.clamp(0, DAY)) / DAY;
    piece.style("", "--fade", &format!("{left_percent}%"));
    let age = match age_millis {
        ..600_000 => "fresh",
        600_000..3_600_000 => "aging",
        _ => "old",
    };
    piece.set("face", "data-age", age);
    let eyes = match (age, broken) {
        ("fresh", true) => "error",
        ("fresh", false) => "complete",
        _ => "idle",
    };
    mask::look(piece, eyes);
    let label = item.label.to_string();
    piece.say("label", &label);
    piece.set("label", "title", &label);
    piece.set("dismiss", "aria-label", &format!("dismiss {label}"));
    piece.set("pin", "aria-label", &["pin ", &label].concat());
    let reason = item.reason.as_ref().filter(|_| broken).map(|reason| format!("broken: {reason}"));
    piece.say_if("reason", &reason.unwrap_or_default());
    let short = match item.kind {
        HistoryKind::Run => "run".to_owned(),
        HistoryKind::Contract | HistoryKind::Transaction => short_id(item.id.as_str()),
    };
    agent_card::link(piece, "id", &short, item.url.as_ref());
    let exact = item.time.to_string();
    piece.say("time", &voice::ago(age_millis));
    piece.set("time", "datetime", &exact);
    piece.set("time", "title", &exact);
    let count = if alike.len() > 1 { format!("×{}", alike.len()) } else { String::new() };
    piece.say_if("count", &count);
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_keepsakes::{Area, Record, Refused};
    use monkeytown_protocol::{EntityId, Text};

    fn item(number: u64, millis: i64) -> Rc<HistoryItem> {
        Rc::new(HistoryItem {
            number,
            kind: HistoryKind::Transaction,
            outcome: Outcome::Settled,
            id: EntityId::new(&format!("commit:{number}")).expect("an id"),
            agent: None,
            label: Text::fitted(&format!("subject {number}")),
            reason: None,
            url: None,
            time: Timestamp::from_millis(millis),
        })
    }

    /// A place for lines that holds none.
    struct Nowhere;

    impl Area for Nowhere {
        fn keys(&self) -> Vec<String> {
            Vec::new()
        }

        fn get(&self, _: &str) -> Option<String> {
            None
        }

        fn set(&self, _: &str, _: &str) -> Result<(), Refused> {
            Ok(())
        }

        fn remove(&self, _: &str) {}
    }

    fn store_of(class: Class, id: &str) -> Store {
        let mut store = Store::default();
        let record = Record { class, id: id.to_owned(), changed_millis: 0, body: "{}".to_owned() };
        store.put(&Nowhere, record).expect("nowhere takes everything");
        store
    }

    fn told(items: &[Rc<HistoryItem>], store: &Store, now: Timestamp) -> Vec<String> {
        let line = |line: &Line| match line {
            Line::Heading { name, count } => format!("{name}: {count}"),
            Line::Item { item, alike } if alike.len() == 1 => item.number.to_string(),
            Line::Item { item, alike } => format!("{} ×{}", item.number, alike.len()),
        };
        lines(items, store, now).iter().map(line).collect()
    }

    #[test]
    fn items_stand_under_the_heading_of_their_age_with_a_count() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(3, DAY * 10 - 1_000), item(2, DAY * 10 - 5 * MINUTE), item(1, 0)];
        let expected = ["in the last 10 minutes: 2", "3", "2", "longer ago: 1", "1"];
        assert_eq!(told(&items, &Store::default(), now), expected);
    }

    #[test]
    fn times_out_of_order_do_not_break_the_groups() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(4, DAY * 10), item(3, 0), item(2, DAY * 11), item(1, 5)];
        let expected = ["in the last 10 minutes: 2", "4", "2", "longer ago: 2", "3", "1"];
        assert_eq!(told(&items, &Store::default(), now), expected);
    }

    #[test]
    fn an_item_of_another_history_is_another_line() {
        let key = |item: &HistoryItem| Line::Item { item, alike: vec![1] }.key();
        assert_ne!(key(&item(1, 0)), key(&item(1, 60_000)));
    }

    #[test]
    fn equal_neighbours_are_one_line_with_their_count() {
        let now = Timestamp::from_millis(0);
        let alike = |number| Rc::new(HistoryItem { label: Text::fitted("tick"), ..(*item(number, 0)).clone() });
        let items = [alike(4), alike(3), item(2, 0), alike(1)];
        assert_eq!(told(&items, &Store::default(), now), ["in the last 10 minutes: 4", "4 ×2", "2", "1"]);
    }

    #[test]
    fn what_is_put_away_is_not_listed() {
        let now = Timestamp::from_millis(0);
        let items = [item(2, 0), item(1, 0)];
        let store = store_of(Class::Dismissed, &identity(&items[0]).to_string());
        assert_eq!(told(&items, &store, now), ["in the last 10 minutes: 1", "1"]);
    }

    #[test]
    fn what_is_pinned_stands_above_all_whatever_its_age() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(3, DAY * 10), item(2, DAY * 10 - 1), item(1, 0)];
        let store = store_of(Class::Pin, &identity(&items[2]).to_string());
        assert_eq!(told(&items, &store, now), ["pinned: 1", "1", "in the last 10 minutes: 2", "3", "2"]);
    }
}
