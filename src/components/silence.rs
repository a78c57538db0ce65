//! What the field says when nothing moves: that nobody is there yet, or that everybody rests, and when something last
//! happened. Knows nothing of seats.

use super::agent_card;
use crate::{
    dom::Piece,
    signals::{AgentView, ConnectionState, Signals, position},
    terrarium::seats,
    voice,
};
use std::{cell::Cell, rc::Rc};

/// The words over a silent field.
pub struct Silence {
    piece: Piece,
    page: Piece,
    silent: Cell<bool>,
}

impl Silence {
    /// The page's own.
    pub fn of_page() -> Self {
        Self { piece: Piece::section("silence"), page: Piece::section("page"), silent: Cell::default() }
    }

    /// Where the words stand.
    pub fn piece(&self) -> &Piece {
        &self.piece
    }

    /// Says it, to be called in an effect. Whether somebody has just stirred after all were at rest.
    pub fn say(&self, signals: &Signals, agents: &[Rc<AgentView>]) -> bool {
        let (live, refused) = {
            let connection = signals.connection.read();
            (connection.is_live(), matches!(connection.state, ConnectionState::Refused { .. }))
        };
        let awake = agents.iter().filter(|agent| seats::is_awake(agent)).count();
        self.page.mark("", "data-empty", if agents.is_empty() { "yes" } else { "" });
        let silent = awake == 0 && !agents.is_empty();
        self.page.mark("", "data-silent", if silent { "yes" } else { "" });
        let title = match (agents.len(), awake) {
            (0, _) if live => "no agent has been seen".to_owned(),
            (0, _) if refused => "no stream is heard".to_owned(),
            (0, _) => "waiting for the stream".to_owned(),
            (1, 0) => "the agent is at rest".to_owned(),
            (count, 0) => format!("all {} agents are at rest", voice::number(count)),
            _ => String::new(),
        };
        // What is missing is the present's.
        let whole = live && signals.connection.peek().is_whole() && signals.times.peek().next.is_none();
        let (last, link, watch) = match agents.len() {
            0 if live => ("watching. the first event brings one".to_owned(), None, ""),
            0 if refused => (String::new(), None, ""),
            0 => ("agents appear here as soon as it answers".to_owned(), None, ""),
            _ => {
                let item = signals.ghosts.read().newest.clone();
                let now = signals.times.read().now;
                let last = item.as_ref().map(|item| {
                    let at = item.agent.as_ref().and_then(|id| position(agents, id).ok());
                    let who = at.and_then(|at| agents.get(at));
                    let who = who.map_or_else(String::new, |agent| {
                        [" ", &*voice::name(agent.entity.label.as_str()), ","].concat()
                    });
                    ["last, ", &*voice::ago(now.since_millis(item.time)), ":", &who].concat()
                });
                (last.unwrap_or_default(), item, if whole { "still watching. nothing has been missed." } else { "" })
            }
        };
        self.piece.say("title", &title);
        self.piece.say("last", &last);
        let label = link.as_ref().map(|item| item.label.to_string()).unwrap_or_default();
        agent_card::link(&self.piece, "link", &label, link.as_ref().and_then(|item| item.url.as_ref()));
        self.piece.say("watch", watch);
        self.piece.show("", !title.is_empty());
        self.silent.replace(silent) && awake > 0
    }
}
