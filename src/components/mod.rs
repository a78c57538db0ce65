//! What is seen: one component a file. A component reads signals and nothing else: no socket, no clock, no storage.

use leptos::prelude::*;
use monkeytown_protocol::HttpsUrl;

/// Text that follows what `read` reads. One type for every text and attribute of the page: each closure of its own
/// would cost the page another copy of what redraws it (`ARCHITECTURE.md`, "Bytes").
fn text(read: impl Fn() -> String + Send + Sync + 'static) -> Signal<String> {
    Signal::derive(read)
}

/// A part of the page that comes and goes; one type for all of them, for the same reason.
fn part(read: impl Fn() -> AnyView + Send + 'static) -> Box<dyn Fn() -> AnyView + Send> {
    Box::new(read)
}

/// The short name of a piece of work: a link where its result can be seen.
fn result_link(url: Option<&HttpsUrl>, short: String) -> AnyView {
    match url {
        Some(url) => {
            let href = url.as_str().to_owned();
            view! { <a href=href target="_blank" rel="noopener noreferrer">{short}</a> }.into_any()
        }
        None => view! { <i>{short}</i> }.into_any(),
    }
}

mod agent_card;
mod announcer;
mod connection_panel;
mod flow_key;
mod flow_list;
mod foot;
mod ghost_column;
mod glyph;
mod mask;
mod notice;
mod system_pulse;
mod terrarium;
mod wordmark;

pub use agent_card::AgentCard;
pub use announcer::Announcer;
pub use connection_panel::ConnectionPanel;
pub use flow_key::FlowKey;
pub use flow_list::FlowList;
pub use foot::Foot;
pub use ghost_column::GhostColumn;
pub use glyph::{BeadGlyph, StatusGlyph};
pub use mask::Mask;
pub use notice::Notice;
pub use system_pulse::SystemPulse;
pub use terrarium::Terrarium;
pub use wordmark::Wordmark;
