//! Which flows are drawn one by one, and how the others are gathered. Knows no places on the screen.

use crate::order::rising;

/// Flows that are drawn as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Where all leave; none where they leave in several places.
    pub source: Option<u32>,
    /// Where all arrive; none where they arrive in several places.
    pub target: Option<u32>,
    /// The commonest kind among them; of equally common ones the lowest.
    pub kind: u8,
    /// Their places in the list of flows, rising.
    pub members: Vec<usize>,
}

/// Every flow, once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bundling {
    /// The places in the list of those drawn one by one, rising.
    pub drawn: Vec<usize>,
    /// The others: bundles of pairs in the order of source and target, then what is gathered, in the order of sources.
    pub bundles: Vec<Bundle>,
}

/// The most bundles: with them drawn the picture can still be read.
const BUNDLES_MAX: usize = 10;
/// So many pairs keep a bundle of their own, however many sources the others have.
const PAIRS_KEPT: usize = BUNDLES_MAX / 2;
/// Of more pairs than this the smallest have no bundle of their own: far more than are drawn.
const PAIRS_WEIGHED: usize = 200;
/// Fewer flows than this make no bundle of a pair.
const PAIR_MIN: usize = 3;

/// Divides flows (source, target, kind), the most important first: the first `drawn_max` are drawn one by one, every
/// other is in exactly one bundle. A bundle joins a source and a target, or gathers what else a source sends. At most
/// ten: where there are more, the smallest pairs are gathered by source, and where the sources are too many, the
/// smallest of those are one bundle that joins nothing in particular. Where some are drawn, a pair
/// whom none of these joins has no bundle of its own: it would be one more way to follow. (What its source sends is
/// gathered, and says so; where it happens to go to one alone, it says that.)
#[must_use]
pub fn bundle(flows: &[(u32, u32, u8)], drawn_max: usize) -> Bundling {
    let drawn = drawn_max.min(flows.len());
    let rest = flows.get(drawn..).unwrap_or_default();
    let mut pairs = ranked(rest.iter().map(pair).collect());
    let count = |key: u64| rest.iter().filter(|flow| pair(flow) == key).count();
    let shown = flows.get(..drawn).unwrap_or_default();
    // Of the others there may be thousands.
    pairs.truncate(PAIRS_WEIGHED);
    pairs.retain(|key| {
        let joins = |flow: &(u32, u32, u8)| pair(flow) == *key || pair(flow).rotate_left(32) == *key;
        (drawn == 0 || shown.iter().any(joins)) && count(*key) >= PAIR_MIN
    });
    let mut keep = pairs.len().min(BUNDLES_MAX);
    let mut sources: Vec<u64>;
    loop {
        let kept = pairs.get(..keep).unwrap_or_default();
        let others = rest.iter().map(pair).filter(|key| !kept.contains(key));
        sources = ranked(others.map(|key| key >> 32).collect());
        if keep + sources.len() <= BUNDLES_MAX || keep <= PAIRS_KEPT {
            break;
        }
        keep -= 1;
    }
    pairs.truncate(keep);
    if keep + sources.len() > BUNDLES_MAX {
        // The last place is for all that is left.
        sources.truncate(BUNDLES_MAX - keep - 1);
    }
    // In the order of who they join, not of how many: a count that grows moves no bundle in a list.
    let (pairs, sources) = (rising(pairs), rising(sources));
    let mut bundles: Vec<Bundle> = Vec::new();
    bundles.resize(BUNDLES_MAX, Bundle { source: None, target: None, kind: 0, members: Vec::new() });
    for (index, flow) in rest.iter().enumerate() {
        let key = pair(flow);
        let own = pairs.iter().position(|known| *known == key);
        let place = own.unwrap_or_else(|| {
            let group = sources.iter().position(|source| *source == key >> 32);
            pairs.len() + group.unwrap_or(sources.len())
        });
        if let Some(bundle) = bundles.get_mut(place) {
            bundle.members.push(drawn + index);
        }
    }
    bundles.retain(|bundle| !bundle.members.is_empty());
    for bundle in &mut bundles {
        describe(bundle, flows);
    }
    Bundling { drawn: (0..drawn).collect(), bundles }
}

fn pair((source, target, _): &(u32, u32, u8)) -> u64 {
    u64::from(*source) << 32 | u64::from(*target)
}

/// Each key once, the commonest first, of equally common ones the lowest.
fn ranked(keys: Vec<u64>) -> Vec<u64> {
    let keys = rising(keys);
    let mut found: Vec<u64> = Vec::new();
    let mut ranks: Vec<u64> = Vec::new();
    for run in keys.chunk_by(|a, b| a == b) {
        ranks.push(u64::from(u32::MAX - u32::try_from(run.len()).unwrap_or(u32::MAX)) << 32 | found.len() as u64);
        found.extend(run.first());
    }
    rising(ranks).iter().filter_map(|rank| found.get(usize::try_from(rank & 0xffff_ffff).ok()?).copied()).collect()
}

/// Says what the members of a bundle have in common.
fn describe(bundle: &mut Bundle, flows: &[(u32, u32, u8)]) {
    let mut counts = [0_usize; 256];
    let mut most = 0;
    for (index, (source, target, kind)) in bundle.members.iter().filter_map(|member| flows.get(*member)).enumerate() {
        if index == 0 {
            (bundle.source, bundle.target) = (Some(*source), Some(*target));
        }
        bundle.source = bundle.source.filter(|known| known == source);
        bundle.target = bundle.target.filter(|known| known == target);
        if let Some(count) = counts.get_mut(usize::from(*kind)) {
            *count += 1;
            most = most.max(*count);
        }
    }
    let kind = counts.iter().position(|count| *count == most);
    bundle.kind = kind.and_then(|kind| u8::try_from(kind).ok()).unwrap_or(0);
}
