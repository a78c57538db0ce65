//! The wordmark: mask, name, and who is watched. Its mask sleeps when everyone does.

use crate::{
    dom::{Piece, follow},
    signals::Signals,
    terrarium::seats::is_awake,
    voice,
};
use monkeytown_protocol::SourceKind;

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("wordmark");
    follow(move || {
        let agents = signals.agents.read();
        let eyes = if agents.iter().any(|agent| is_awake(agent)) { "active" } else { "idle" };
        piece.set("mask", "data-status", eyes);
        piece.set("eyes", "href", &["#y-", eyes].concat());
        piece.say("name", &signals.app_name.read());
        let count = voice::counted(agents.len(), "agent");
        let line = match signals.figures.read().source {
            None => "looking for the stream".to_owned(),
            Some(SourceKind::Git) => format!("{count}, one repository"),
            Some(SourceKind::Live) => format!("{count}, live"),
            Some(SourceKind::Simulated) => format!("{count}, invented"),
        };
        piece.say("line", &line);
    });
}
