//! A witness's seed: how far it has grown, when it expires, how it is kept, how it is told elsewhere.
//!
//! Pure: the witness's clock is an argument. Knows what events report of a seed, nothing of how they arrive.

use crate::body::Body;
use crate::form::Form;
use crate::record::{Class, Record};
use crate::writing::Writing;
use monkeytown_protocol::{HttpsUrl, SeedReport, SeedStatus, SeedType};

/// Seeds that may be under way at once.
pub const UNDER_WAY_MAX: usize = 5;
/// How long a seed lives without an outcome, in milliseconds: 24 hours.
pub const LIVES_MILLIS: u64 = 86_400_000;
/// How long before it expires that is said, in milliseconds: an hour.
pub const NOTICE_MILLIS: u64 = 3_600_000;
/// The longest address of a new issue, in bytes: GitHub answers 414 to much more.
pub const ISSUE_MAX_BYTES: usize = 8_000;
/// The longest title of an issue, in letters.
const TITLE_MAX: usize = 72;
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
        self.is_open() && !self.is_heard(now_millis)
    }

    fn is_open(&self) -> bool {
        matches!(self.status, SeedStatus::Pending | SeedStatus::Growing)
    }

    /// Whether events may still change what has come of it: for a day.
    #[must_use]
    pub fn is_heard(&self, now_millis: u64) -> bool {
        // A clock that was wrong when it was planted must not keep it for years.
        now_millis.abs_diff(self.planted_millis) < LIVES_MILLIS
    }

    /// Whether it is one of the few that may be under way at once.
    #[must_use]
    pub fn is_under_way(&self, now_millis: u64) -> bool {
        self.is_open() && !self.is_expired(now_millis)
    }

    /// How long it still lives, in milliseconds, when that is to be said: within its last hour.
    #[must_use]
    pub fn expires_in(&self, now_millis: u64) -> Option<u64> {
        let left = self.planted_millis.saturating_add(LIVES_MILLIS).saturating_sub(now_millis);
        (self.is_under_way(now_millis) && left <= NOTICE_MILLIS).then_some(left)
    }

    /// Takes what an event says of it. True when it stands elsewhere than before. What has come of a seed stays, but what
    /// came to nothing may still come to something, and a link may come later; none shrinks: events may be told twice and
    /// out of order.
    pub fn hear(&mut self, report: &SeedReport) -> bool {
        let completes = report.status == SeedStatus::Complete;
        if !self.is_open() && !(completes && (self.status == SeedStatus::Error || self.result.is_none())) {
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
        let before = (self.status, self.percent, self.result.clone());
        if self.status == SeedStatus::Pending || report.status != SeedStatus::Pending {
            self.status = report.status;
        }
        self.percent = self.percent.max(percent);
        self.result = report.result.clone().or(self.result.take());
        before != (self.status, self.percent, self.result.clone())
    }

    /// What is put into an issue, or copied: what it asks for, and the line by which sources know it. A token's words are
    /// in neither.
    #[must_use]
    pub fn text(&self) -> String {
        [&self.form.told(), "\n\nSeed: ", &self.id, "\n"].concat()
    }

    /// The address of a new issue of `repository` with its words filled in; `None` where the repository is not on
    /// GitHub, or the address would be longer than GitHub takes.
    #[must_use]
    pub fn issue_address(&self, repository: &str) -> Option<String> {
        let name = repository.strip_prefix("https://github.com/")?.trim_end_matches('/');
        let (owner, name) = name.split_once('/')?;
        let is_name = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'-' | b'_' | b'.'))
        };
        let title: String = self.form.told_title().chars().take(TITLE_MAX).collect();
        let mut address = ["https://github.com/", owner, "/", name, "/issues/new?title="].concat();
        escape(&mut address, &title);
        address.push_str("&body=");
        escape(&mut address, &self.text());
        (is_name(owner) && is_name(name) && address.len() <= ISSUE_MAX_BYTES).then_some(address)
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
        let body = Body::read(&record.body);
        let types = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];
        let statuses = [SeedStatus::Pending, SeedStatus::Growing, SeedStatus::Complete, SeedStatus::Error];
        let seed_type = body.get("type")?;
        let status = body.get("status")?;
        Some(Self {
            id: record.id.clone(),
            planted_millis: body.number("planted")?,
            form: Form {
                seed_type: types.into_iter().find(|known| known.as_str() == seed_type)?,
                first: body.get("first")?.to_owned(),
                second: body.get("second")?.to_owned(),
            },
            status: statuses.into_iter().find(|known| known.as_str() == status)?,
            percent: body.number("percent")?.min(100),
            result: body.get("result").and_then(|url| HttpsUrl::new(url).ok()),
        })
    }
}

/// Writes a part of a query (RFC 3986, section 2.1): everything but what needs no escape in any part of an address.
fn escape(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
            continue;
        }
        out.push('%');
        for digit in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
        }
    }
}
