//! Small marks that say by shape what colour says too.

use leptos::prelude::*;
use monkeytown_civilization::{HistoryKind, Outcome};
use monkeytown_protocol::EntityStatus;

/// The mark of a status: disc, half disc, dash, tick, cross.
#[component]
pub fn StatusGlyph(
    /// Whose mark.
    status: EntityStatus,
) -> impl IntoView {
    let (class, path) = match status {
        EntityStatus::Active => ("glyph disc", "M5 1.500a3.500 3.500 0 1 0 .01 0Z"),
        EntityStatus::Processing => ("glyph half", "M1.500 5a3.500 3.500 0 0 0 7 0ZM1.500 5a3.500 3.500 0 0 1 7 0"),
        EntityStatus::Idle => ("glyph dash", "M1.500 5h7"),
        EntityStatus::Complete => ("glyph tick", "M1.500 5.500 4 8l4.500-6"),
        EntityStatus::Error => ("glyph cross", "M2 2l6 6m0-6L2 8"),
    };
    view! {
        <svg class=class viewBox="0 0 10 10" aria-hidden="true">
            <path d=path />
        </svg>
    }
}

/// The mark of a piece of work: a bead for a commit, a diamond for a pull request (filled when settled), a
/// cross for what broke.
#[component]
pub fn BeadGlyph(
    /// What it was.
    kind: HistoryKind,
    /// How it ended; `None` while open.
    outcome: Option<Outcome>,
) -> impl IntoView {
    let (class, path) = match (kind, outcome) {
        (_, Some(Outcome::Broken)) => ("glyph cross", "M2 2l6 6m0-6L2 8"),
        (HistoryKind::Contract, None) => ("glyph diamond hollow", "M5 .8 9.200 5 5 9.200.8 5Z"),
        (HistoryKind::Contract, _) => ("glyph diamond", "M5 .8 9.200 5 5 9.200.8 5Z"),
        (HistoryKind::Run, _) => ("glyph tick", "M1.500 5.500 4 8l4.500-6"),
        (HistoryKind::Transaction, _) => ("glyph bead", "M5 2a3 3 0 1 0 .01 0Z"),
    };
    view! {
        <svg class=class viewBox="0 0 10 10" aria-hidden="true">
            <path d=path />
        </svg>
    }
}
