//! What a seed's form takes, what is wrong with it in plain words, and what would be planted.
//!
//! Pure; knows nothing of what the form looks like, nor of what becomes of a seed.

use crate::record::units;
use monkeytown_protocol::{HttpsUrl, SeedType};

/// What the address of something that is given begins with.
const HTTPS: &str = "https://";
/// The kind of what is given whose words are for nobody else.
const TOKEN: &str = "token";
/// What others read in its place.
const TOKEN_STAYS: &str = "a token, which is not written here";
/// The most that a field of one line takes, in UTF-16 units.
pub const LINE_MAX_UNITS: usize = 200;
/// The most that a field of many lines takes, in UTF-16 units.
pub const PASTE_MAX_UNITS: usize = 8_000;

/// What a form takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// What is asked for.
    pub seed_type: SeedType,
    /// The first field: who takes part, the expression, what is given, or the filter.
    pub first: String,
    /// The second: the terms, or one of [`kinds`]; empty for a query.
    pub second: String,
}

/// Which kinds a type has, the one taken unless another is chosen first.
#[must_use]
pub fn kinds(seed_type: SeedType) -> &'static [&'static str] {
    match seed_type {
        SeedType::Constraint => &["performance", "scope", "resource", "temporal"],
        SeedType::Resource => &["data", "code", "configuration", TOKEN],
        SeedType::Contract | SeedType::Query => &[],
    }
}

/// What the two fields of a type are called.
#[must_use]
pub fn fields(seed_type: SeedType) -> [&'static str; 2] {
    match seed_type {
        SeedType::Contract => ["parties", "terms"],
        SeedType::Constraint => ["expression", "kind"],
        SeedType::Resource => ["content", "kind"],
        SeedType::Query => ["filter", ""],
    }
}

impl Form {
    /// What is wrong with each of its two fields, in words; empty where nothing is.
    #[must_use]
    pub fn faults(&self) -> [&'static str; 2] {
        let first = match self.seed_type {
            SeedType::Contract if self.first.split(',').all(is_blank) => {
                "name who takes part, with commas between them"
            }
            SeedType::Constraint if is_blank(&self.first) => "say what has to hold",
            SeedType::Resource if is_blank(&self.first) => "paste what you give, or its https address",
            SeedType::Query if is_blank(&self.first) => "say what you look for",
            SeedType::Resource => self.content_fault(),
            _ => line_fault(&self.first),
        };
        let second = match self.seed_type {
            SeedType::Contract => terms_fault(&self.second),
            SeedType::Query => "",
            _ if kinds(self.seed_type).contains(&self.second.as_str()) => "",
            _ => "choose a kind",
        };
        [first, second]
    }

    fn content_fault(&self) -> &'static str {
        let content = self.first.trim_ascii();
        let is_address = content.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.bytes().all(|letter| letter.is_ascii_alphanumeric())
                && rest.starts_with("//")
                && !rest.contains(char::is_whitespace)
        });
        match () {
            () if is_address && HttpsUrl::new(content).is_err() => {
                match content.get(..HTTPS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(HTTPS)) {
                    true => "an address is https:// in small letters and a host, without a name or password",
                    false => "an address has to begin with https://",
                }
            }
            () if units(content) > PASTE_MAX_UNITS => "that is more than 8,000 letters: give its https address",
            () if has_unseen(content, true) => "there are letters in it that nobody can see",
            () => "",
        }
    }
}

impl Form {
    /// Its first words, on one line.
    #[must_use]
    pub fn title(&self) -> &str {
        self.first.trim_ascii().split('\n').next().unwrap_or_default()
    }

    /// What would be planted, in words.
    #[must_use]
    pub fn preview(&self) -> String {
        self.in_words(self.first.trim_ascii())
    }

    /// Its first words, for others to read: a token opens whatever it is for to everybody who reads it.
    #[must_use]
    pub fn told_title(&self) -> &str {
        if self.is_secret() { TOKEN_STAYS } else { self.title() }
    }

    /// What is asked for, for others to read.
    #[must_use]
    pub fn told(&self) -> String {
        if self.is_secret() { self.in_words(TOKEN_STAYS) } else { self.preview() }
    }

    fn is_secret(&self) -> bool {
        self.seed_type == SeedType::Resource && self.second.trim_ascii() == TOKEN
    }

    fn in_words(&self, first: &str) -> String {
        let second = self.second.trim_ascii();
        let of_kind = if kinds(self.seed_type).is_empty() { ["", ""] } else { [second, " "] };
        let terms = if self.seed_type == SeedType::Contract { ["\n", second] } else { ["", ""] };
        [of_kind.concat().as_str(), self.seed_type.as_str(), ": ", first, &terms.concat()].concat()
    }
}

fn is_blank(text: &str) -> bool {
    text.trim_ascii().is_empty()
}

/// Whether it holds letters that are not seen and may change how others are read: control characters, and those that
/// turn the direction of what follows.
fn has_unseen(text: &str, many_lines: bool) -> bool {
    text.chars().any(|letter| match letter {
        '\n' | '\r' | '\t' => !many_lines,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' => true,
        // Joiners and marks of direction are part of how many languages are written; these are of none.
        '\u{ad}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}' | '\u{feff}' => true,
        _ => letter.is_control(),
    })
}

/// Whether it looks like markup: forms take words.
fn has_tags(text: &str) -> bool {
    let after = text.split('<').skip(1);
    after
        .into_iter()
        .any(|rest| rest.starts_with(|letter: char| letter.is_ascii_alphabetic() || matches!(letter, '/' | '!' | '?')))
}

fn line_fault(text: &str) -> &'static str {
    match () {
        () if units(text) > LINE_MAX_UNITS => "that is more than 200 letters",
        () if has_unseen(text, false) => "there are letters in it that nobody can see",
        () if has_tags(text) => "plain words only, no tags",
        () => "",
    }
}

fn terms_fault(text: &str) -> &'static str {
    let is_pair = |line: &str| {
        is_blank(line) || line.split_once(':').is_some_and(|(key, value)| !is_blank(key) && !is_blank(value))
    };
    match () {
        () if units(text) > PASTE_MAX_UNITS => "that is more than 8,000 letters",
        () if has_unseen(text, true) => "there are letters in it that nobody can see",
        () if has_tags(text) => "plain words only, no tags",
        () if !text.split('\n').all(is_pair) => "each line is a name, a colon and what holds: \"deadline: friday\"",
        () => "",
    }
}
