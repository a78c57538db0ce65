//! Moments as the wire writes them: RFC 3339, UTC, milliseconds.
//!
//! Written by hand because the usual crates cost the page 17 KB (see `ARCHITECTURE.md`, "Bytes"); an
//! independent library is the oracle in the tests. Knows nothing of the present: there is no `now` here.

use crate::from_json::text_from_json;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

const DAY_MILLIS: i64 = 86_400_000;
/// 0000-01-01T00:00:00Z and 9999-12-31T23:59:59.999Z: RFC 3339 has four digits for a year.
const MIN_MILLIS: i64 = -62_167_219_200_000;
const MAX_MILLIS: i64 = 253_402_300_799_999;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

/// Text that is no RFC 3339 moment (section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampError;

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an RFC 3339 moment such as 2026-01-18T12:00:00.000Z")
    }
}

impl std::error::Error for TimestampError {}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// Before all others: 0000-01-01T00:00:00Z.
    pub const EARLIEST: Self = Self(MIN_MILLIS);

    /// A moment from milliseconds since 1970; what lies outside the years 0000 to 9999 is taken to their edge.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(MIN_MILLIS, MAX_MILLIS))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.0
    }

    /// This moment, `millis` later (earlier when negative).
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment, negative when `earlier` is later.
    #[must_use]
    pub fn since_millis(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(DAY_MILLIS), self.0.rem_euclid(DAY_MILLIS));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
        let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Any RFC 3339 moment, of any offset and precision; what is finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let mut rest = Reader(text.as_bytes());
        let year = rest.digits(4)?;
        rest.byte(b"-")?;
        let month = rest.digits(2)?;
        rest.byte(b"-")?;
        let day = rest.digits(2)?;
        rest.byte(b"Tt ")?;
        let hour = rest.digits(2)?;
        rest.byte(b":")?;
        let minute = rest.digits(2)?;
        rest.byte(b":")?;
        let second = rest.digits(2)?;
        let milli = if rest.byte(b".").is_ok() { rest.fraction_millis()? } else { 0 };
        let offset_minutes = rest.offset_minutes()?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_in_month = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        // A leap second (60) is written as the last moment that the calendar of this page knows.
        let sound = rest.0.is_empty()
            && (1..=12).contains(&month)
            && (1..=days_in_month).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !sound {
            return Err(TimestampError);
        }
        let (second, milli) = if second == 60 { (59, 999) } else { (second, milli) };
        let minutes = hour * 60 + minute - offset_minutes;
        let millis = days_from_civil(year, month, day) * DAY_MILLIS + minutes * 60_000 + second * 1_000 + milli;
        if (MIN_MILLIS..=MAX_MILLIS).contains(&millis) { Ok(Self(millis)) } else { Err(TimestampError) }
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Result<i64, TimestampError> {
        let (digits, rest) = self.0.split_at_checked(count).ok_or(TimestampError)?;
        self.0 = rest;
        digits.iter().try_fold(0, |value, digit| match digit {
            b'0'..=b'9' => Ok(value * 10 + i64::from(digit - b'0')),
            _ => Err(TimestampError),
        })
    }

    fn byte(&mut self, allowed: &[u8]) -> Result<u8, TimestampError> {
        match self.0.split_first() {
            Some((byte, rest)) if allowed.contains(byte) => {
                self.0 = rest;
                Ok(*byte)
            }
            _ => Err(TimestampError),
        }
    }

    fn fraction_millis(&mut self) -> Result<i64, TimestampError> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return Err(TimestampError);
        }
        let kept = length.min(3);
        let value = self.digits(kept)?;
        self.0 = self.0.get(length - kept..).unwrap_or_default();
        Ok(match kept {
            1 => value * 100,
            2 => value * 10,
            _ => value,
        })
    }

    fn offset_minutes(&mut self) -> Result<i64, TimestampError> {
        let sign = match self.byte(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Ok(0),
        };
        let hour = self.digits(2)?;
        self.byte(b":")?;
        let minute = self.digits(2)?;
        if hour < 24 && minute < 60 { Ok(sign * (hour * 60 + minute)) } else { Err(TimestampError) }
    }
}

// The two conversions follow Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms": years
// start in March, so that the leap day is the last of its year.

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

text_from_json!(Timestamp: str::parse, "must be an RFC 3339 moment";);

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn moments_of_any_offset_and_precision_are_read() {
        for (text, written) in [
            ("2026-01-18T12:00:00Z", "2026-01-18T12:00:00.000Z"),
            ("2026-01-18t12:00:00.5z", "2026-01-18T12:00:00.500Z"),
            ("2026-01-18 12:00:00.123456789+02:30", "2026-01-18T09:30:00.123Z"),
            ("2024-02-29T23:59:60Z", "2024-02-29T23:59:59.999Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().expect(text).to_string(), written);
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "2026",
            "2026-13-01T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2026-01-18T24:00:00Z",
            "2026-01-18T12:00:00",
            "2026-01-18T12:00:00.Z",
            "2026-01-18T12:00:00Zz",
            "2026-01-18T12:00:00+24:00",
            "2026-01-1éT12:00:00Z",
            "0000-01-01T00:00:00+00:01",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn writing_and_reading_agree_with_an_independent_library(millis in MIN_MILLIS..=MAX_MILLIS) {
            let ours = Timestamp::from_millis(millis);
            let written = ours.to_string();
            let oracle = jiff::Timestamp::from_millisecond(millis).expect("within jiff's range");
            proptest::prop_assert_eq!(&written, &format!("{oracle:.3}"));
            proptest::prop_assert_eq!(written.parse::<Timestamp>(), Ok(ours));
        }

        #[test]
        fn hostile_text_is_refused_without_a_panic(text in ".{0,40}") {
            let _ = text.parse::<Timestamp>();
        }
    }
}
