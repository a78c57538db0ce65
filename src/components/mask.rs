//! A plain primate mask: fur in the agent's tone, a dark face, and eyes that tell the state.
//!
//! One mask for everybody; which ears, head and crown belong to whom comes with the sigils.

use crate::terrarium::layout::hash;
use leptos::prelude::*;
use monkeytown_protocol::EntityStatus;

/// The eight muted fur tones (`look.md`, "The sigil"). The style sheet has them as `--fur-0` to `--fur-7`.
const FURS: u32 = 8;

/// The mask of `id`, as `status` has it.
#[component]
pub fn Mask(
    /// Whose mask.
    #[prop(into)]
    id: String,
    /// What the eyes say.
    #[prop(into)]
    status: Signal<EntityStatus>,
) -> impl IntoView {
    let eyes_key = Signal::derive(move || status.get().as_str().to_owned());
    let fur = format!("mask fur-{}", hash(&id) % FURS);
    view! {
        <svg class=fur viewBox="-1 -1.5 26 26" aria-hidden="true" data-eyes=eyes_key>
            <path
                class="pelt"
                d="M12 3.600a9 9 0 0 1 8.600 6.300 2.900 2.900 0 1 1 .2 4.800 9 9 0 0 1-17.600 0 2.900 2.900 0 1 1 .2-4.800A9 9 0 0 1 12 3.600Z"
            />
            <path
                class="face"
                d="M12 9.200C10.400 7 5.800 7.400 5.800 11.600c0 4 3.200 5.600 6.200 9 3-3.400 6.200-5 6.200-9C18.200 7.400 13.600 7 12 9.200Z"
            />
            <path class="muzzle" d="M10.600 16.600h2.800v1.200h-2.800Z" />
            <path class="eyes" d=Signal::derive(move || eyes(status.get()).to_owned()) />
        </svg>
    }
}

/// Discs, half-lids, closed lids, arcs or crosses.
fn eyes(status: EntityStatus) -> &'static str {
    match status {
        EntityStatus::Active => "M8.500 9.950a1.750 1.750 0 1 0 .01 0ZM15.500 9.950a1.750 1.750 0 1 0 .01 0Z",
        EntityStatus::Processing => "M6.500 11.200h4a2 2 0 0 1-4 0ZM13.500 11.200h4a2 2 0 0 1-4 0Z",
        EntityStatus::Complete => "M6.600 12.600a1.900 2 0 0 1 3.800 0M13.600 12.600a1.900 2 0 0 1 3.800 0",
        EntityStatus::Error => "M7 10.200l3 3m0-3l-3 3M14 10.200l3 3m0-3l-3 3",
        EntityStatus::Idle => "M6.600 11.600a1.900 1.500 0 0 0 3.800 0M13.600 11.600a1.900 1.500 0 0 0 3.800 0",
    }
}
