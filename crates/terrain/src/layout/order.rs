//! The one order in which bodies and links are treated, so that their order in the caller's slices does not matter.
//!
//! Knows nothing of places.

use super::{Body, Link, Posture};

/// Spreads a key over all bits (SplitMix64's finaliser): neighbouring keys come to lie far apart.
pub(super) fn mixed(key: u64) -> u64 {
    let once = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let twice = (once ^ (once >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    twice ^ (twice >> 31)
}

/// Who keeps their room first: the held, then broken, awake, completing, waiting, resting; among equals by key.
pub(super) fn by_importance(bodies: &[Body]) -> Vec<(u64, u32)> {
    let mut order = Vec::with_capacity(bodies.len());
    for (index, body) in (0_u32..).zip(bodies) {
        let class = match body.posture {
            _ if body.held.is_some() => 0,
            Posture::Broken => 1,
            Posture::Awake => 2,
            Posture::Completing => 3,
            Posture::Waiting => 4,
            Posture::Rest => 5,
        };
        order.push(((class << 61) | (mixed(body.key) >> 3), index));
    }
    sort(&mut order);
    order
}

/// The links as (both ranks, weight in 1/255), each pair once; `ranks` says the rank of each body, if it has one. Those
/// to nobody, to oneself or without a weight are left out.
pub(super) fn pulls(ranks: &[Option<u32>], links: &[Link]) -> Vec<(u64, u32)> {
    let mut pulls: Vec<(u64, u32)> = Vec::with_capacity(links.len());
    for link in links {
        if let (Some(&Some(a)), Some(&Some(b))) = (ranks.get(link.a), ranks.get(link.b))
            && a != b
            && link.weight > 0.0
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
            let weight = (link.weight.min(1.0) * 255.0) as u32;
            pulls.push(((u64::from(a.min(b)) << 32) | u64::from(a.max(b)), weight));
        }
    }
    sort(&mut pulls);
    pulls.dedup_by(|later, kept| {
        let is_same = later.0 == kept.0;
        if is_same {
            kept.1 = (kept.1 + later.1).min(255);
        }
        is_same
    });
    pulls
}

/// The two ranks in a pull.
pub(super) fn ends(pair: u64) -> (usize, usize) {
    ((pair >> 32) as usize, (pair & 0xffff_ffff) as usize)
}

/// Shell's sort with Ciura's gaps: a tenth of the standard sort's code, and almost nothing to do on what is almost
/// sorted, which the sweep is in every round but the first.
// Once in the program: its callers are few and none is short of time.
#[inline(never)]
#[expect(clippy::indexing_slicing, reason = "every index is below the length by the loops' own bounds")]
pub(super) fn sort(list: &mut [(u64, u32)]) {
    for gap in [4103, 1750, 701, 301, 132, 57, 23, 10, 4, 1] {
        for end in gap..list.len() {
            let moved = list[end];
            let mut hole = end;
            while hole >= gap && list[hole - gap] > moved {
                list[hole] = list[hole - gap];
                hole -= gap;
            }
            list[hole] = moved;
        }
    }
}
