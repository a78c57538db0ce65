//! Where everybody sits in the field: what is known of agents and flows, told to the engine, and its places as seats.
//!
//! Pure: whether the engine's time is over is a question that the caller answers.

use super::{
    occasion::is_waited_for,
    seats::{self, Seat},
};
use crate::{
    sigil::hash,
    signals::{AgentView, FlowsView, Gaze, position},
};
use monkeytown_protocol::EntityId;
use monkeytown_terrain::{Body, Detail, Link, Point, Rect, arrange};
use std::rc::Rc;

/// Air around the field, in CSS pixels (`look.md`, "Frame").
const MARGIN: f32 = 24.0;
/// Height of the count of those without room.
const CROWD: f32 = 44.0;

/// The field, in CSS pixels.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Its width.
    pub width: f32,
    /// Its height.
    pub height: f32,
    /// Where the agents begin.
    pub top: f32,
    /// How much larger than usual text is.
    pub scale: f32,
}

/// Everybody's seat in the field, in the order of `agents`. Those in `held` stay where they were before. `over` says
/// when the engine has had its time.
#[must_use]
pub fn seat_all(
    agents: &[Rc<AgentView>],
    (gaze, flows, links): (&Gaze, &FlowsView, &[(usize, usize)]),
    &Room { width, height, top, scale }: &Room,
    (before, held): (&[(EntityId, Seat)], &[EntityId]),
    over: &dyn Fn() -> bool,
) -> Vec<Option<Seat>> {
    let ignored = |agent: &AgentView| gaze.ignores(agent);
    let find = |id: &EntityId| position(agents, id).ok();
    let is_held = |id: &EntityId| held.contains(id);
    let held = |id: &EntityId, now: Option<Seat>| {
        let (_, seat) = before.iter().find(|(held, _)| held == id && is_held(id))?;
        let around = now.as_ref().unwrap_or(seat);
        let (left, above) = (around.rect.x - around.outer.x, around.rect.y - around.outer.y);
        Some(Point { x: seat.rect.x - left, y: seat.rect.y - above })
    };
    let mut bodies: Vec<Body> = agents
        .iter()
        .map(|agent| {
            let mut sizes = seats::sizes(agent, ignored(agent), width, scale);
            if flows.storm {
                // The room of recent work is the flows'.
                let [full, plain, ..] = &mut sizes;
                *full = *plain;
            }
            let posture = seats::posture(agent, is_waited_for(flows, &agent.id));
            let parent = agent.entity.parent.as_ref().and_then(find);
            Body { key: hash(agent.id.as_str()), posture, sizes, parent, held: None }
        })
        .collect();
    let links: Vec<Link> = links.iter().map(|(a, b)| Link { a: *a, b: *b, weight: 1.0 }).collect();
    let within = |bodies: &[Body], below: f32| {
        let room = Rect { x: MARGIN, y: top, width: width - 2.0 * MARGIN, height: height - top - below };
        let places = arrange(bodies, &links, room, &mut || over());
        let seats = agents.iter().zip(bodies).zip(&places.places);
        let seats = seats.map(|((agent, body), place)| {
            let place = (*place)?;
            let detail = match seats::detail(&body.sizes, place) {
                Detail::Full if flows.storm => Detail::Plain,
                detail => detail,
            };
            Some(seats::seat(agent, ignored(agent), place, detail, width, scale))
        });
        seats.collect::<Vec<_>>()
    };
    let mut below = MARGIN / 2.0;
    let mut seats = Vec::new();
    // What is held is the card, not what hangs around it, and how much hangs there is known only afterwards; those
    // without a place are counted at the bottom, where nobody may sit then.
    for _ in 0..3 {
        for (at, (agent, body)) in agents.iter().zip(&mut bodies).enumerate() {
            let now = seats.get(at).copied().flatten();
            body.held = held(&agent.id, now);
        }
        seats = within(&bodies, below);
        let crowded = below < CROWD && seats.iter().any(Option::is_none);
        let moved = |(at, seat): (usize, &Option<Seat>)| {
            let (seat, agent) = ((*seat)?, agents.get(at)?);
            let held = before.iter().find(|(id, _)| *id == agent.id && is_held(id))?;
            ((held.1.rect.x - seat.rect.x).abs() > 1.0 || (held.1.rect.y - seat.rect.y).abs() > 1.0).then_some(())
        };
        let is_moved = seats.iter().enumerate().any(|seat| moved(seat).is_some());
        if crowded {
            below = CROWD + MARGIN;
        } else if !is_moved {
            break;
        }
    }
    seats
}
