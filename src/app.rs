//! The composition root: the only place that knows everyone.

use crate::{clock, components, config, dom::document, intent, session::Session, signals::Signals, storage::choices};
use leptos::prelude::*;

/// Puts the page's life into its markup and starts the visit.
pub fn mount() {
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
    mount_to_body(App);
}

/// Says that the program has stopped, on the page and in the console: what is shown from here on is not kept true.
pub fn say_stopped(why: &str) {
    web_sys::console::error_1(&why.into());
    let find = |id| document().get_element_by_id(id);
    let Some(notice) = find("notice") else { return };
    // Names of attributes are ours, so that the browser refuses none of these.
    let _ = notice.remove_attribute("hidden");
    if let Ok(Some(words)) = notice.query_selector("[data-p=words]") {
        words.set_text_content(Some("broken: this page's program has stopped, and shows nothing new. reload the page"));
    }
    if let (Some(page), Some(connection)) = (find("page"), find("connection")) {
        let _ = page.set_attribute("data-health", "disconnected");
        let _ = connection.set_attribute("data-state", "offline");
    }
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
    });
}
