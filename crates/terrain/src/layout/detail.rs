//! How much of everyone can be drawn: the first level of detail at which the field keeps enough ground for flows.
//!
//! Knows sizes and areas, not places.

use super::{Body, Detail, Posture};
use crate::Size;

/// Detail of the awake and of the resting, from most to least: the resting give theirs up first.
pub(super) const LEVELS: [(Detail, Detail); 6] = [
    (Detail::Full, Detail::Full),
    (Detail::Plain, Detail::Full),
    (Detail::Plain, Detail::Compact),
    (Detail::Compact, Detail::Compact),
    (Detail::Compact, Detail::Mask),
    (Detail::Mask, Detail::Mask),
];

/// The share of the field that boxes may cover. `look/desktop-1280.png` covers 47 % and `look/storm-1280.png` 54 %; far
/// above it flows find no way.
const COVER_MAX: f32 = 0.56;
/// The same for more than a dozen and a half: of many cards some lie where all ways cross.
const COVER_MANY_MAX: f32 = 0.5;
const MANY: u32 = 18;

/// The share of the field that boxes with the smallest gap around them may cover: random packings of boxes jam from
/// 0.56 on, pushed ones somewhat later.
const PACKED_MAX: f32 = 0.7;

/// Heights that are weighed before all are plain.
const HEIGHTS_MAX: u32 = 16;

/// Pixels between two boxes that are kept in all but the fullest fields.
pub(super) const GAP: f32 = 16.0;

/// Pixels between two boxes when all are masks: hundreds, with less to tell.
pub(super) const GAP_MASKS: f32 = 8.0;

/// How much everybody shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Which of [`LEVELS`].
    pub(super) index: usize,
    /// Those at least so tall in full are plain, in pixels.
    pub(super) full_below: f32,
}

/// The box of `body` on whole pixels at `level`, and as it was given; `None` when it can never have a place in
/// `extent`.
pub(super) fn size(body: &Body, root: Posture, level: Level, extent: Size) -> Option<(Size, Size)> {
    let is_sound = body.sizes.iter().all(|size| size.width >= 0.0 && size.height >= 0.0);
    let [full, plain, compact, mask] = body.sizes;
    let is_fit = mask.width <= extent.width && mask.height <= extent.height;
    let &(awake, rest) = LEVELS.get(level.index)?;
    let given = match if is_quiet(root) { rest } else { awake } {
        Detail::Full if full.height >= level.full_below => plain,
        Detail::Full => full,
        Detail::Plain => plain,
        Detail::Compact => compact,
        Detail::Mask => mask,
    };
    let whole = Size { width: given.width.ceil().max(1.0), height: given.height.ceil().max(1.0) };
    (is_sound && is_fit).then_some((whole, given))
}

/// Whether it belongs to the bottom.
pub(super) fn is_quiet(posture: Posture) -> bool {
    matches!(posture, Posture::Waiting | Posture::Rest)
}

/// The eldest above `index`: whose posture says where a family sits. Eight generations are followed, and a circle
/// ends there too.
pub(super) fn root(bodies: &[Body], index: usize) -> usize {
    let mut at = index;
    for _ in 0..8 {
        match bodies.get(at).and_then(|body| body.parent) {
            Some(parent) if parent < bodies.len() => at = parent,
            _ => break,
        }
    }
    at
}

/// What boxes take up, in square pixels.
#[derive(Clone, Copy, Default)]
pub(super) struct Cover {
    bare: f32,
    packed: f32,
    count: u32,
}

impl Cover {
    /// Adds a box.
    pub(super) fn add(&mut self, size: Size) {
        self.bare += size.width * size.height;
        self.packed += (size.width + GAP) * (size.height + GAP);
        self.count += 1;
    }

    /// Whether that much leaves enough of `extent` free. One alone needs no way to anybody.
    pub(super) fn is_airy(self, extent: Size) -> bool {
        let packed = (extent.width + GAP) * (extent.height + GAP) * PACKED_MAX;
        let most = if self.count > MANY { COVER_MANY_MAX } else { COVER_MAX };
        self.count <= 1 || (self.bare <= extent.width * extent.height * most && self.packed <= packed)
    }
}

/// The first level at which everyone fits, or the last. Before all are plain the tallest are.
pub(super) fn fitting(bodies: &[Body], order: &[(u64, u32)], extent: Size) -> Level {
    let mut steps = 0;
    let mut level = Level { index: 0, full_below: f32::INFINITY };
    while level.index < LEVELS.len() - 1 {
        let mut cover = Cover::default();
        let mut is_fit = true;
        let mut tallest = 0.0_f32;
        for &(_, index) in order {
            let root = root(bodies, index as usize);
            if let (Some(body), Some(root)) = (bodies.get(index as usize), bodies.get(root))
                && let Some((whole, given)) = size(body, root.posture, level, extent)
            {
                is_fit &= whole.width <= extent.width && whole.height <= extent.height;
                cover.add(whole);
                let [full, plain, ..] = body.sizes;
                if level.index == 0 && given.height == full.height && full.height > plain.height {
                    tallest = tallest.max(full.height);
                }
            }
        }
        if is_fit && cover.is_airy(extent) {
            return level;
        }
        // All of the same height go together. Many heights are a crowd, in which nobody misses them.
        if tallest > 0.0 && steps < HEIGHTS_MAX {
            (level.full_below, steps) = (tallest, steps + 1);
        } else {
            level.index += 1;
        }
    }
    level
}
