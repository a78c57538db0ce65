//! The composition root: the only place that knows everyone.

use crate::{
    clock,
    components::{
        Announcer, ConnectionPanel, FlowKey, FlowList, Foot, GhostColumn, Notice, SystemPulse, Terrarium, Wordmark,
    },
    config,
    session::Session,
    signals::Signals,
    terrarium::stage::Stage,
};
use leptos::prelude::*;
use std::{cell::RefCell, rc::Rc};

/// Puts the page into the document and starts the visit.
pub fn mount() {
    if let Some(boot) = web_sys::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("boot")) {
        boot.remove();
    }
    mount_to_body(App);
}

/// The page.
#[component]
fn App() -> impl IntoView {
    let signals = Signals::new(clock::wall());
    let stage = Rc::new(RefCell::new(Stage::default()));
    provide_context(signals);
    let staged = Rc::clone(&stage);
    leptos::task::spawn_local(async move {
        let config = config::load().await;
        // The session lives in the callbacks that it registers: sockets, timers and the page's events.
        Session::start(config, signals, staged);
    });
    let stage = StoredValue::new_local(stage);
    view! {
        <div class="page">
            <header class="head">
                <Wordmark />
                <SystemPulse />
            </header>
            <ConnectionPanel />
            <Notice />
            <main class="field" aria-label="terrarium">
                <FlowKey />
                <Terrarium stage=stage />
                <FlowList />
            </main>
            <GhostColumn />
            <Foot />
            <Announcer />
        </div>
    }
}
