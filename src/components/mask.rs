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
    let fur = format!("mask fur-{}", hash(&id) % FURS);
    view! {
        <svg class=fur viewBox="-1 -1.5 26 26" aria-hidden="true" data-eyes=move || crate::voice::status_key(status.get())>
            <path
                class="pelt"
                d="M10.2-.4h3.6v4h2.6a4 4 0 0 1 4 4H24v5.5a2.4 2.4 0 0 1-2.4 2.4h-1.2V18a4 4 0 0 1-4 4H7.600a4 4 0 0 1-4-4v-2.500H2.400A2.400 2.400 0 0 1 0 13.100V7.600h3.600a4 4 0 0 1 4-4h2.600Z"
            />
            <rect class="face" x="5" y="8.600" width="14" height="6" rx="3" />
            <path class="muzzle" d="M8.600 17.600h6.800v1.500H8.600Z" />
            {move || eyes(status.get())}
        </svg>
    }
}

fn eyes(status: EntityStatus) -> impl IntoView {
    let path = match status {
        EntityStatus::Active => "M8.500 9.950a1.750 1.750 0 1 0 .01 0ZM15.500 9.950a1.750 1.750 0 1 0 .01 0Z",
        EntityStatus::Processing => "M6.500 11.200h4a2 2 0 0 1-4 0ZM13.500 11.200h4a2 2 0 0 1-4 0Z",
        EntityStatus::Complete => "M6.600 12.600a1.900 2 0 0 1 3.800 0M13.600 12.600a1.900 2 0 0 1 3.800 0",
        EntityStatus::Error => "M7 10.200l3 3m0-3l-3 3M14 10.200l3 3m0-3l-3 3",
        EntityStatus::Idle => "M6.600 11.600a1.900 1.500 0 0 0 3.800 0M13.600 11.600a1.900 1.500 0 0 0 3.800 0",
    };
    view! { <path class="eyes" d=path /> }
}
