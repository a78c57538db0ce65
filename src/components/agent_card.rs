//! An agent: name, state, what it is doing, how far it has come, and its recent work.

use crate::{
    components::{BeadGlyph, Mask, StatusGlyph, part, result_link, text},
    signals::{AgentSlot, AgentView, Bead, Signals},
    terrarium::layout::{Arrangement, Placement, Seat},
    voice,
};
use leptos::prelude::*;
use monkeytown_protocol::{EntityStatus, Ratio};

/// The line that says what it is doing, or what broke.
fn activity(view: &AgentView) -> Option<String> {
    let entity = &view.entity;
    match entity.status {
        EntityStatus::Idle => None,
        EntityStatus::Error => {
            let reason = entity.reason.as_ref().or(entity.activity.as_ref());
            Some(reason.map_or("broken, without a reason".to_owned(), |reason| format!("broken: {reason}")))
        }
        _ => entity.activity.as_ref().map(ToString::to_string),
    }
}

/// A card where there is room and something to say, a mask and a name at rest, a row in the one column.
#[component]
pub fn AgentCard(
    /// Who it is.
    agent: AgentSlot,
    /// Everybody's seat.
    arrangement: Memo<Arrangement>,
) -> impl IntoView {
    let signals = expect_context::<Signals>();
    let id = agent.id.to_string();
    let view = RwSignal::from(agent.view);
    let place = Signal::derive(move || {
        let at = signals.roster.with(|roster| roster.binary_search_by(|sitter| sitter.id.cmp(&agent.id)).ok())?;
        arrangement.with(|arrangement| arrangement.seats.get(at).copied().flatten())
    });
    let status = Signal::derive(move || view.with(|view| view.entity.status));
    let read = move |read: fn(&AgentView) -> String| text(move || view.with(read));
    let label = read(|view| view.entity.label.to_string());
    let doing = read(|view| activity(view).unwrap_or_default());
    let exact = read(|view| view.entity.since.to_string());
    let status_key = read(|view| view.entity.status.as_str().to_owned());
    let status_word = read(|view| voice::status(view.entity.status).to_owned());
    let since = text(move || {
        let millis = signals.times.get().now.since_millis(view.with(|view| view.entity.since));
        match status.get() {
            EntityStatus::Idle | EntityStatus::Complete => voice::span(millis),
            _ => format!("for {}", voice::span(millis)),
        }
    });
    let class = text(move || match place.get().map(|place| place.seat) {
        Some(Seat::Card) => "agent seat-card".to_owned(),
        Some(Seat::Rest) => "agent seat-rest".to_owned(),
        Some(Seat::Row) => "agent seat-row".to_owned(),
        None => "agent unseated".to_owned(),
    });
    let pixels = move |read: fn(&Placement) -> f64| {
        text(move || place.get().map_or_else(String::new, |place| format!("{}px", whole(read(&place)))))
    };
    let transform =
        text(move || place.get().map_or_else(String::new, |p| format!("translate({}px,{}px)", whole(p.x), whole(p.y))));
    view! {
        <li
            class=class
            data-testid="agent-card"
            data-entity-id=id.clone()
            data-status=status_key
            style:transform=transform
            style:width=pixels(|place| place.width)
            style:height=pixels(|place| place.height)
        >
            {part(move || path(&view.read()))}
            <div class="card">
                <Mask id=id.clone() status=status />
                <h3 dir="auto" title=label>
                    {label}
                </h3>
                <p class="state" title=exact>
                    {part(move || view! { <StatusGlyph status=status.get() /> }.into_any())}
                    <b>{status_word}</b>
                    " "
                    <span>{since}</span>
                </p>
                <p class="doing" dir="auto" title=doing>
                    {doing}
                </p>
                {part(move || ruler(&view.read()))}
            </div>
            {part(move || beads(&view.read(), arrangement.with(|arrangement| arrangement.beads)))}
        </li>
    }
}

/// Whole pixels: text stays crisp, and printing a fraction costs the page more code than it is worth.
#[expect(clippy::cast_possible_truncation, reason = "a screen's coordinates")]
fn whole(pixels: f64) -> i32 {
    pixels.round() as i32
}

/// The folder and how many files it holds.
fn path(view: &AgentView) -> AnyView {
    match &view.entity.domain {
        Some(domain) => {
            let words = format!("{} {}", domain.path, voice::grouped(domain.files.into()));
            view! { <p class="path">{words}</p> }.into_any()
        }
        None => ().into_any(),
    }
}

/// Ten ticks, an upright end mark, and the share in figures; nothing while nothing is measured.
fn ruler(view: &AgentView) -> AnyView {
    let working = matches!(view.entity.status, EntityStatus::Active | EntityStatus::Processing);
    let Some(share) = view.entity.progress.map(Ratio::get).filter(|_| working) else { return ().into_any() };
    let percent = voice::percent(share);
    let x = whole(f64::from(share) * 100.0);
    view! {
        <div class="ruler" role="img" aria-label=format!("{percent} done")>
            <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <path
                    class="ticks"
                    d="M0 7.500H100M0 4v4M10 6v2M20 6v2M30 6v2M40 6v2M50 6v2M60 6v2M70 6v2M80 6v2M90 6v2M100 4v4"
                />
                <path class="done" d=format!("M0 3H{x}") />
                <path class="end" d=format!("M{x} 0V8") />
            </svg>
            <span>{percent.clone()}</span>
        </div>
    }
    .into_any()
}

/// Recent work on a thread, as much as there is room for.
fn beads(view: &AgentView, room: usize) -> AnyView {
    if view.entity.status == EntityStatus::Idle || room == 0 || view.beads.is_empty() {
        return ().into_any();
    }
    let lines: Vec<AnyView> = view.beads.iter().take(room).map(bead).collect();
    view! { <ul class="beads">{lines}</ul> }.into_any()
}

/// Mark, short id (a link where the result can be seen), title.
fn bead(bead: &Bead) -> AnyView {
    let label = bead.label.to_string();
    view! {
        <li>
            <BeadGlyph kind=bead.kind outcome=bead.outcome />
            {result_link(bead.url.as_ref(), bead.short.clone())}
            " "
            <span dir="auto" title=label.clone()>
                {label.clone()}
            </span>
        </li>
    }
    .into_any()
}
