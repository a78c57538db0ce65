//! The sigil of an agent: which ears, head, crown, face, muzzle and fur its mask has.
//!
//! A pure function of the id alone: the same everywhere and always, whoever else is there. The shapes themselves are
//! markup (`index.html`). Of 23 pairs of ears and crown that sit well together, 6 heads, 6 faces, 5 muzzles and 8 furs
//! there are 33,120 masks: among 30 agents two are the same in 1.3 of 100 civilizations.

/// Ears and crowns that sit well together: no bare head, and no crown between ears that stand on top.
const EARS_AND_CROWNS: [(u8, u8); 23] = [
    (0, 0),
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (1, 0),
    (1, 1),
    (2, 0),
    (2, 1),
    (2, 2),
    (2, 3),
    (2, 4),
    (3, 0),
    (3, 1),
    (3, 2),
    (3, 3),
    (3, 4),
    (4, 0),
    (4, 1),
    (5, 1),
    (5, 2),
    (5, 3),
    (5, 4),
];

/// Which of each shape a mask has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sigil {
    /// Of 6; the sixth are none.
    pub ears: u8,
    /// Of 5; the first is none.
    pub crown: u8,
    /// Of 6.
    pub head: u8,
    /// Of 6: the dark part, in which the eyes are.
    pub face: u8,
    /// Of 5.
    pub muzzle: u8,
    /// Of 8 muted tones.
    pub fur: u8,
}

impl Sigil {
    /// The sigil of `id`.
    #[must_use]
    pub fn of(id: &str) -> Self {
        let mut rest = hash(id);
        let mut take = |count: u64| {
            let taken = rest % count;
            rest /= count;
            #[expect(clippy::cast_possible_truncation, reason = "counts are under 24")]
            let taken = taken as u8;
            taken
        };
        let (head, face, muzzle, fur) = (take(6), take(6), take(5), take(8));
        let (ears, crown) = EARS_AND_CROWNS.get(usize::from(take(23))).copied().unwrap_or((0, 0));
        Self { ears, crown, head, face, muzzle, fur }
    }
}

/// A number for an id, the same everywhere: FNV-1a, and its bits mixed, so that ids that differ in their last letter
/// differ everywhere.
#[must_use]
pub fn hash(id: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_sigil_is_the_same_always() {
        let expected = Sigil::of("chaos-architect");
        assert_eq!(Sigil::of("chaos-architect"), expected);
        assert_ne!(Sigil::of("chaos-architecu"), expected);
    }

    #[test]
    fn every_shape_exists_in_the_markup() {
        let markup = include_str!("../index.html");
        for at in 0..6 {
            for part in ["e", "h", "f"] {
                assert!(part == "e" && at == 5 || markup.contains(&format!("id=\"{part}{at}\"")), "{part}{at}");
            }
        }
        for at in 1..5 {
            assert!(markup.contains(&format!("id=\"c{at}\"")), "c{at}");
        }
    }

    #[test]
    fn two_alike_among_thirty_are_as_rare_as_chance_has_it() {
        let mut alike = 0;
        for civilization in 0..1_000 {
            let sigils = (0..30).map(|agent| Sigil::of(&format!("agent-{civilization}-{agent}")));
            let different: HashSet<_> = sigils.map(|s| (s.ears, s.crown, s.head, s.face, s.muzzle, s.fur)).collect();
            alike += usize::from(different.len() < 30);
        }
        assert!((3..=30).contains(&alike), "{alike} of 1,000 civilizations");
    }

    #[test]
    fn every_mask_is_worn_by_somebody() {
        let worn: HashSet<_> = (0..500_000)
            .map(|agent| {
                let s = Sigil::of(&agent.to_string());
                (s.ears, s.crown, s.head, s.face, s.muzzle, s.fur)
            })
            .collect();
        assert_eq!(worn.len(), 23 * 6 * 6 * 5 * 8);
    }
}
