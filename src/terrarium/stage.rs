//! Which flows are to be seen at a moment, and how brightly.
//!
//! A flow stays for at least two seconds after it was first seen, even when it completed at once, so that what
//! happened in an instant can be seen (`states.md`). At most fifty are drawn, the newest; the others are
//! counted. Pure: the moment is an argument.

use super::canvas::FADE_MILLIS;
use monkeytown_civilization::{Civilization, Keyed, Keys};
use monkeytown_protocol::{EntityId, Flow, FlowId, FlowKind, FlowStatus, limits::FLOWS_DRAWN_MAX};
use monkeytown_terrain::rising;

/// Least time a flow is to be seen, in milliseconds.
pub const SEEN_MIN_MILLIS: f64 = 2_000.0;
/// Least time a broken flow is to be seen, in milliseconds.
const BROKEN_MIN_MILLIS: f64 = 60_000.0;
/// Broken flows seen for that long; the older ones among more leave as if they had arrived.
const BROKEN_MAX: usize = 8;
/// Pairs between which flows are drawn when there are too many: about as many ways as a field can hold legibly.
const TRUNKS: usize = 13;
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
        // What broke is to be seen by who looks up a minute later.
        let least = if self.flow.status == FlowStatus::Error { BROKEN_MIN_MILLIS } else { SEEN_MIN_MILLIS };
        Some(ended.max(self.first_seen_millis + least) + FADE_MILLIS)
    }
}

/// The flows to be seen.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    staged: Keyed<FlowId, Staged>,
    next_number: u64,
    /// Between whom flows were drawn last, while there were too many.
    trunks: Vec<(EntityId, EntityId)>,
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
        let broken = self.staged.values().filter(|staged| staged.flow.status == FlowStatus::Error);
        let numbers = rising(broken.map(|staged| staged.number).collect());
        let oldest = numbers.len().checked_sub(BROKEN_MAX).and_then(|at| numbers.get(at)).copied().unwrap_or(0);
        self.staged.retain(|_, staged| {
            let seen = now_millis > staged.first_seen_millis + SEEN_MIN_MILLIS;
            staged.flow.status != FlowStatus::Error || staged.number >= oldest || !seen
        });
        self.staged.retain(|_, staged| staged.leaves_at().is_none_or(|leaves| leaves > now_millis));
        before != self.staged.len()
    }

    /// The flows to draw, oldest first, at most fifty; and the others in bundles.
    ///
    /// Over fifty few pairs are drawn with several strands each, not many with one: the busiest, and those drawn before
    /// until others are twice as busy. A field is legible by how few ways it has, not by how few lines. What broke is
    /// seen before all else.
    #[must_use]
    pub fn cast(&mut self) -> (Vec<&Staged>, Vec<Bundled<'_>>) {
        let staged = in_order(self.staged.values().collect());
        if staged.len() <= FLOWS_DRAWN_MAX {
            self.trunks.clear();
            return (staged, Vec::new());
        }
        let mut groups = by_trunk(&staged, &self.trunks);
        let strands = FLOWS_DRAWN_MAX.div_ceil(groups.len().clamp(1, TRUNKS));
        let mut drawn: Vec<&Staged> = Vec::with_capacity(FLOWS_DRAWN_MAX);
        let mut trunks = Vec::new();
        let is_broken = |staged: &&Staged| staged.flow.status == FlowStatus::Error;
        // Of each pair the newest; where all pairs together have too few strands so, as many as there are.
        for (most, broken) in [(FLOWS_DRAWN_MAX, true), (strands, false), (FLOWS_DRAWN_MAX, false)] {
            for group in &mut groups {
                let mut left = most.min(FLOWS_DRAWN_MAX - drawn.len());
                if left == 0 {
                    break;
                }
                if left > 0
                    && !broken
                    && let Some(first) = group.first()
                {
                    trunks.push(trunk(&first.flow));
                }
                let mut kept = Vec::new();
                while let Some(staged) = group.pop() {
                    if left > 0 && is_broken(&staged) == broken {
                        left -= 1;
                        drawn.push(staged);
                    } else {
                        kept.push(staged);
                    }
                }
                kept.reverse();
                *group = kept;
            }
        }
        self.trunks = trunks;
        let hidden = in_order(groups.into_iter().flatten().collect());
        let drawn = in_order(drawn);
        let bundles = bundled(&drawn, &hidden);
        (drawn, bundles)
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
    let numbers: Vec<u64> = staged.iter().enumerate().map(|(at, staged)| staged.number << 16 | at as u64).collect();
    let at = |number: u64| usize::try_from(number & 0xffff).ok();
    rising(numbers).iter().filter_map(|number| staged.get(at(*number)?).copied()).collect()
}

/// Who has a part in `flows`, each once, in order.
fn ends(flows: &[&Staged]) -> Keys<EntityId> {
    let mut ids: Keys<EntityId> = Keys::default();
    for staged in flows {
        for id in [&staged.flow.source, &staged.flow.target] {
            if !ids.contains(id) {
                ids.insert(id.clone());
            }
        }
    }
    ids
}

/// Between whom a flow runs, whichever way.
fn trunk(flow: &Flow) -> (EntityId, EntityId) {
    let (source, target) = (flow.source.clone(), flow.target.clone());
    if source < target { (source, target) } else { (target, source) }
}

/// `flows` by between whom they run, each group's in the order given; the busiest first, those in `before` as if they
/// were twice as busy, of equals the one with the oldest flow.
fn by_trunk<'a>(flows: &[&'a Staged], before: &[(EntityId, EntityId)]) -> Vec<Vec<&'a Staged>> {
    let ids = ends(flows);
    let number = |id: &EntityId| ids.position(id).unwrap_or_default() as u64;
    // Pair and place in one plain number, for the one sort; there are far fewer than 2^20 of each.
    let packed = flows.iter().enumerate();
    let packed = packed.map(|(at, staged)| {
        let (source, target) = (number(&staged.flow.source), number(&staged.flow.target));
        source.min(target) << 42 | source.max(target) << 21 | at as u64
    });
    let packed = rising(packed.collect());
    let flow_at = |number: u64| usize::try_from(number & 0x1f_ffff).ok().and_then(|at| flows.get(at)).copied();
    let runs: Vec<&[u64]> = packed.chunk_by(|a, b| a >> 21 == b >> 21).collect();
    let ranks = runs.iter().enumerate().filter_map(|(at, run)| {
        let oldest = *run.first()?;
        let was_drawn = before.contains(&trunk(&flow_at(oldest)?.flow));
        let weight = (run.len() as u64) << u32::from(was_drawn);
        Some((0xffff - weight.min(0xffff)) << 42 | (oldest & 0x1f_ffff) << 21 | at as u64)
    });
    let ranked = rising(ranks.collect());
    let run_at = |number: u64| usize::try_from(number & 0x1f_ffff).ok().and_then(|at| runs.get(at));
    ranked.into_iter().filter_map(|rank| Some(run_at(rank)?.iter().filter_map(|at| flow_at(*at)).collect())).collect()
}

fn bundled<'a>(drawn: &[&'a Staged], hidden: &[&'a Staged]) -> Vec<Bundled<'a>> {
    let flows: Vec<&Staged> = drawn.iter().chain(hidden).copied().collect();
    let ids = ends(&flows);
    let number = |id: &EntityId| ids.position(id).and_then(|at| u32::try_from(at).ok()).unwrap_or_default();
    let id = |number: Option<u32>| ids.iter().nth(usize::try_from(number?).ok()?).cloned();
    let wires: Vec<(u32, u32, u8)> = flows
        .iter()
        .map(|staged| (number(&staged.flow.source), number(&staged.flow.target), staged.flow.kind as u8))
        .collect();
    let kinds = [FlowKind::Message, FlowKind::Resource, FlowKind::Contract, FlowKind::Signal];
    let bundling = monkeytown_terrain::bundle(&wires, drawn.len());
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
        say_between(state, id, status, "a", "b")
    }

    fn say_between(state: &mut Civilization, id: &str, status: FlowStatus, source: &str, target: &str) -> Changes {
        let entity = |name| EntityId::new(name).expect("an id");
        let flow = Flow {
            id: FlowId::new(id).expect("an id"),
            source: entity(source),
            target: entity(target),
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
        assert!(!stage.is_empty());
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
        let (drawn, bundles) = stage.cast();
        let bundled: Vec<usize> = bundles.iter().map(|bundle| bundle.flows.len()).collect();
        assert_eq!((drawn.len(), bundled), (50, vec![10]));
        assert_eq!(drawn[0].flow.id.as_str(), "f10");
    }

    #[test]
    fn few_ribbons_hold_many_flows_and_every_flow_is_somewhere_once() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        for at in 0..500 {
            // Few pairs are busy, many are not.
            let (source, target) = (at % 10, if at % 3 == 0 { 10 + at % 40 } else { 10 });
            let ends = (format!("s{source}"), format!("t{target}"));
            let changes = say_between(&mut state, &format!("f{at}"), FlowStatus::Active, &ends.0, &ends.1);
            stage.update(&state, changes.flows.iter(), 0.0, false);
        }
        let (drawn, bundles) = stage.cast();
        let mut ids: Vec<&str> = drawn.iter().map(|staged| staged.flow.id.as_str()).collect();
        ids.extend(bundles.iter().flat_map(|bundle| &bundle.flows).map(|staged| staged.flow.id.as_str()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), drawn.len()), (500, 50));
        assert!(bundles.len() <= 10, "{} ribbons", bundles.len());
        assert!(bundles.iter().all(|bundle| bundle.flows.len() >= 3), "no crumbs");
    }

    #[test]
    fn in_a_storm_few_pairs_are_drawn_and_they_stay_while_others_are_a_little_busier() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        let mut send = |stage: &mut Stage, id: &str, source: usize, target: usize| {
            let ends = (format!("a{source:02}"), format!("a{target:02}"));
            let changes = say_between(&mut state, id, FlowStatus::Active, &ends.0, &ends.1);
            stage.update(&state, changes.flows.iter(), 0.0, false);
        };
        for at in 0..500 {
            // Every pair of ten, the lower ones a little busier.
            let pair = at % 45 - usize::from(at % 45 > 30 && at % 2 == 0) * 30;
            send(&mut stage, &format!("f{at}"), pair % 10, (pair % 10 + 1 + pair / 10) % 10);
        }
        let pairs = |drawn: &[&Staged]| {
            let mut pairs: Vec<_> = drawn.iter().map(|staged| trunk(&staged.flow)).collect();
            pairs.sort();
            pairs.dedup();
            pairs
        };
        let (drawn, bundles) = stage.cast();
        let before = pairs(&drawn);
        assert_eq!((drawn.len(), before.len()), (50, 13));
        // Ribbons run where strands run, but for what is gathered and happens to go to one alone.
        let joins = |bundle: &&Bundled| match (bundle.source.clone(), bundle.target.clone()) {
            (Some(source), Some(target)) => {
                before.contains(&if source < target { (source, target) } else { (target, source) })
            }
            _ => false,
        };
        assert!(bundles.iter().filter(joins).count() >= 3, "{bundles:?}");
        for at in 0..15 {
            send(&mut stage, &format!("more{at}"), 9, 4);
        }
        assert_eq!(pairs(&stage.cast().0), before, "one that is a little busier");
        for at in 0..40 {
            send(&mut stage, &format!("most{at}"), 9, 4);
        }
        let after = pairs(&stage.cast().0);
        assert!(after != before && after.len() == 13, "one that is far busier");
    }

    #[test]
    fn a_break_stays_in_sight_for_a_minute_and_of_many_the_newest() {
        let (mut stage, mut state) = (Stage::default(), Civilization::default());
        for at in 0..20 {
            let changes = say(&mut state, &format!("f{at}"), FlowStatus::Error);
            stage.update(&state, changes.flows.iter(), 0.0, false);
        }
        stage.sweep(30_000.0);
        let seen: Vec<String> = stage.cast().0.iter().map(|staged| staged.flow.id.to_string()).collect();
        assert_eq!(seen.len(), BROKEN_MAX);
        assert!(seen.contains(&"f19".to_owned()) && !seen.contains(&"f0".to_owned()), "{seen:?}");
        stage.sweep(62_000.0);
        assert!(stage.is_empty());
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
