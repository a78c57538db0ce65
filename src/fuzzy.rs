//! How well a name fits the letters that somebody types: in their order, not side by side. Words' first letters and runs come
//! before letters from the middle.
//!
//! Pure; letters are compared as they are, so whoever asks makes both small.

/// Letters of a name, and of what is typed, that are looked at.
const NAME_MAX: usize = 96;
const TYPED_MAX: usize = 48;
/// What a letter costs that begins a word, one from the middle, and a name of which none is the first.
const WORD: u32 = 4;
const MIDDLE: u32 = 16;
const NOT_FIRST: u32 = 1;
/// What nothing costs.
const NOWHERE: u32 = 1 << 20;

/// What it costs to find `typed` in `name`: the less, the better it fits. `None` when it is not there.
#[must_use]
pub fn cost(name: &str, typed: &str) -> Option<u32> {
    let letters: Vec<char> = name.chars().take(NAME_MAX).collect();
    // Where a letter is the first of a word.
    let begins = |at: usize| {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        // Unicode's tables of letters would be kilobytes of the page.
        before.is_none_or(|before| before.is_ascii() && !before.is_ascii_alphanumeric())
    };
    // What it costs at best when the last of the letters typed so far is found at each place.
    let mut ends = vec![0; letters.len()];
    let mut least = 0;
    for (number, wanted) in typed.chars().filter(|letter| *letter != ' ').take(TYPED_MAX).enumerate() {
        // Before a place; before it but for the one right before it; and of all.
        let (mut last, mut earlier) = (NOWHERE, NOWHERE);
        least = NOWHERE;
        for (at, (letter, end)) in letters.iter().zip(&mut ends).enumerate() {
            let jump = if begins(at) { WORD } else { MIDDLE };
            let here = match (number, at) {
                (0, 0) => 0,
                (0, _) => NOT_FIRST + jump,
                _ => last.min(earlier + jump),
            };
            earlier = earlier.min(last);
            last = std::mem::replace(end, if *letter == wanted { here.min(NOWHERE) } else { NOWHERE });
            least = least.min(*end);
        }
        if least == NOWHERE {
            return None;
        }
    }
    // Of equals the shorter: more of it was typed.
    u32::try_from(letters.len()).ok().map(|length| least * 128 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that fit, best first.
    fn ranked<'a>(names: &[&'a str], typed: &str) -> Vec<&'a str> {
        let mut found: Vec<(u32, &str)> = names.iter().filter_map(|name| Some((cost(name, typed)?, *name))).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn beginnings_of_words_come_before_letters_from_the_middle() {
        for (typed, names) in [
            ("ma", &["mapper", "mossy-mapper", "grammar"][..]),
            ("mm", &["mossy-mapper", "hammer"]),
            ("gth", &["go to history", "lightship"]),
            ("history", &["history", "go to history"]),
            ("pin", &["pin ada", "spinner"]),
            ("a", &["ada", "go a", "bar"]),
            ("straw", &["straw", "cross the raw"]),
        ] {
            assert_eq!(ranked(names, typed), names, "{typed}");
        }
    }

    #[test]
    fn letters_are_found_in_their_order_only_and_spaces_are_none() {
        for (name, typed) in [("abc", "acb"), ("abc", "aa"), ("", "a"), ("ab", "abc"), ("grüße", "u")] {
            assert_eq!(cost(name, typed), None, "{typed} in {name}");
        }
        for (name, typed) in [("abc", ""), ("", ""), ("grüße", "üe"), ("go to history", "go history"), ("aXbXc", "abc")]
        {
            assert!(cost(name, typed).is_some(), "{typed} in {name}");
        }
        // The best way counts, not the first that is found.
        assert_eq!(cost("a-bab", "ab").map(|cost| cost / 128), Some(WORD), "the first letter, then the second word");
        assert_eq!(cost("xab ab", "ab").map(|cost| cost / 128), Some(NOT_FIRST + WORD));
    }

    #[test]
    fn what_is_long_is_looked_at_as_far_as_it_goes() {
        let long = "x".repeat(10_000);
        assert!(cost(&long, &long).is_some());
        assert_eq!(cost(&[&*long, "y"].concat(), "y"), None);
    }
}
