//! The composition root: the only place that knows everyone.

use crate::{
    address::Address,
    clock, components, config,
    dom::{document, is_embedded},
    hands,
    intent::{self, Intent},
    session::Session,
    signals::Signals,
    storage::{self, choices},
};
use leptos::prelude::*;

/// Puts the page's life into its markup and starts the visit.
pub fn mount() {
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
    mount_to_body(App);
}

/// The page. Its markup is there already (`index.html`): nothing is built, everything is bound.
#[component]
fn App() -> impl IntoView {
    let signals = Signals::new(clock::wall());
    let embedded = is_embedded();
    if embedded {
        // Nothing of a witness is read or kept in somebody else's page.
        storage::keep_no_more();
    }
    components::bind(&signals);
    leptos::task::spawn_local(async move {
        let config = config::load(choices::witness(clock::random)).await;
        // The session lives in the callbacks that it registers: sockets, timers and the page's events.
        let session = Session::start(config, signals);
        intent::on_intent(move |intent| match intent {
            intent if !embedded => session.intend(intent),
            // In another page one can look, and go to the whole page; whatever else is pressed, by whomever, does nothing.
            Intent::Open(id) => {
                hands::ask("whole", &Address { entity: Some(id), ..Address::default() }.print());
            }
            Intent::Follow(_)
            | Intent::Peek(_)
            | Intent::Bundle(_)
            | Intent::Everyone
            | Intent::Close
            | Intent::Back => {
                session.intend(intent);
            }
            _ => {}
        });
        // What was pressed before is pressed now.
        hands::ask("listens", "");
    });
}
