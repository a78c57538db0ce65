//! What changes, said to those who listen: politely, and what breaks at once; at most one thing a second.

use crate::{
    clock::monotonic_millis,
    dom::{Piece, follow},
    signals::{ConnectionState, Mode, Signals, Toast},
    voice,
};
use std::cell::RefCell;

/// Breaks that wait to be said one by one; of more than that only the number is said.
const WAITING_MAX: usize = 5;
/// Between two things said, in milliseconds: a second, less what a tick of the page may come early.
const PAUSE_MILLIS: f64 = 950.0;

/// Breaks that are still to be said.
#[derive(Default)]
struct Breaks {
    waiting: Vec<String>,
    /// How many wait beside those.
    more: u64,
    /// The number of the last that was heard of.
    heard: u64,
    /// When something was last said, on the monotonic clock.
    said_at: f64,
}

impl Breaks {
    /// Takes in what is new. Numbers that were never seen have gone by, and count.
    fn hear(&mut self, toasts: &[Toast]) {
        for toast in toasts {
            let Some(new) = toast.number.checked_sub(self.heard).filter(|new| *new > 0) else { continue };
            self.heard = toast.number;
            self.more += new - 1;
            if self.waiting.len() < WAITING_MAX {
                self.waiting.push([&*toast.what, ": ", &voice::name(&toast.why)].concat());
            } else {
                self.more += 1;
            }
        }
    }

    /// What is to be said now: nothing yet, nothing more (empty), or words.
    fn next(&mut self, now_millis: f64) -> Option<String> {
        if now_millis - self.said_at < PAUSE_MILLIS {
            return None;
        }
        if self.waiting.is_empty() {
            return Some(String::new());
        }
        self.said_at = now_millis;
        let words = self.waiting.remove(0);
        if self.waiting.is_empty() && self.more > 0 {
            let more = voice::grouped(std::mem::take(&mut self.more));
            return Some([&words, ", and ", &more, " more broke"].concat());
        }
        Some(words)
    }
}

/// Two live regions. They follow the page's tick, and what breaks.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (polite, urgent) = (Piece::section("polite"), Piece::section("urgent"));
    let breaks = RefCell::new(Breaks::default());
    follow(move || {
        signals.times.read();
        let mut breaks = breaks.borrow_mut();
        breaks.hear(&signals.toasts.read());
        let Some(broke) = breaks.next(monotonic_millis()) else { return };
        // The same words twice are said twice: what is taken away and put back is new.
        urgent.say("", "");
        urgent.say("", &broke);
        if !broke.is_empty() {
            return;
        }
        let sought = signals.sought.peek();
        let active = signals.figures.peek().pulse.map_or(0, |pulse| pulse.active_agents as usize);
        let said = match signals.connection.peek().state {
            // Who filters is told what that finds, also of a page that stands still.
            ConnectionState::Live | ConnectionState::Sse | ConnectionState::Polling
                if (sought.is_on || !sought.fault.is_empty()) && signals.gaze.peek().mode != Mode::Replaying =>
            {
                [&*sought.fault, " ", &sought.told].concat()
            }
            // A pause holds what is told of the agents too, and the past is no news.
            ConnectionState::Live | ConnectionState::Sse | ConnectionState::Polling
                if signals.gaze.peek().mode != Mode::Following =>
            {
                return;
            }
            ConnectionState::Live | ConnectionState::Sse | ConnectionState::Polling => {
                format!("{} at work", voice::counted(active, "agent"))
            }
            ConnectionState::Connecting => "asking for the stream".to_owned(),
            ConnectionState::Offline => "this device has no network".to_owned(),
            ConnectionState::Refused { .. } => "the stream said stay away".to_owned(),
            ConnectionState::Reconnecting { .. } => "the stream is out of reach; trying again".to_owned(),
        };
        polite.say("", &said);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_protocol::EntityId;

    fn toast(number: u64, what: &str) -> Toast {
        let id = EntityId::new("ada").expect("an id");
        let (place, why) = (String::new(), "out of stones".to_owned());
        Toast { number, id, what: what.to_owned(), place, why, until_millis: 0.0, held_since: None }
    }

    #[test]
    fn breaks_within_a_second_are_said_one_after_the_other_each_once() {
        let mut breaks = Breaks::default();
        let toasts = [toast(1, "ada broke"), toast(2, "bob broke")];
        breaks.hear(&toasts);
        assert_eq!(breaks.next(1_000.0).as_deref(), Some("ada broke: out of stones"));
        breaks.hear(&toasts);
        assert_eq!(breaks.next(1_500.0), None);
        assert_eq!(breaks.next(2_000.0).as_deref(), Some("bob broke: out of stones"));
        assert_eq!(breaks.next(3_000.0).as_deref(), Some(""));
        breaks.hear(&[toast(3, "ada broke")]);
        assert_eq!(breaks.next(3_010.0).as_deref(), Some("ada broke: out of stones"), "again, and at once");
    }

    #[test]
    fn of_more_than_wait_the_number_is_said() {
        let mut breaks = Breaks::default();
        // Three of a hundred are still on show.
        breaks.hear(&[toast(98, "x broke"), toast(99, "y broke"), toast(100, "z broke")]);
        breaks.hear(&(101..=110).map(|number| toast(number, "w broke")).collect::<Vec<_>>());
        let mut said: Vec<String> = Vec::new();
        for second in 1..20_u32 {
            said.extend(breaks.next(f64::from(second) * 1_000.0).filter(|words| !words.is_empty()));
        }
        assert_eq!(said.len(), WAITING_MAX);
        assert_eq!(said.last().map(String::as_str), Some("w broke: out of stones, and 105 more broke"));
    }
}
