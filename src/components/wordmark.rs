//! The wordmark: mask, name, and who is watched. Its mask sleeps when everyone does.

use crate::{
    components::{Mask, text},
    signals::Signals,
    terrarium::layout::Sitter,
    voice,
};
use leptos::prelude::*;
use monkeytown_protocol::{EntityStatus, SourceKind};

/// Mask, name, and a line under it.
#[component]
pub fn Wordmark() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let anyone_awake = move |roster: &Vec<Sitter>| roster.iter().any(|sitter| sitter.posture.is_awake());
    let status =
        Signal::derive(
            move || {
                if signals.roster.with(anyone_awake) { EntityStatus::Active } else { EntityStatus::Idle }
            },
        );
    let line = text(move || {
        let agents = voice::counted(signals.roster.with(Vec::len), "agent");
        match signals.figures.get().source {
            None => "looking for the stream".to_owned(),
            Some(SourceKind::Git) => format!("{agents}, one repository"),
            Some(SourceKind::Live) => format!("{agents}, live"),
            Some(SourceKind::Simulated) => format!("{agents}, invented"),
        }
    });
    let name = text(move || signals.app_name.get());
    view! {
        <div class="wordmark">
            <Mask id="monkeytown" status=status />
            <div>
                <h1>{name}</h1>
                <p>{line}</p>
            </div>
        </div>
    }
}
