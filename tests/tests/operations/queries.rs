//! Which metrics a query names. Knows of PromQL what that takes, and leaves all else to Prometheus.

use std::collections::BTreeSet;

/// Words that are no metric where no bracket follows them.
const KEYWORDS: [&str; 8] = ["and", "or", "unless", "offset", "bool", "inf", "nan", "start"];
/// Words before a list of labels.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// The names of metrics in `query`.
pub(crate) fn metrics(query: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    let mut labels_follow = false;
    while let Some(first) = rest.chars().next() {
        match first {
            '"' | '\'' => rest = after(rest, first),
            '{' => rest = after_braces(rest),
            '[' => rest = rest.split_once(']').map_or("", |(_, rest)| rest),
            '(' if std::mem::take(&mut labels_follow) => rest = rest.split_once(')').map_or("", |(_, rest)| rest),
            'a'..='z' | 'A'..='Z' | '_' | ':' | '0'..='9' => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_:.".contains(c))).unwrap_or(rest.len());
                let (word, behind) = rest.split_at(end);
                rest = behind;
                labels_follow = BEFORE_LABELS.contains(&word);
                let next = behind.trim_start();
                let is_call = ["(", "by ", "by(", "without"].iter().any(|call| next.starts_with(call));
                let is_number = word.starts_with(|c: char| c.is_ascii_digit());
                if !(is_call || is_number || labels_follow || KEYWORDS.contains(&word)) {
                    found.insert(word.to_owned());
                }
            }
            other => rest = rest.split_at(other.len_utf8()).1,
        }
    }
    found
}

/// What follows a text in quotes.
fn after(text: &str, quote: char) -> &str {
    text.get(1..).and_then(|inner| inner.split_once(quote)).map_or("", |(_, rest)| rest)
}

/// What follows a selector, whose values may hold braces.
fn after_braces(text: &str) -> &str {
    let mut quoted = false;
    for (place, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '}' if !quoted => return text.split_at(place + 1).1,
            _ => {}
        }
    }
    ""
}

/// The family that a sample belongs to: a histogram has three kinds.
pub(crate) fn family(sample: &str) -> &str {
    let kinds = ["_bucket", "_count", "_sum"];
    kinds.iter().find_map(|kind| sample.strip_suffix(kind)).unwrap_or(sample)
}

#[test]
fn metrics_are_told_from_functions_labels_durations_and_words() {
    for (query, expected) in [
        ("up == 0 or absent(up{job=\"event-stream\"})", &["up"][..]),
        (
            "sum by (job, le) (rate(a_bucket{route!~\"/x{2}|/y\"}[5m])) / on (job) b offset 10m > 0.5",
            &["a_bucket", "b"],
        ),
        ("histogram_quantile(0.99, sum(rate(x_seconds_bucket[5m])) by (le)) and c", &["c", "x_seconds_bucket"]),
        ("count(ALERTS{alertstate=\"firing\"}) or vector(0)", &["ALERTS"]),
    ] {
        assert_eq!(metrics(query).iter().map(String::as_str).collect::<Vec<_>>(), expected, "{query}");
    }
}
