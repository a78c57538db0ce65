//! A witness's seed: what its form takes, how far it has grown, when it expires.
//!
//! Pure: the witness's clock is an argument. Knows what events report of a seed, nothing of how they arrive, and nothing
//! of what the form looks like.

use crate::record::{Class, Record, units};
use crate::writing::Writing;
use monkeytown_protocol::{HttpsUrl, Json, SeedReport, SeedStatus, SeedType};

/// Seeds that may be under way at once.
pub const UNDER_WAY_MAX: usize = 5;
/// How long a seed lives without an outcome, in milliseconds: 24 hours.
pub const LIVES_MILLIS: u64 = 86_400_000;
/// How long before it expires that is said, in milliseconds: an hour.
pub const NOTICE_MILLIS: u64 = 3_600_000;
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
        SeedType::Resource => &["data", "code", "configuration", "token"],
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
            SeedType::Contract if self.parties().next().is_none() => "name who takes part, with commas between them",
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
        let content = self.first.trim();
        let is_address = content.split_once("://").is_some_and(|(scheme, rest)| {
            scheme.chars().all(|letter| letter.is_ascii_alphanumeric()) && !rest.contains(char::is_whitespace)
        });
        match () {
            () if is_address && HttpsUrl::new(content).is_err() => "an address has to begin with https://",
            () if units(content) > PASTE_MAX_UNITS => "that is more than 8,000 letters: give its https address",
            () if has_unseen(content, true) => "there are letters in it that nobody can see",
            () => "",
        }
    }

    /// Those who take part in a contract.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        self.first.split(',').map(str::trim).filter(|party| !party.is_empty())
    }

    /// The terms of a contract, as key and value.
    pub fn terms(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.second.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(key, value)| (key.trim(), value.trim()))
    }
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// Whether it holds letters that are not seen and may change how others are read: control characters, and those that
/// turn the direction of what follows.
fn has_unseen(text: &str, many_lines: bool) -> bool {
    text.chars().any(|letter| match letter {
        '\n' | '\r' | '\t' => !many_lines,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => true,
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
        () if !text.lines().all(is_pair) => "each line is a name, a colon and what holds: \"deadline: friday\"",
        () => "",
    }
}

/// How far a seed has grown, as it is shown (`states.md`, "Seeds").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Planted, and not found yet.
    Germinating,
    /// Found.
    Sprouting,
    /// Under way.
    Growing,
    /// Nearly done.
    Maturing,
    /// It has come to something, or to nothing.
    Outcome,
}

impl Stage {
    /// As the markup says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Germinating => "germinating",
            Self::Sprouting => "sprouting",
            Self::Growing => "growing",
            Self::Maturing => "maturing",
            Self::Outcome => "outcome",
        }
    }
}

/// A seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    /// Its id, which events name.
    pub id: String,
    /// When it was planted, in milliseconds since 1970 by the witness's clock.
    pub planted_millis: u64,
    /// What it asks for.
    pub form: Form,
    /// How it grows.
    pub status: SeedStatus,
    /// How far it has grown, in hundredths.
    pub percent: u64,
    /// What came of it.
    pub result: Option<HttpsUrl>,
}

impl Seed {
    /// Where it stands at `now_millis`: one without an outcome after 24 hours is expired, whatever events said.
    #[must_use]
    pub fn stage(&self, now_millis: u64) -> Stage {
        match self.status {
            SeedStatus::Complete | SeedStatus::Error => Stage::Outcome,
            _ if self.is_expired(now_millis) => Stage::Outcome,
            SeedStatus::Pending => Stage::Germinating,
            SeedStatus::Growing if self.percent < 30 => Stage::Sprouting,
            SeedStatus::Growing if self.percent < 70 => Stage::Growing,
            SeedStatus::Growing => Stage::Maturing,
        }
    }

    /// Whether it lived out its time without an outcome.
    #[must_use]
    pub fn is_expired(&self, now_millis: u64) -> bool {
        self.is_open() && now_millis.saturating_sub(self.planted_millis) >= LIVES_MILLIS
    }

    fn is_open(&self) -> bool {
        matches!(self.status, SeedStatus::Pending | SeedStatus::Growing)
    }

    /// Whether it is one of the few that may be under way at once.
    #[must_use]
    pub fn is_under_way(&self, now_millis: u64) -> bool {
        self.is_open() && !self.is_expired(now_millis)
    }

    /// How long it still lives, in milliseconds, when that is to be said: within its last hour.
    #[must_use]
    pub fn expires_in(&self, now_millis: u64) -> Option<u64> {
        let left = (self.planted_millis + LIVES_MILLIS).saturating_sub(now_millis);
        (self.is_under_way(now_millis) && left <= NOTICE_MILLIS).then_some(left)
    }

    /// Takes what an event says of it. True when it stands elsewhere than before. A seed with an outcome keeps it, and
    /// none shrinks: events may be told twice and out of order.
    pub fn hear(&mut self, report: &SeedReport) -> bool {
        if !self.is_open() {
            return false;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share in hundredths")]
        let told = (f64::from(report.progress.get()) * 100.0) as u64;
        let percent = match report.status {
            SeedStatus::Pending => told.min(9),
            // Found is ten hundredths at least; all of it is the outcome's to say.
            SeedStatus::Growing => told.clamp(10, 90),
            SeedStatus::Complete => 100,
            SeedStatus::Error => self.percent,
        };
        let before = (self.status, self.percent);
        if self.status == SeedStatus::Pending || report.status != SeedStatus::Pending {
            self.status = report.status;
        }
        self.percent = self.percent.max(percent);
        self.result = report.result.clone().or(self.result.take());
        before != (self.status, self.percent)
    }

    /// As it is kept.
    #[must_use]
    pub fn to_record(&self, changed_millis: u64) -> Record {
        let mut body = Writing::default();
        body.text("type", self.form.seed_type.as_str());
        body.number("planted", self.planted_millis);
        body.text("first", &self.form.first);
        body.text("second", &self.form.second);
        body.text("status", self.status.as_str());
        body.number("percent", self.percent);
        if let Some(result) = &self.result {
            body.text("result", result.as_str());
        }
        Record { class: Class::Seed, id: self.id.clone(), changed_millis, body: body.end() }
    }

    /// Reads a kept one; `None` for what no page wrote.
    #[must_use]
    pub fn from_record(record: &Record) -> Option<Self> {
        let json = Json::parse(&record.body).ok()?;
        let Json::Object(members) = &json else { return None };
        let member = |name: &str| members.iter().find(|(held, _)| held == name).map(|(_, value)| value);
        let text = |name: &str| match member(name) {
            Some(Json::Text(text)) => Some(text.as_ref()),
            _ => None,
        };
        let number = |name: &str| match member(name) {
            Some(Json::Whole(number)) => Some(*number),
            _ => None,
        };
        let types = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];
        let statuses = [SeedStatus::Pending, SeedStatus::Growing, SeedStatus::Complete, SeedStatus::Error];
        let seed_type = text("type")?;
        let status = text("status")?;
        Some(Self {
            id: record.id.clone(),
            planted_millis: number("planted")?,
            form: Form {
                seed_type: types.into_iter().find(|known| known.as_str() == seed_type)?,
                first: text("first")?.to_owned(),
                second: text("second")?.to_owned(),
            },
            status: statuses.into_iter().find(|known| known.as_str() == status)?,
            percent: number("percent")?.min(100),
            result: text("result").and_then(|url| HttpsUrl::new(url).ok()),
        })
    }
}
