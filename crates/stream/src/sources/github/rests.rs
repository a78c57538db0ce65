//! What is told later than its delivery: agents that rest, and runs of which nothing more was heard.
//!
//! Two queues, each in the order in which its entries are due, since each kind waits for as long as the others of its
//! kind. Both are bounded; who wakes in between is passed over when its turn comes. Knows no clock.

use super::{
    EntityId, EntityKind, EntityPatch, EntityVerb, GitHub, RunReport, Scene, Told,
    telling::{Later, Telling, reason, set},
};
use monkeytown_protocol::{EntityStatus, Field, Timestamp};
use std::{collections::VecDeque, time::Instant};

/// Most entries of either queue. What is over it is told early rather than never.
const WAITING_MAX: usize = 4_000;

/// An agent that rests unless it has been woken since.
#[derive(Debug)]
pub(super) struct Rest {
    agent: EntityId,
    /// How often it had been woken.
    woken: u64,
    later: Later,
}

#[derive(Debug, Default)]
pub(super) struct Rests {
    rests: VecDeque<(Instant, Rest)>,
    silences: VecDeque<(Instant, u64)>,
}

impl Rests {
    pub(super) fn next_due(&self) -> Option<Instant> {
        let rest = self.rests.front().map(|(due, _)| *due);
        let silence = self.silences.front().map(|(due, _)| *due);
        rest.into_iter().chain(silence).min()
    }

    pub(super) fn pop_rest(&mut self, at: Instant) -> Option<Rest> {
        pop(&mut self.rests, at)
    }

    pub(super) fn pop_silence(&mut self, at: Instant) -> Option<u64> {
        pop(&mut self.silences, at)
    }

    pub(super) fn push_silence(&mut self, due: Instant, run: u64) {
        push(&mut self.silences, due, run);
    }
}

fn pop<T>(queue: &mut VecDeque<(Instant, T)>, at: Instant) -> Option<T> {
    let full = queue.len() > WAITING_MAX;
    queue.pop_front_if(|(due, _)| *due <= at || full).map(|(_, waiting)| waiting)
}

fn push<T>(queue: &mut VecDeque<(Instant, T)>, due: Instant, waiting: T) {
    queue.push_back((due, waiting));
}

impl GitHub {
    /// Says that `agent` rests in a while, unless it starts again.
    pub(super) fn rest_later(&mut self, agent: &EntityId, scene: &Scene) {
        let woken = self.agents.get(agent).copied().unwrap_or_default();
        let rest = Rest { agent: agent.clone(), woken, later: scene.telling.later() };
        push(&mut self.rests.rests, scene.at + self.config.rest_after, rest);
    }

    pub(super) fn rest(&mut self, rest: Rest, now: Timestamp) -> Option<Told> {
        if self.agents.get(&rest.agent) != Some(&rest.woken) {
            return None;
        }
        let patch = EntityPatch { status: Some(EntityStatus::Idle), ..EntityPatch::of(rest.agent) };
        Some(told(rest.later, now, patch, Vec::new()))
    }

    /// Gives up a run of which nothing was heard for as long as a run may last; looks again later otherwise.
    pub(super) fn give_up(&mut self, number: u64, now: Timestamp, at: Instant) -> Option<Told> {
        let silence = self.config.silence;
        let run = self.runs.get_mut(&number).filter(|run| !run.ended)?;
        let due = run.heard + silence;
        if due > at {
            // Where there is no room, it is followed no longer.
            if self.rests.silences.len() < WAITING_MAX {
                self.rests.push_silence(due, number);
            }
            return None;
        }
        run.ended = true;
        let (agent, later, name) = (run.agent.clone(), run.later.clone(), run.name.clone());
        if self.at_work(&agent).is_some() {
            return None;
        }
        let hours = silence.as_secs().div_ceil(3_600);
        let patch = EntityPatch {
            kind: Some(EntityKind::Agent),
            status: Some(EntityStatus::Error),
            reason: Field::Set(reason(&format!("nothing was heard of {name} for {hours} hours"))),
            url: set(None),
            ..EntityPatch::of(agent.clone())
        };
        Some(told(later, now, patch, vec![RunReport::Ended { agent, outcome: None, took: None }]))
    }
}

fn told(later: Later, now: Timestamp, patch: EntityPatch, runs: Vec<RunReport>) -> Told {
    let mut telling = Telling::of_later(later, now);
    telling.entity(now, EntityVerb::StatusChanged, patch);
    Told { events: telling.events, left_out: 0, runs, untold: None }
}
