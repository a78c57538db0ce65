//! The page's words: ages, counts and states as people say them (`look.md`, "Voice").
//!
//! Pure text; knows neither clock nor page.

use monkeytown_protocol::EntityStatus;

/// How long something lasts, in the largest unit that fits: "2s", "14m", "3h", "5d", "7w", "2y".
#[must_use]
pub fn span(millis: i64) -> String {
    let seconds = millis.max(0) / 1_000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        86_400..1_209_600 => format!("{}d", seconds / 86_400),
        1_209_600..63_072_000 => format!("{}w", seconds / 604_800),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

/// How long ago: "2s ago"; "now" under a second, and for what a source's clock puts in the future.
#[must_use]
pub fn ago(millis: i64) -> String {
    if millis < 1_000 { "now".to_owned() } else { format!("{} ago", span(millis)) }
}

/// A number as a word up to twelve: "ten".
#[must_use]
pub fn number(count: usize) -> String {
    const WORDS: [&str; 13] =
        ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    WORDS.get(count).map_or_else(|| grouped(count as u64), ToString::to_string)
}

/// The same in digits, where it stands among digits: `1 file`, `12 files`.
#[must_use]
pub fn numbered(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(count as u64))
}

/// A count with its noun: "one agent", "no agents", "14 agents".
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", number(count))
}

/// A number with its thousands set apart: "12,408".
#[must_use]
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes or letters: "41 KB", "2.4 MB" (a KB is 1,000).
#[must_use]
pub fn size(count: u64) -> String {
    match count {
        0 => "nothing".to_owned(),
        1..1_000 => "under 1 KB".to_owned(),
        1_000..1_000_000 => [&*(count / 1_000).to_string(), " KB"].concat(),
        _ => [&*(count / 1_000_000).to_string(), ".", &(count / 100_000 % 10).to_string(), " MB"].concat(),
    }
}

/// A share: "41%".
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "0 to 100")]
pub fn percent(share: f32) -> String {
    let percent = (share * 100.0).round() as i32;
    format!("{percent}%")
}

/// How fast a playback runs: "1h a second".
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "whole milliseconds; a pace beyond all years is cut to them")]
pub fn pace(rate: f64) -> String {
    format!("{} a second", span((rate * 1_000.0) as i64))
}

/// What was being done when it broke: "was signing build 118".
#[must_use]
pub fn was(activity: &str) -> String {
    if activity.starts_with("was ") { activity.to_owned() } else { format!("was {activity}") }
}

/// A name within a sentence, isolated: one that runs from right to left must not turn the words around it (Unicode
/// Standard Annex #9, section 2.4).
#[must_use]
pub fn name(name: &str) -> String {
    // Letters that run so are in no ASCII name.
    if name.is_ascii() { name.to_owned() } else { format!("\u{2068}{name}\u{2069}") }
}

/// Whether `part` stands in `text`. The standard library's search for words is a kilobyte of the page, and faster only
/// where there is more to be searched than the page ever holds.
#[must_use]
pub fn holds(text: &str, part: &str) -> bool {
    part.is_empty() || text.as_bytes().windows(part.len()).any(|run| run == part.as_bytes())
}

/// The time of day of an exact moment: "14:05:12".
#[must_use]
pub fn time_of_day(exact: &str) -> &str {
    exact.get(11..19).unwrap_or(exact)
}

/// An entity's status in one word.
#[must_use]
pub fn status(status: EntityStatus) -> &'static str {
    match status {
        EntityStatus::Idle => "resting",
        EntityStatus::Active => "active",
        EntityStatus::Processing => "thinking",
        EntityStatus::Complete => "settled",
        EntityStatus::Error => "broken",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_largest_unit_that_fits() {
        for (millis, text) in [
            (-5_000, "now"),
            (999, "now"),
            (2_000, "2s ago"),
            (59_999, "59s ago"),
            (60_000, "1m ago"),
            (3_600_000, "1h ago"),
            (13 * 86_400_000, "13d ago"),
            (14 * 86_400_000, "2w ago"),
            (800 * 86_400_000, "2y ago"),
        ] {
            assert_eq!(ago(millis), text);
        }
    }

    #[test]
    fn a_name_that_may_turn_the_sentence_is_isolated() {
        assert_eq!(name("ada"), "ada");
        assert_eq!(name("\u{202e}live"), "\u{2068}\u{202e}live\u{2069}");
    }

    #[test]
    fn a_text_holds_what_stands_in_it() {
        for (text, part) in [("", ""), ("a", ""), ("abc", "abc"), ("aab", "ab"), ("grüße", "ß")] {
            assert!(holds(text, part), "{part} in {text}");
        }
        assert!(!holds("", "a") && !holds("abc", "abcd") && !holds("abab", "ba "));
    }

    #[test]
    fn counts_are_words_while_they_are_small() {
        assert_eq!(counted(0, "agent"), "no agents");
        assert_eq!(counted(1, "agent"), "one agent");
        assert_eq!(counted(10, "agent"), "ten agents");
        assert_eq!(counted(12_408, "event"), "12,408 events");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        let sizes = [(0, "nothing"), (999, "under 1 KB"), (41_200, "41 KB"), (2_400_000, "2.4 MB")];
        for (count, words) in sizes {
            assert_eq!(size(count), words);
        }
    }

    #[test]
    fn a_pace_is_told_as_a_stretch_of_time_a_second() {
        assert_eq!(pace(3_600.0), "1h a second");
        assert_eq!(pace(7_300.0), "2h a second");
        assert_eq!(pace(90_000.0), "1d a second");
        assert_eq!(pace(30.0), "30s a second");
    }
}
