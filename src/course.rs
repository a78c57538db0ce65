//! The course of a playback: which events are due at which time of the page, and what waits to be shown.
//!
//! Pure: the page's time is an argument, events come as text. Knows nothing of browsers, streams or states.

use monkeytown_protocol::Timestamp;
use std::collections::VecDeque;

/// The longest that the page's time counts between two looks, in milliseconds: a page that was hidden or busy goes on where
/// it stood.
const STALL_MILLIS: f64 = 100.0;
/// How long nothing happens, in the page's time, before that is idle; and how long it still takes when it is skipped.
const IDLE_MILLIS: f64 = 2_000.0;
const SKIPPED_MILLIS: f64 = 500.0;
/// How long what is due is waited for before it is said, in milliseconds.
const PATIENCE_MILLIS: f64 = 400.0;
/// Batches held: one that is shown, one that comes next.
const BATCHES_MAX: usize = 2;

/// Where a playback stands, and how fast it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// The moment shown, in milliseconds since 1970.
    at: f64,
    looked_at: f64,
    waited: f64,
    /// Milliseconds of the source's time in one of the page's.
    pub speed: f64,
}

#[expect(clippy::cast_precision_loss, reason = "a time in milliseconds is exact in f64")]
fn float(time: Timestamp) -> f64 {
    time.millis() as f64
}

impl Course {
    /// A playback that stands at a moment.
    #[must_use]
    pub fn at(moment: Timestamp, speed: f64) -> Self {
        Self { at: float(moment), looked_at: 0.0, waited: 0.0, speed }
    }

    /// The moment shown.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i64; timestamps clamp")]
    pub fn moment(&self) -> Timestamp {
        Timestamp::from_millis(self.at as i64)
    }

    /// Begins to run: what has passed since it last did does not count.
    pub fn start(&mut self, now_millis: f64) {
        (self.looked_at, self.waited) = (now_millis, 0.0);
    }

    /// Runs on until `now_millis`. Where nothing comes before `next` and `skips`, almost all of that is left out.
    pub fn run_on(&mut self, now_millis: f64, next: Option<Timestamp>, skips: bool) {
        self.at += self.pass(now_millis) * self.speed;
        self.waited = 0.0;
        if let Some(next) = next.map(float).filter(|next| skips && next - self.at > IDLE_MILLIS * self.speed) {
            self.at = next - SKIPPED_MILLIS * self.speed;
        }
    }

    /// Stands still, since nobody knows what comes next. Whether that has lasted long enough to be said.
    pub fn wait(&mut self, now_millis: f64) -> bool {
        self.waited += self.pass(now_millis);
        self.waited > PATIENCE_MILLIS
    }

    fn pass(&mut self, now_millis: f64) -> f64 {
        let passed = (now_millis - self.looked_at).clamp(0.0, STALL_MILLIS);
        self.looked_at = now_millis;
        passed
    }

    /// Whether an event of `time` has happened by the moment shown.
    #[must_use]
    pub fn is_due(&self, time: Timestamp) -> bool {
        float(time) <= self.at
    }

    /// Stands at `time`: what is due after it could not be shown yet, or a step has led there.
    pub fn stand(&mut self, time: Timestamp) {
        self.at = float(time);
    }

    /// A speed at which all from `first` to `last` takes so many seconds.
    #[must_use]
    pub fn film(first: Timestamp, last: Timestamp, seconds: u32) -> f64 {
        (float(last) - float(first)).max(1.0) / (f64::from(seconds.max(1)) * 1_000.0)
    }
}

/// Events that were fetched and are not shown yet: batches as they came, each a list of events behind a head.
#[derive(Debug, Default)]
pub struct Ahead {
    batches: VecDeque<(String, usize)>,
}

impl Ahead {
    /// Whether no more is to be fetched now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.batches.len() >= BATCHES_MAX
    }

    /// Whether nothing is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Takes what came.
    pub fn push(&mut self, batch: String) {
        let begin = batch.find('[').unwrap_or(batch.len());
        self.batches.push_back((batch, begin));
    }

    /// The text of the next event.
    pub fn pop(&mut self) -> Option<String> {
        loop {
            let (batch, at) = self.batches.front_mut()?;
            let rest = batch.get(*at..).unwrap_or_default();
            if let Some((begin, end)) = object_in(rest) {
                let event = rest.get(begin..end).map(str::to_owned);
                *at += end;
                return event;
            }
            self.batches.pop_front();
        }
    }
}

/// Where the first object of a list stands in `text`, which begins anywhere between two of them.
fn object_in(text: &str) -> Option<(usize, usize)> {
    let (mut begin, mut depth, mut quoted, mut escaped) = (0, 0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' => {
                if depth == 0 {
                    begin = at;
                }
                depth += 1;
            }
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some((begin, at + 1));
                }
            }
            b']' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn events_are_due_when_the_page_has_run_that_far() {
        let mut course = Course::at(moment(0), 60.0);
        course.start(1_000.0);
        for (now, due) in [(1_000.0, 0), (1_016.0, 960), (1_050.0, 3_000)] {
            course.run_on(now, None, false);
            assert!(course.is_due(moment(due)) && !course.is_due(moment(due + 1)), "{now}");
        }
        assert_eq!(course.moment(), moment(3_000));
    }

    #[test]
    fn a_page_that_was_hidden_for_a_minute_goes_on_where_it_stood() {
        let mut course = Course::at(moment(0), 10.0);
        course.start(0.0);
        course.run_on(60_000.0, None, false);
        assert_eq!(course.moment(), moment(1_000));
        course.run_on(59_000.0, None, false);
        assert_eq!(course.moment(), moment(1_000), "time that goes back is none");
    }

    #[test]
    fn an_idle_stretch_is_left_out_but_for_half_a_second_and_only_when_asked() {
        let mut course = Course::at(moment(0), 10.0);
        course.start(0.0);
        course.run_on(0.0, Some(moment(86_400_000)), false);
        assert_eq!(course.moment(), moment(0));
        course.run_on(0.0, Some(moment(86_400_000)), true);
        assert_eq!(course.moment(), moment(86_400_000 - 5_000));
        course.run_on(0.0, Some(moment(86_400_000)), true);
        assert_eq!(course.moment(), moment(86_400_000 - 5_000), "what is near is waited for");
    }

    #[test]
    fn what_nobody_knows_yet_is_waited_for_and_said_after_a_while() {
        let mut course = Course::at(moment(0), 1_000.0);
        course.start(0.0);
        let said: Vec<bool> = (1..=6).map(|at| course.wait(f64::from(at) * 90.0)).collect();
        assert_eq!(said, [false, false, false, false, true, true]);
        assert_eq!(course.moment(), moment(0));
        course.run_on(560.0, None, false);
        assert!(!course.wait(600.0), "it has gone on since");
    }

    #[test]
    fn what_was_too_much_for_a_frame_holds_the_clock_back() {
        let mut course = Course::at(moment(0), 1_000.0);
        course.start(0.0);
        course.run_on(16.0, None, false);
        course.stand(moment(4_000));
        assert!(!course.is_due(moment(4_001)));
    }

    #[test]
    fn a_film_takes_as_long_as_was_chosen() {
        let speed = Course::film(moment(0), moment(172_800_000), 60);
        let mut course = Course::at(moment(0), speed);
        course.start(0.0);
        for frame in 1..=600 {
            course.run_on(f64::from(frame) * 100.0, None, false);
        }
        assert!((course.moment().since_millis(moment(172_800_000))).abs() <= 1);
        assert!(Course::film(moment(5), moment(5), 0) > 0.0, "a history of one moment is a film too");
    }

    #[test]
    fn a_batch_is_its_events_one_after_the_other_whatever_stands_in_their_texts() {
        let events = [r#"{"id":"1","data":{"text":"a } ] \" { \\"}}"#, r#"{"id":"2","list":[{"a":[]},{}]}"#, "{}"];
        let batch = |events: &[&str]| format!(r#"{{"kind":"events","first":3,"events":[{}]}}"#, events.join(" ,\n"));
        let mut ahead = Ahead::default();
        ahead.push(batch(&events[..2]));
        assert!(!ahead.is_full());
        ahead.push(batch(&events[2..]));
        assert!(ahead.is_full());
        let told: Vec<String> = std::iter::from_fn(|| ahead.pop()).collect();
        assert_eq!(told, events);
        assert!(ahead.is_empty());
    }

    #[test]
    fn of_a_batch_that_is_torn_only_whole_events_are_told() {
        for torn in ["", "[", r#"{"events":[{"a":1},{"b"#, "[}", r#"["{"#] {
            let mut ahead = Ahead::default();
            ahead.push(torn.to_owned());
            let told: Vec<String> = std::iter::from_fn(|| ahead.pop()).collect();
            assert!(told.iter().all(|event| event == r#"{"a":1}"#), "{told:?}");
        }
    }
}
