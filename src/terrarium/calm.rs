//! How long the field stands still: the longer the more often those in it change their posture, so that under a flood
//! who is aimed at is still there when the press comes.
//!
//! Pure: the moment is an argument.

/// How long a change is remembered, in milliseconds.
const MEMORY_MILLIS: f64 = 2_000.0;
/// How long the field stands still for each change remembered, in milliseconds: two thirds of a second where somebody
/// changes every second.
const STILL_FOR_EACH_MILLIS: f64 = 350.0;
/// The longest that it stands still, in milliseconds.
const STILL_MAX_MILLIS: f64 = 6_000.0;

/// Who, by the hash of an id; in which posture, and how wide and tall a card it has.
pub type Body = (u64, [i32; 3]);

/// Watches who changes.
#[derive(Debug, Default)]
pub struct Calm {
    changes: f64,
    seen_at_millis: f64,
    seen: Vec<Body>,
}

impl Calm {
    /// Takes who is there now. Who comes or goes changes nobody.
    pub fn see(&mut self, bodies: &[Body], now_millis: f64) {
        self.changes /= 1.0 + (now_millis - self.seen_at_millis).max(0.0) / MEMORY_MILLIS;
        self.seen_at_millis = now_millis;
        if self.seen == bodies {
            return;
        }
        for (at, body) in bodies.iter().enumerate() {
            let is_it = |seen: &&Body| seen.0 == body.0;
            // Mostly nobody has come or gone: then everybody is where they were.
            let seen = self.seen.get(at).filter(is_it).or_else(|| self.seen.iter().find(is_it));
            self.changes += f64::from(seen.is_some_and(|seen| seen.1 != body.1));
        }
        self.changes = self.changes.min(STILL_MAX_MILLIS / STILL_FOR_EACH_MILLIS);
        self.seen = bodies.to_vec();
    }

    /// How long nobody moves after an arrangement, in milliseconds.
    #[must_use]
    pub fn still_millis(&self) -> f64 {
        self.changes * STILL_FOR_EACH_MILLIS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn town(posture: i32) -> Vec<Body> {
        [1, 2, 3].map(|id| (id, [posture, 10, 10])).to_vec()
    }

    #[test]
    fn under_a_flood_the_field_stands_still_for_seconds_and_soon_after_it_no_longer() {
        let mut calm = Calm::default();
        for frame in 0..120_i32 {
            calm.see(&town(frame % 2), f64::from(frame) * 16.7);
        }
        assert!(calm.still_millis() > 5_000.0, "{}", calm.still_millis());
        for frame in 0..600_u16 {
            calm.see(&town(0), 2_000.0 + f64::from(frame) * 16.7);
        }
        assert!(calm.still_millis() < 100.0, "{}", calm.still_millis());
    }

    #[test]
    fn who_comes_goes_or_changes_alone_holds_nobody_up() {
        let mut calm = Calm::default();
        calm.see(&town(0), 0.0);
        calm.see(&[], 16.0);
        calm.see(&town(0), 32.0);
        assert_eq!(calm.still_millis(), 0.0);
        let mut one = town(0);
        one.iter_mut().take(1).for_each(|body| body.1 = [1, 10, 10]);
        calm.see(&one, 48.0);
        assert!(calm.still_millis() <= 350.0);
    }

    #[test]
    fn a_clock_that_goes_back_or_leaps_holds_nothing_up_for_ever() {
        let mut calm = Calm::default();
        for now in [1e12, 0.0, f64::INFINITY, 5.0] {
            calm.see(&town(0), now);
            calm.see(&town(1), now);
            assert!((0.0..=STILL_MAX_MILLIS).contains(&calm.still_millis()), "{now}: {}", calm.still_millis());
        }
    }
}
