//! What changes, said to those who listen: politely, and what breaks at once; at most one thing a second.

use crate::{
    dom::{Piece, follow},
    signals::{ConnectionState, Signals},
    voice,
};
use monkeytown_protocol::EntityStatus;

/// Two live regions. They follow the page's one-second tick, so they never speak faster.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (polite, urgent) = (Piece::section("polite"), Piece::section("urgent"));
    follow(move || {
        signals.times.read();
        let active = signals.figures.peek().pulse.map_or(0, |pulse| pulse.active_agents as usize);
        let said = match signals.connection.peek().state {
            ConnectionState::Live | ConnectionState::Sse | ConnectionState::Polling => {
                format!("{} at work", voice::counted(active, "agent"))
            }
            ConnectionState::Connecting => "asking for the stream".to_owned(),
            ConnectionState::Offline => "this device has no network".to_owned(),
            ConnectionState::Refused { .. } => "the stream said stay away".to_owned(),
            ConnectionState::Reconnecting { .. } => "the stream is out of reach; trying again".to_owned(),
        };
        polite.say("", &said);
        // The newest break: one that lasts must not silence those after it.
        let agents = signals.agents.peek();
        let broken = agents.iter().filter(|agent| agent.entity.status == EntityStatus::Error);
        let newest = broken.max_by_key(|agent| agent.entity.since);
        urgent.say(
            "",
            &newest.map_or_else(String::new, |agent| format!("{} is broken", voice::name(agent.entity.label.as_str()))),
        );
    });
}
