//! The filter: a text read to terms that must all hold, and what matches them.
//!
//! Pure: what makes letters small, what time it is and what the fold says are arguments. Knows nothing of signals or the
//! browser, nor of what becomes of what matches.

mod subject;
#[cfg(test)]
mod tests;

pub use subject::Subject;

use crate::voice::{self, holds};
use monkeytown_protocol::Timestamp;

/// Terms of one filter: each is looked for in everything that the page holds.
const TERMS_MAX: usize = 16;
/// Letters of a filter that are read.
pub const LETTERS_MAX: usize = 200;
/// The largest number before a unit of time: no history is as long.
const UNITS_MAX: u64 = 1_000_000;

const KINDS: &[&str] = &["agent", "contract", "transaction", "message", "resource", "signal", "query", "constraint"];
const STATUSES: &[&str] = &[
    "idle",
    "resting",
    "active",
    "processing",
    "thinking",
    "pending",
    "growing",
    "complete",
    "settled",
    "error",
    "broken",
    "debug",
    "info",
    "warn",
];
const TYPES: &[&str] = &["agent", "flow", "commit", "contract", "run", "log", "seed"];

/// Makes letters small: the browser's own way on the page, where Rust's tables for it would cost 10 KB.
pub type Lower = fn(&str) -> String;

/// What a term asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// That these letters stand somewhere in what is said of it.
    Word,
    /// Whose it is.
    Agent,
    /// One of [`KINDS`], or what begins one.
    Kind,
    /// One of [`STATUSES`], or what begins one.
    Status,
    /// One of [`TYPES`], or what begins one.
    Type,
    /// That it is so many milliseconds old at most.
    Within(i64),
    /// That it is no older than that moment.
    Since(Timestamp),
}

/// Terms that must all hold. Without any everything matches.
#[derive(Debug, Clone)]
pub struct Filter {
    terms: Vec<(Asked, String)>,
    lower: Lower,
    fault: String,
}

impl Filter {
    /// Reads a text. What makes no sense is left out, and said.
    #[must_use]
    pub fn read(text: &str, lower: Lower) -> Self {
        let mut filter = Self { terms: Vec::new(), lower, fault: String::new() };
        let mut is_long = false;
        let mut short = String::new();
        for (at, letter) in text.trim_ascii().chars().enumerate() {
            is_long = at >= LETTERS_MAX;
            if is_long {
                break;
            }
            short.push(letter);
        }
        let (mut word, mut is_quoted, mut is_literal) = (String::new(), false, false);
        // The end is a blank, whatever quote is open.
        for letter in lower(&short).chars().map(Some).chain([None]) {
            match letter {
                Some('"') => {
                    is_quoted = !is_quoted;
                    is_literal |= word.is_empty();
                }
                Some(letter) if is_quoted || letter > ' ' => word.push(letter),
                _ => {
                    filter.take(std::mem::take(&mut word), std::mem::take(&mut is_literal));
                }
            }
        }
        is_long |= filter.terms.len() > TERMS_MAX;
        filter.terms.truncate(TERMS_MAX);
        if is_long {
            filter.complain("only its first 200 letters and 16 terms count".to_owned());
        }
        filter
    }

    fn complain(&mut self, fault: String) {
        if self.fault.is_empty() {
            self.fault = fault;
        }
    }

    /// Takes a term; one that began with a quote is never a key.
    fn take(&mut self, word: String, is_literal: bool) {
        // What stands before the colon of an address or a time of day is no key.
        let is_key = |key: &&(&str, &str)| key.0.bytes().all(|byte| byte.is_ascii_lowercase()) && !key.0.is_empty();
        let Some((key, value)) = word.split_once(':').as_ref().filter(is_key).filter(|_| !is_literal).copied() else {
            if !word.is_empty() {
                self.terms.push((Asked::Word, word));
            }
            return;
        };
        let (asked, known) = match key {
            "agent" => (Some(Asked::Agent), &[][..]),
            "kind" => (Some(Asked::Kind), KINDS),
            "status" => (Some(Asked::Status), STATUSES),
            "type" => (Some(Asked::Type), TYPES),
            "since" => (age(value), &[][..]),
            _ => {
                let key = voice::name(key);
                let words =
                    ["no key '", &key, ":'; known are agent, kind, status, type, since (in quotes it is a word)"];
                return self.complain(words.concat());
            }
        };
        let is_known = known.is_empty() || known.iter().any(|known| known.starts_with(value));
        match asked {
            None => self.complain("since: takes 10m, 2h, 3d or a date such as 2026-01-18".to_owned()),
            Some(_) if value.is_empty() && known.is_empty() => self.complain("agent: takes a name or an id".to_owned()),
            Some(asked) if is_known && !value.is_empty() => self.terms.push((asked, value.to_owned())),
            Some(_) if is_known => self.complain([key, ": takes one of ", &known.join(", ")].concat()),
            Some(_) => {
                let value = voice::name(value);
                self.complain(["no ", key, " '", &value, "'; known are ", &known.join(", ")].concat());
            }
        }
    }

    /// Whether it leaves anything out.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.terms.is_empty()
    }

    /// What makes no sense in it, in words; empty when all does.
    #[must_use]
    pub fn fault(&self) -> &str {
        &self.fault
    }

    /// Whether what matches now may match no more only because time passes.
    #[must_use]
    pub fn ages(&self) -> bool {
        self.terms.iter().any(|(asked, _)| matches!(asked, Asked::Within(_)))
    }

    /// Whether something of that moment is young enough.
    #[must_use]
    pub fn is_young(&self, time: Timestamp, now: Timestamp) -> bool {
        self.terms.iter().all(|(asked, _)| match asked {
            Asked::Within(millis) => now.since_millis(time) <= *millis,
            Asked::Since(earliest) => time >= *earliest,
            _ => true,
        })
    }

    /// Whether all terms hold of it.
    #[must_use]
    pub fn takes(&self, subject: &Subject, now: Timestamp) -> bool {
        let begins = |word: &&str, value: &str| word.starts_with(value);
        self.is_young(subject.time, now)
            && self.terms.iter().all(|(asked, value)| match asked {
                Asked::Word => subject.texts.iter().any(|text| self.is_in(text, value)),
                Asked::Agent => subject.whose.iter().any(|text| self.is_in(text, value)),
                Asked::Kind => subject.kind.starts_with(&**value),
                Asked::Status => subject.statuses.iter().any(|status| begins(status, value)),
                Asked::Type => subject.sort.starts_with(&**value),
                Asked::Within(_) | Asked::Since(_) => true,
            })
    }

    /// Whether `part`, in small letters, stands in `text`. Letters that only the browser can make small are seldom, and
    /// asking it takes longer than all the rest.
    fn is_in(&self, text: &str, part: &str) -> bool {
        if text.is_ascii() {
            text.as_bytes().windows(part.len()).any(|run| run.eq_ignore_ascii_case(part.as_bytes()))
        } else {
            holds(&(self.lower)(text), part)
        }
    }
}

/// Reads how old something may be: `10m`, or a date.
fn age(text: &str) -> Option<Asked> {
    let unit = match text.bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        _ => 0,
    };
    let count = text.get(..text.len() - 1).and_then(|count| count.parse::<u64>().ok());
    if let Some(count) = count.filter(|_| unit > 0) {
        return i64::try_from(count.min(UNITS_MAX)).ok().map(|count| Asked::Within(count * unit));
    }
    let moment = if text.len() == 10 { [text, "t00:00:00z"].concat() } else { text.to_owned() };
    moment.parse().ok().map(Asked::Since)
}
