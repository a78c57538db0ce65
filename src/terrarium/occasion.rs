//! What calls for another arrangement: who is there and how, who works with whom, and how much room there is.
//!
//! Pure; the arrangement itself is `monkeytown-terrain`'s.

use super::{
    calm::Body,
    seats::{self, whole},
};
use crate::{
    sigil::hash,
    signals::{AgentView, FlowsView, Gaze, position},
};
use monkeytown_protocol::{EntityId, FlowStatus};
use monkeytown_terrain::Detail;
use std::rc::Rc;

/// What an arrangement was made for. The same again needs no other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Occasion {
    /// Where the agents begin.
    pub top: f32,
    /// The field's width.
    pub width: f32,
    /// The field's height.
    pub height: f32,
    /// Who is there, in which posture, and how large a card it has at most.
    pub bodies: Vec<Body>,
}

/// The occasion of a civilization in a field of this size, with cards as they are in a `storm` of flows or out of it;
/// `scale` is how much larger than usual text is.
#[must_use]
pub fn occasion(
    agents: &[Rc<AgentView>],
    gaze: &Gaze,
    storm: bool,
    (width, height): (f32, f32),
    scale: f32,
) -> Occasion {
    let body = |agent: &Rc<AgentView>| {
        let detail = if storm { Detail::Plain } else { Detail::Full };
        let full = seats::size(agent, gaze.ignores(agent), detail, width, scale);
        // Waiting and resting look alike and sit alike: flows that come and go move nobody at rest.
        let posture = seats::posture(agent, false);
        (hash(agent.id.as_str()), [posture as i32, whole(full.width), whole(full.height)])
    };
    Occasion { top: 0.0, width, height, bodies: agents.iter().map(body).collect() }
}

/// A pending flow waits on its target.
#[must_use]
pub fn is_waited_for(flows: &FlowsView, id: &EntityId) -> bool {
    flows.drawn.iter().any(|flow| flow.status == FlowStatus::Pending && flow.target == *id)
}

/// Who works with whom, each pair once: their places in `agents`.
#[must_use]
pub fn links(agents: &[Rc<AgentView>], flows: &FlowsView) -> Vec<(usize, usize)> {
    let find = |id: &EntityId| position(agents, id).ok();
    let mut pairs: Vec<(usize, usize)> = Vec::new();
    for flow in &flows.drawn {
        if let (Some(source), Some(target)) = (find(&flow.source), find(&flow.target)) {
            let pair = (source.min(target), source.max(target));
            if source != target && !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    pairs
}
