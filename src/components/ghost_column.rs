//! The ghost column: what settled or broke, newest first, fading with age.

use crate::{
    components::{BeadGlyph, Mask, result_link, text},
    signals::{Signals, short_id},
    voice,
};
use leptos::prelude::*;
use monkeytown_civilization::{HistoryItem, HistoryKind, Outcome};
use monkeytown_protocol::{EntityStatus, Timestamp};
use std::sync::Arc;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The groups of the column: under how many milliseconds of age, and their names.
const GROUPS: [(i64, &str); 4] = [
    (10 * MINUTE, "in the last 10 minutes"),
    (60 * MINUTE, "earlier this hour"),
    (DAY, "in the last day"),
    (i64::MAX, "longer ago"),
];

#[derive(Clone)]
enum Line {
    Heading { name: &'static str, count: usize },
    Item(Arc<HistoryItem>),
}

impl Line {
    /// What tells a line from every other. An item's number alone would not: another history counts from one again.
    fn key(&self) -> String {
        match self {
            Self::Heading { name, count } => format!("{name} {count}"),
            Self::Item(item) => format!("{} {} {}", item.number, item.id, item.time.millis()),
        }
    }
}

/// Items under their headings. Sources put what times they like, so a group is gathered, not assumed to be a run.
fn lines(items: &[Arc<HistoryItem>], now: Timestamp) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(items.len() + GROUPS.len());
    let mut over = i64::MIN;
    for (under, name) in GROUPS {
        let heading = lines.len();
        let within = |item: &&Arc<HistoryItem>| (over..under).contains(&now.since_millis(item.time));
        lines.extend(items.iter().filter(within).map(|item| Line::Item(Arc::clone(item))));
        let count = lines.len() - heading;
        if count > 0 {
            lines.insert(heading, Line::Heading { name, count });
        }
        over = under;
    }
    lines
}

/// The column.
#[component]
pub fn GhostColumn() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let rows = move || signals.ghosts.with(|ghosts| lines(&ghosts.items, signals.times.get().now));
    let kept = text(move || {
        signals.ghosts.with(|ghosts| match (ghosts.items.len(), ghosts.held) {
            (0, _) => "nothing has settled yet".to_owned(),
            (shown, held) if shown < held => format!("the newest {shown} of {} shown", voice::grouped(held as u64)),
            (_, held) => format!("{} settled or broken", voice::grouped(held as u64)),
        })
    });
    view! {
        <aside class="ghosts" data-testid="ghost-column" aria-label="what settled">
            <ul tabindex="0" aria-label="what settled, newest first">
                <For each=rows key=Line::key let:line>
                    {match line {
                        Line::Heading { name, count } => {
                            view! {
                                <li class="ghost-heading"><h2>{name}</h2><span>{voice::grouped(count as u64)}</span></li>
                            }
                                .into_any()
                        }
                        Line::Item(item) => view! { <Ghost item=item /> }.into_any(),
                    }}
                </For>
            </ul>
            <p class="ghosts-foot">{kept}</p>
        </aside>
    }
}

/// One thing that ended.
#[component]
fn Ghost(item: Arc<HistoryItem>) -> impl IntoView {
    let signals = expect_context::<Signals>();
    let broken = item.outcome == Outcome::Broken;
    let owner = item.agent.as_ref().unwrap_or(&item.id).to_string();
    let status = if broken { EntityStatus::Error } else { EntityStatus::Complete };
    let time = item.time;
    let age = text(move || voice::ago(signals.times.get().now.since_millis(time)));
    // Marks fade with age and are gone after a day; text only darkens, so that it can still be read.
    let fade = text(move || {
        #[expect(clippy::cast_precision_loss, reason = "a share of a day")]
        let share = (signals.times.get().now.since_millis(time) as f64 / DAY as f64).clamp(0.0, 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "20 to 100")]
        let percent = 100 - (80.0 * share) as i32;
        format!("{percent}%")
    });
    let short = match item.kind {
        HistoryKind::Run => "run".to_owned(),
        HistoryKind::Contract | HistoryKind::Transaction => short_id(item.id.as_str()),
    };
    let name = result_link(item.url.as_ref(), short);
    let reason = item
        .reason
        .as_ref()
        .filter(|_| broken)
        .map(|reason| view! { <p class="ghost-reason" dir="auto">{format!("broken: {reason}")}</p> }.into_any());
    let class = if broken { "ghost broken" } else { "ghost" };
    let label = item.label.to_string();
    view! {
        <li
            class=class
            data-testid="ghost-item"
            data-entity-id=item.id.to_string()
            style:--fade=fade
        >
            <Mask id=owner status=Signal::stored(status) />
            <p class="ghost-label" dir="auto" title=label.clone()>{label.clone()}</p>
            {reason}
            <p class="ghost-fact">
                <BeadGlyph kind=item.kind outcome=Some(item.outcome) />
                {name}
                " "
                <time datetime=time.to_string() title=time.to_string()>{age}</time>
            </p>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_protocol::{EntityId, Text};

    fn item(number: u64, millis: i64) -> Arc<HistoryItem> {
        Arc::new(HistoryItem {
            number,
            kind: HistoryKind::Transaction,
            outcome: Outcome::Settled,
            id: EntityId::new(&format!("commit:{number}")).expect("an id"),
            agent: None,
            label: Text::fitted("a subject"),
            reason: None,
            url: None,
            time: Timestamp::from_millis(millis),
        })
    }

    fn told(items: &[Arc<HistoryItem>], now: Timestamp) -> Vec<String> {
        let line = |line: &Line| match line {
            Line::Heading { name, count } => format!("{name}: {count}"),
            Line::Item(item) => item.number.to_string(),
        };
        lines(items, now).iter().map(line).collect()
    }

    #[test]
    fn items_stand_under_the_heading_of_their_age_with_a_count() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(3, DAY * 10 - 1_000), item(2, DAY * 10 - 5 * MINUTE), item(1, 0)];
        assert_eq!(told(&items, now), ["in the last 10 minutes: 2", "3", "2", "longer ago: 1", "1"]);
    }

    #[test]
    fn times_out_of_order_do_not_break_the_groups() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(4, DAY * 10), item(3, 0), item(2, DAY * 11), item(1, 5)];
        assert_eq!(told(&items, now), ["in the last 10 minutes: 2", "4", "2", "longer ago: 2", "3", "1"]);
    }

    #[test]
    fn an_item_of_another_history_is_another_line() {
        assert_ne!(Line::Item(item(1, 0)).key(), Line::Item(item(1, 60_000)).key());
    }
}
