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
    fn key(&self) -> (u64, &'static str, usize) {
        match self {
            Self::Heading { name, count } => (0, name, *count),
            Self::Item(item) => (item.number, "", 0),
        }
    }
}

fn group_of(age_millis: i64) -> &'static str {
    GROUPS.iter().find(|(under, _)| age_millis < *under).map_or("", |(_, name)| name)
}

/// Items with their headings. The items come newest first, so a group is a run.
fn lines(items: &[Arc<HistoryItem>], now: Timestamp) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::with_capacity(items.len() + GROUPS.len());
    let mut heading = None;
    for item in items {
        let name = group_of(now.since_millis(item.time));
        match heading.and_then(|at: usize| lines.get_mut(at)) {
            Some(Line::Heading { name: current, count }) if *current == name => *count += 1,
            _ => {
                heading = Some(lines.len());
                lines.push(Line::Heading { name, count: 1 });
            }
        }
        lines.push(Line::Item(Arc::clone(item)));
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
            <ul>
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

    #[test]
    fn items_stand_under_the_heading_of_their_age_with_a_count() {
        let now = Timestamp::from_millis(DAY * 10);
        let items = [item(3, DAY * 10 - 1_000), item(2, DAY * 10 - 5 * MINUTE), item(1, 0)];
        let told: Vec<String> = lines(&items, now)
            .iter()
            .map(|line| match line {
                Line::Heading { name, count } => format!("{name}: {count}"),
                Line::Item(item) => item.number.to_string(),
            })
            .collect();
        assert_eq!(told, ["in the last 10 minutes: 2", "3", "2", "longer ago: 1", "1"]);
    }
}
