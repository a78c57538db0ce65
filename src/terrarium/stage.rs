//! Which flows are to be seen at a moment, and how brightly.
//!
//! A flow stays for at least two seconds after it was first seen, even when it completed at once, so that what
//! happened in an instant can be seen (`states.md`). At most fifty are drawn, the newest; the others are
//! counted. Pure: the moment is an argument.

use super::canvas::FADE_MILLIS;
use monkeytown_civilization::{Civilization, Keyed, Keys};
use monkeytown_protocol::{EntityId, Flow, FlowId, FlowKind, FlowStatus, limits::FLOWS_DRAWN_MAX};

/// Least time a flow is to be seen, in milliseconds.
pub const SEEN_MIN_MILLIS: f64 = 2_000.0;
/// Flows remembered on stage. Beyond what the fold holds open there are those that fade.
const STAGED_MAX: usize = 4_000;

/// A flow on stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Staged {
    /// What the fold says, or said last.
    pub flow: Flow,
    /// When it was first seen, on the monotonic clock.
    pub first_seen_millis: f64,
    /// When it ended, on the monotonic clock.
    pub ended_at_millis: Option<f64>,
    number: u64,
}

impl Staged {
    /// When it leaves the stage; `None` while it is under way.
    #[must_use]
    pub fn leaves_at(&self) -> Option<f64> {
        let ended = self.ended_at_millis?;
        Some(ended.max(self.first_seen_millis + SEEN_MIN_MILLIS) + FADE_MILLIS)
    }
}

/// The flows to be seen.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    staged: Keyed<FlowId, Staged>,
    next_number: u64,
}

impl Stage {
    /// Takes what the fold now says of the flows in `changed`. With `replaying`, those that have already ended
    /// are not put on stage: a catch-up is not played as if it were happening.
    pub fn update<'a>(
        &mut self,
        state: &Civilization,
        changed: impl Iterator<Item = &'a FlowId>,
        now_millis: f64,
        replaying: bool,
    ) {
        for id in changed {
            if let Some(open) = state.flow(id) {
                self.put(id, &open.flow, now_millis, None);
            } else if let Some(flow) = state.finished_flow(id) {
                if self.staged.contains_key(id) || !replaying {
                    self.put(id, flow, now_millis, Some(now_millis));
                }
            } else if let Some(staged) = self.staged.get_mut(id) {
                // Forgotten by the fold's bounds: it fades as if it had arrived.
                staged.ended_at_millis.get_or_insert(now_millis);
            }
        }
    }

    fn put(&mut self, id: &FlowId, flow: &Flow, now_millis: f64, ended_at_millis: Option<f64>) {
        if let Some(staged) = self.staged.get_mut(id) {
            staged.flow = flow.clone();
            // An end told twice is one end; a flow that moves again has none.
            staged.ended_at_millis = ended_at_millis.map(|ended| staged.ended_at_millis.unwrap_or(ended));
            return;
        }
        if self.staged.len() >= STAGED_MAX {
            // The fold holds fewer flows open than the stage has places, so somebody here is fading.
            let fading = self.staged.values().filter(|staged| staged.ended_at_millis.is_some());
            if let Some(oldest) = fading.map(|staged| staged.number).min() {
                self.staged.retain(|_, staged| staged.number != oldest);
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        let staged = Staged { flow: flow.clone(), first_seen_millis: now_millis, ended_at_millis, number };
        self.staged.insert(id.clone(), staged);
    }

    /// Lets those go whose time is over. True when somebody left.
    pub fn sweep(&mut self, now_millis: f64) -> bool {
        let before = self.staged.len();
        self.staged.retain(|_, staged| staged.leaves_at().is_none_or(|leaves| leaves > now_millis));
        before != self.staged.len()
    }

    /// The flows to draw, oldest first, at most fifty; and the others in bundles.
    #[must_use]
    pub fn cast(&self) -> (Vec<&Staged>, Vec<Bundled<'_>>) {
        // Broken ones and those under way are seen before those that fade; then the newest. The number is unique, so
        // that it leads back to whom it belongs; sorting plain numbers is the one sort that the fold has already.
        let rank = |staged: &Staged| {
            let fading = staged.ended_at_millis.is_some() && staged.flow.status != FlowStatus::Error;
            (u64::from(fading) << 63) | (u64::MAX / 2 - staged.number)
        };
        let staged: Vec<&Staged> = self.staged.values().collect();
        if staged.len() <= FLOWS_DRAWN_MAX {
            return (in_order(staged), Vec::new());
        }
        let mut ranks: Vec<u64> = staged.iter().map(|staged| rank(staged)).collect();
        ranks.sort_unstable();
        let last = ranks.get(FLOWS_DRAWN_MAX - 1).copied().unwrap_or(0);
        let (drawn, others): (Vec<&Staged>, Vec<&Staged>) = staged.into_iter().partition(|staged| rank(staged) <= last);
        (in_order(drawn), bundled(&others))
    }

    /// Whether nobody is on stage.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }
}

/// Flows that are not drawn one by one.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundled<'a> {
    /// Where they come from; `None` for what is left of everybody.
    pub source: Option<EntityId>,
    /// Where they go; `None` for all the ways of one source.
    pub target: Option<EntityId>,
    /// What moves in most of them.
    pub kind: FlowKind,
    /// The flows, each in one bundle only.
    pub flows: Vec<&'a Staged>,
}

fn in_order(staged: Vec<&Staged>) -> Vec<&Staged> {
    // Number and place in one plain number, for the same reason; the stage holds far fewer than 2^16.
    let mut numbers: Vec<u64> = staged.iter().enumerate().map(|(at, staged)| staged.number << 16 | at as u64).collect();
    numbers.sort_unstable();
    let at = |number: u64| usize::try_from(number & 0xffff).ok();
    numbers.iter().filter_map(|number| staged.get(at(*number)?).copied()).collect()
}

fn bundled<'a>(flows: &[&'a Staged]) -> Vec<Bundled<'a>> {
    let mut ids: Keys<EntityId> = Keys::default();
    ids.extend(flows.iter().flat_map(|staged| [staged.flow.source.clone(), staged.flow.target.clone()]));
    let number = |id: &EntityId| u32::try_from(ids.iter().position(|held| held == id).unwrap_or_default()).unwrap_or(0);
    let id = |number: Option<u32>| ids.iter().nth(usize::try_from(number?).ok()?).cloned();
    let wires: Vec<(u32, u32, u8)> = flows
        .iter()
        .map(|staged| (number(&staged.flow.source), number(&staged.flow.target), staged.flow.kind as u8))
        .collect();
    let kinds = [FlowKind::Message, FlowKind::Resource, FlowKind::Contract, FlowKind::Signal];
    let bundling = monkeytown_terrain::bundle(&wires, 0);
    let told = bundling.bundles.iter().map(|bundle| Bundled {
        source: id(bundle.source),
        target: id(bundle.target),
        kind: kinds.into_iter().find(|kind| *kind as u8 == bundle.kind).unwrap_or(FlowKind::Message),
        flows: bundle.members.iter().filter_map(|at| flows.get(*at).copied()).collect(),
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_civilization::Changes;
    use monkeytown_protocol::{EntityId, Event, EventId, FlowKind, FlowVerb, Payload, Ratio, SourceUri, Timestamp};

    fn say(state: &mut Civilization, id: &str, status: FlowStatus) -> Changes {
        let entity = |name| EntityId::new(name).expect("an id");
        let flow = Flow {
            id: FlowId::new(id).expect("an id"),
            source: entity("a"),
            target: entity("b"),
            kind: FlowKind::Message,
            status,
            progress: Ratio::ZERO,
            reason: None,
        };
        let mut changes = Changes::default();
        let event = Event {
            id: EventId::new(id).expect("an id"),
            source: SourceUri::new("/test").expect("a source"),
            time: Timestamp::from_millis(0),
            recorded: None,
            trace: None,
            cause: None,
            payload: Payload::Flow(FlowVerb::Created, flow),
        };
        state.apply(event, &mut changes);
        changes
    }

    #[test]
    fn a_flow_that_completed_at_once_is_still_seen_for_two_seconds() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        let changes = say(&mut state, "f", FlowStatus::Complete);
        stage.update(&state, changes.flows.iter(), 1_000.0, false);
        stage.sweep(2_999.0);
        assert_eq!(stage.cast().0[0].light(2_999.0), 1.0);
        stage.sweep(4_001.0);
        assert!(stage.is_empty());
    }

    #[test]
    fn what_ended_before_the_page_caught_up_is_not_played() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        let changes = say(&mut state, "f", FlowStatus::Complete);
        stage.update(&state, changes.flows.iter(), 0.0, true);
        assert!(stage.is_empty());
    }

    #[test]
    fn the_fifty_newest_are_drawn_and_the_others_counted() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        for at in 0..60 {
            let changes = say(&mut state, &format!("f{at}"), FlowStatus::Active);
            stage.update(&state, changes.flows.iter(), 0.0, false);
        }
        let (drawn, hidden) = stage.cast();
        assert_eq!((drawn.len(), hidden), (50, 10));
        assert_eq!(drawn[0].flow.id.as_str(), "f10");
    }

    #[test]
    fn a_broken_flow_is_seen_before_those_that_fade() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        let broken = say(&mut state, "broken", FlowStatus::Error);
        stage.update(&state, broken.flows.iter(), 0.0, false);
        for at in 0..60 {
            let changes = say(&mut state, &format!("f{at}"), FlowStatus::Complete);
            stage.update(&state, changes.flows.iter(), 0.0, false);
        }
        assert!(stage.cast().0.iter().any(|staged| staged.flow.id.as_str() == "broken"));
    }
}
