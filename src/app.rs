//! The composition root: the only place that knows everyone.

use crate::{
    clock, components, config, dom::document, hands, intent, session::Session, signals::Signals, storage::choices,
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
    components::bind(&signals);
    leptos::task::spawn_local(async move {
        let config = config::load(choices::witness(clock::random)).await;
        // The session lives in the callbacks that it registers: sockets, timers and the page's events.
        let session = Session::start(config, signals);
        intent::on_intent(move |intent| session.intend(intent));
        // What was pressed before is pressed now.
        hands::ask("listens", "");
    });
}
