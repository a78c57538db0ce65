//! How much the field can afford to draw: the frame time is watched, and effects thin out before a frame is dropped.
//!
//! Pure: a frame's moment is an argument.

/// What is drawn, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Effects {
    /// Halos, dashes that grow, comets with tails.
    #[default]
    All,
    /// On each line one comet without a tail, which moves in every second frame.
    Thin,
    /// State alone: lines, heads and breaks, redrawn when something changes.
    State,
}

impl Effects {
    /// As the page's markup says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "full",
            Self::Thin => "less",
            Self::State => "still",
        }
    }
}

/// A frame longer than this is one that thinner effects could have saved: over 60 Hz' 16.7 ms, with the slack that
/// browsers' own frames have.
const LONG_MILLIS: f64 = 21.0;
/// Under 30 frames a second only state is drawn (`product.md`, "Numbers it must reach").
const FLOOR_MILLIS: f64 = 1_000.0 / 30.0;
/// Frames whose mean is judged.
const FRAMES: f64 = 30.0;
/// How long the pace must hold before more is drawn again, in milliseconds; doubled whenever it did not.
const PATIENCE_MILLIS: f64 = 4_000.0;
const PATIENCE_MAX_MILLIS: f64 = 64_000.0;
/// A pause in drawing, not a frame, in milliseconds.
const PAUSE_MILLIS: f64 = 400.0;

/// Watches frames and says what can be drawn.
#[derive(Debug)]
pub struct Pace {
    effects: Effects,
    last_millis: Option<f64>,
    mean_millis: f64,
    since_millis: f64,
    patience_millis: f64,
}

impl Default for Pace {
    fn default() -> Self {
        let mean_millis = 1_000.0 / 60.0;
        let (effects, patience_millis) = (Effects::All, PATIENCE_MILLIS);
        Self { effects, last_millis: None, mean_millis, since_millis: 0.0, patience_millis }
    }
}

impl Pace {
    /// What can be drawn.
    #[must_use]
    pub fn effects(&self) -> Effects {
        self.effects
    }

    /// A frame began at `now_millis`.
    pub fn frame(&mut self, now_millis: f64) {
        let Some(last) = self.last_millis.replace(now_millis) else {
            self.since_millis = now_millis;
            return;
        };
        let took = now_millis - last;
        if !(0.0..PAUSE_MILLIS).contains(&took) {
            return;
        }
        self.mean_millis += (took - self.mean_millis) / FRAMES;
        let held = now_millis - self.since_millis;
        let wanted = match self.effects {
            _ if self.mean_millis > FLOOR_MILLIS => Effects::State,
            Effects::All if self.mean_millis > LONG_MILLIS => Effects::Thin,
            Effects::State if self.mean_millis < LONG_MILLIS && held > self.patience_millis => Effects::Thin,
            Effects::Thin if self.mean_millis < LONG_MILLIS && held > self.patience_millis => Effects::All,
            same => same,
        };
        if wanted > self.effects && held < self.patience_millis {
            // More was drawn too soon: wait longer before the next try.
            self.patience_millis = (self.patience_millis * 2.0).min(PATIENCE_MAX_MILLIS);
        }
        if wanted != self.effects {
            (self.effects, self.since_millis) = (wanted, now_millis);
            // What is measured from here is the new pace, not what led to it.
            self.mean_millis = self.mean_millis.min(LONG_MILLIS);
        }
    }

    /// Drawing stopped: the next frame is no measure.
    pub fn rest(&mut self) {
        self.last_millis = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pace: &mut Pace, start: f64, every: f64, seconds: f64) -> f64 {
        let mut now = start;
        while now < start + seconds * 1_000.0 {
            now += every;
            pace.frame(now);
        }
        now
    }

    #[test]
    fn effects_thin_out_before_thirty_frames_and_come_back_when_there_is_room() {
        let mut pace = Pace::default();
        let now = run(&mut pace, 0.0, 16.7, 10.0);
        assert_eq!(pace.effects(), Effects::All);
        let now = run(&mut pace, now, 25.0, 3.0);
        assert_eq!(pace.effects(), Effects::Thin);
        let now = run(&mut pace, now, 50.0, 3.0);
        assert_eq!(pace.effects(), Effects::State);
        run(&mut pace, now, 16.7, 60.0);
        assert_eq!(pace.effects(), Effects::All);
    }

    #[test]
    fn a_pause_is_no_slow_frame() {
        let mut pace = Pace::default();
        let now = run(&mut pace, 0.0, 16.7, 1.0);
        for pause in 1..50 {
            pace.frame(now + 10_000.0 * f64::from(pause));
        }
        assert_eq!(pace.effects(), Effects::All);
    }

    #[test]
    fn effects_that_were_too_much_are_tried_again_ever_later() {
        let mut pace = Pace::default();
        let (mut now, mut tries) = (0.0, 0);
        let mut before = pace.effects();
        while now < 600_000.0 {
            // A machine that can draw thin effects at 60 frames and all of them at 40.
            now += if pace.effects() == Effects::All { 25.0 } else { 16.7 };
            pace.frame(now);
            tries += u32::from(pace.effects() == Effects::All && before != Effects::All);
            before = pace.effects();
        }
        assert!((2..20).contains(&tries), "{tries} tries in ten minutes");
    }
}
