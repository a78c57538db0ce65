//! An agent: name, state, what it is doing, how far it has come, and its recent work.

use crate::{
    components::{BeadGlyph, Mask, StatusGlyph},
    signals::{AgentSlot, AgentView, Bead, Signals},
    terrarium::layout::{Arrangement, Seat},
    voice,
};
use leptos::{either::Either, prelude::*};
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
    let AgentSlot { id, view } = agent;
    let place = {
        let id = id.clone();
        Memo::new(move |_| {
            let at = signals.roster.with(|roster| roster.binary_search_by(|sitter| sitter.id.cmp(&id)).ok())?;
            arrangement.with(|arrangement| arrangement.seats.get(at).copied().flatten())
        })
    };
    let entity = view.clone();
    let status = Memo::new(move |_| entity.with(|view| view.entity.status));
    let read = |read: fn(&AgentView) -> String| {
        let view = view.clone();
        Memo::new(move |_| view.with(read))
    };
    let label = read(|view| view.entity.label.to_string());
    let doing = read(|view| activity(view).unwrap_or_default());
    let since = {
        let view = view.clone();
        move || {
            let millis = signals.now.get().since_millis(view.with(|view| view.entity.since));
            match status.get() {
                EntityStatus::Idle | EntityStatus::Complete => voice::span(millis),
                _ => format!("for {}", voice::span(millis)),
            }
        }
    };
    let exact = read(|view| view.entity.since.to_string());
    let progress = {
        let view = view.clone();
        Memo::new(move |_| {
            let working = matches!(status.get(), EntityStatus::Active | EntityStatus::Processing);
            view.with(|view| view.entity.progress.map(Ratio::get).filter(|_| working))
        })
    };
    let path = {
        let view = view.clone();
        move || {
            view.with(|view| view.entity.domain.clone()).map(|domain| {
                view! {
                    <p class="path">
                        <span>{domain.path.to_string()}</span>
                        " "
                        <span>{voice::grouped(domain.files.into())}</span>
                    </p>
                }
            })
        }
    };
    let beads = Memo::new(move |_| view.with(|view| view.beads.clone()));
    let bead_room = Memo::new(move |_| arrangement.with(|arrangement| arrangement.beads));
    let shown_beads = move || {
        let room = bead_room.get();
        let awake = status.get() != EntityStatus::Idle;
        let beads = if awake { beads.get() } else { Vec::new() };
        (room > 0 && !beads.is_empty()).then(|| {
            view! { <ul class="beads">{beads.into_iter().take(room).map(bead_line).collect_view()}</ul> }
        })
    };
    let at = move |read: fn(&crate::terrarium::layout::Placement) -> f64| {
        place.with(|place| place.as_ref().map(|p| format!("{:.1}px", read(p))))
    };
    view! {
        <li
            class="agent"
            class:seat-card=move || place.with(|p| p.is_some_and(|p| p.seat == Seat::Card))
            class:seat-rest=move || place.with(|p| p.is_some_and(|p| p.seat == Seat::Rest))
            class:seat-row=move || place.with(|p| p.is_some_and(|p| p.seat == Seat::Row))
            data-testid="agent-card"
            data-entity-id=id.to_string()
            data-status=move || voice::status_key(status.get())
            hidden=move || place.with(Option::is_none)
            style:transform=move || place.with(|p| p.map(|p| format!("translate({:.1}px,{:.1}px)", p.x, p.y)))
            style:width=move || at(|p| p.width)
            style:height=move || at(|p| p.height)
        >
            {path}
            <div class="card">
                <Mask id=id.to_string() status=status />
                <h3 dir="auto" title=move || label.get()>{move || label.get()}</h3>
                <p class="state" title=move || exact.get()>
                    {move || view! { <StatusGlyph status=status.get() /> }}
                    <b>{move || voice::status(status.get())}</b>
                    " "
                    <span>{since}</span>
                </p>
                <p class="doing" dir="auto" title=move || doing.get()>{move || doing.get()}</p>
                {move || progress.get().map(ruler)}
            </div>
            {shown_beads}
        </li>
    }
}

/// Ten ticks, an upright end mark, and the share in figures.
fn ruler(share: f32) -> impl IntoView {
    let percent = voice::percent(share);
    let x = share * 100.0;
    view! {
        <div class="ruler" role="img" aria-label=format!("{percent} done")>
            <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <path class="ticks" d="M0 7.500H100M0 4v4M10 6v2M20 6v2M30 6v2M40 6v2M50 6v2M60 6v2M70 6v2M80 6v2M90 6v2M100 4v4" />
                <path class="done" d=format!("M0 3H{x:.1}") />
                <path class="end" d=format!("M{x:.1} 0V8") />
            </svg>
            <span>{percent.clone()}</span>
        </div>
    }
}

/// Mark, short id (a link where the result can be seen), title.
fn bead_line(bead: Bead) -> impl IntoView {
    let short = bead.short.clone();
    let name = match bead.url {
        Some(url) => Either::Left(view! {
            <a href=url.as_str().to_owned() target="_blank" rel="noopener noreferrer">{short}</a>
        }),
        None => Either::Right(view! { <i>{short}</i> }),
    };
    let label = bead.label.to_string();
    view! {
        <li>
            <BeadGlyph kind=bead.kind outcome=bead.outcome />
            {name}
            " "
            <span dir="auto" title=label.clone()>{label.clone()}</span>
        </li>
    }
}
