//! How a leader's connection stands, in words for other tabs. Knows no channel.

use crate::transport::ConnectionState;

/// How a leader's connection stands, in words for other tabs. Monotonic clocks of two pages show different times: what is
/// left until the next attempt is told.
pub fn said(occasion: char, standing: &ConnectionState, at: usize, now: f64) -> String {
    let (kind, failures, next_at_millis, why) = match standing {
        ConnectionState::Connecting => ('c', 0, None, ""),
        ConnectionState::Live => ('l', 0, None, ""),
        ConnectionState::Sse => ('s', 0, None, ""),
        ConnectionState::Polling => ('p', 0, None, ""),
        ConnectionState::Offline => ('o', 0, None, ""),
        ConnectionState::Reconnecting { failures, next_at_millis, why } => ('r', *failures, *next_at_millis, &**why),
        ConnectionState::Refused { why } => ('x', 0, None, &**why),
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "minutes at most; 0 when it is over")]
    let left = next_at_millis.map_or(0, |next| (next - now) as u32);
    format!("{occasion}{kind}{failures} {at} {left} {why}")
}

/// What a leader said: how its connection stands, and which stream it asks.
pub fn told(words: &str, now: f64) -> Option<(ConnectionState, usize)> {
    let mut parts = words.splitn(4, ' ');
    let head = parts.next()?;
    // One kind of number is read in the whole page.
    let number = |digits: &str| u32::try_from(digits.parse::<u64>().ok()?).ok();
    let failures = number(head.get(2..)?)?;
    let at = number(parts.next()?)? as usize;
    let left = number(parts.next()?)?;
    let why = parts.next()?.to_owned();
    let next_at_millis = (left > 0).then(|| now + f64::from(left));
    let standing = match head.as_bytes().get(1)? {
        b'c' => ConnectionState::Connecting,
        b'l' => ConnectionState::Live,
        b's' => ConnectionState::Sse,
        b'p' => ConnectionState::Polling,
        b'o' => ConnectionState::Offline,
        b'r' => ConnectionState::Reconnecting { failures, next_at_millis, why },
        b'x' => ConnectionState::Refused { why },
        _ => return None,
    };
    Some((standing, at))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ANSWER, CHANGE},
        *,
    };

    #[test]
    fn what_a_leader_says_of_its_connection_is_what_the_others_are_told() {
        let trying = |next_at_millis| ConnectionState::Reconnecting {
            failures: 3,
            next_at_millis,
            why: "no answer, twice \n in a row".into(),
        };
        for standing in [
            ConnectionState::Connecting,
            ConnectionState::Live,
            ConnectionState::Sse,
            ConnectionState::Polling,
            ConnectionState::Offline,
            trying(None),
            trying(Some(2_500.0)),
            ConnectionState::Refused { why: String::new() },
        ] {
            let words = said(CHANGE, &standing, 2, 1_000.0);
            assert_eq!(told(&words, 1_000.0), Some((standing, 2)), "{words}");
        }
        // A clock that started later: the same is left.
        let words = said(ANSWER, &trying(Some(2_500.0)), 0, 1_000.0);
        assert_eq!(told(&words, 10.0), Some((trying(Some(1_510.0)), 0)));
        // What should have begun already is under way.
        let words = said(ANSWER, &trying(Some(500.0)), 0, 1_000.0);
        assert_eq!(told(&words, 10.0), Some((trying(None), 0)));
    }

    #[test]
    fn what_no_leader_says_is_nothing() {
        for words in
            ["", "?", "!", "=l", "=l0", "=l0 0", "=l0 0 0", "=l-1 0 0 ", "=l0 x 0 ", "=z0 0 0 ", "é0 0 0 ", "null"]
        {
            assert_eq!(told(words, 0.0), None, "{words}");
        }
    }
}
