//! Small values with a rule of their own, checked once where they enter.

use crate::{
    FromJson, Json, Wrong,
    from_json::text_from_json,
    limits::{TEXT_MAX_BYTES, URL_MAX_BYTES},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// A share between 0 and 1, both included; never NaN.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default, Serialize, Deserialize)]
#[serde(try_from = "f32", into = "f32")]
pub struct Ratio(f32);

impl Ratio {
    /// Nothing of the whole.
    pub const ZERO: Self = Self(0.0);
    /// The whole.
    pub const ONE: Self = Self(1.0);

    /// Takes `value` into 0..=1; NaN becomes 0.
    #[must_use]
    pub fn clamped(value: f32) -> Self {
        if value.is_nan() { Self::ZERO } else { Self(value.clamp(0.0, 1.0)) }
    }

    /// The share as a number, 0..=1.
    #[must_use]
    pub fn get(self) -> f32 {
        self.0
    }
}

/// A number that is no share. It does not name the number: printing a fraction costs the page 10 KB of code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RatioError;

impl fmt::Display for RatioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share is a number from 0 to 1")
    }
}

impl std::error::Error for RatioError {}

impl TryFrom<f32> for Ratio {
    type Error = RatioError;
    fn try_from(value: f32) -> Result<Self, RatioError> {
        // NaN is in no range, so it is refused here too.
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(RatioError) }
    }
}

impl<'a> FromJson<'a> for Ratio {
    #[expect(clippy::cast_possible_truncation, reason = "beyond f32 is infinite, and no share")]
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Self::try_from(json.number(wrong)? as f32).ok().or_else(|| wrong.say("must be a share from 0 to 1"))
    }
}

impl From<Ratio> for f32 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

/// Text that people read: a label, an activity, a reason. At most [`TEXT_MAX_BYTES`]; shown as text, never markup.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(Arc<str>);

/// Text over [`TEXT_MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextTooLong;

impl fmt::Display for TextTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "text holds at most {TEXT_MAX_BYTES} bytes")
    }
}

impl std::error::Error for TextTooLong {}

text_from_json!(Text: Text::new, "must be at most 2,048 bytes";);

impl Text {
    /// Checks and shares `value`.
    ///
    /// # Errors
    /// When it is over [`TEXT_MAX_BYTES`].
    pub fn new(value: &str) -> Result<Self, TextTooLong> {
        if value.len() > TEXT_MAX_BYTES { Err(TextTooLong) } else { Ok(Self(Arc::from(value))) }
    }

    /// `value` cut at a character's edge so that it fits; what was cut shows as `…`.
    #[must_use]
    pub fn fitted(value: &str) -> Self {
        Self::cut(value, TEXT_MAX_BYTES)
    }

    /// The same text, cut likewise when it has over `max_bytes`.
    #[must_use]
    pub fn shortened(self, max_bytes: usize) -> Self {
        if self.0.len() <= max_bytes { self } else { Self::cut(&self.0, max_bytes) }
    }

    fn cut(value: &str, max_bytes: usize) -> Self {
        const MARK: &str = "…";
        if value.len() <= max_bytes {
            return Self(Arc::from(value));
        }
        let room = max_bytes.saturating_sub(MARK.len());
        let kept: String = value
            .char_indices()
            .take_while(|(at, c)| at + c.len_utf8() <= room)
            .map(|(_, c)| c)
            .chain(MARK.chars())
            .collect();
        Self(Arc::from(kept))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Text {
    type Error = TextTooLong;
    fn try_from(value: String) -> Result<Self, TextTooLong> {
        Self::new(&value)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0.as_ref().to_owned()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// An address that a witness may be sent to: `https:` only, without credentials or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpsUrl(Arc<str>);

/// An address that a witness must not be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlError;

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an address must be https:, without credentials or blanks, of at most {URL_MAX_BYTES} bytes")
    }
}

impl std::error::Error for UrlError {}

impl HttpsUrl {
    /// Checks `value`.
    ///
    /// # Errors
    /// When it is anything but a plain `https:` address.
    pub fn new(value: &str) -> Result<Self, UrlError> {
        let rest = value.strip_prefix("https://").ok_or(UrlError)?;
        let length = rest.bytes().take_while(|byte| !matches!(byte, b'/' | b'?' | b'#')).count();
        let authority = rest.as_bytes().get(..length).unwrap_or_default();
        let sound = value.len() <= URL_MAX_BYTES
            && !authority.is_empty()
            && !authority.iter().any(|byte| matches!(byte, b'@' | b'\\'))
            && !value.chars().any(|c| c.is_control() || c.is_whitespace());
        if sound { Ok(Self(Arc::from(value))) } else { Err(UrlError) }
    }

    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_from_json!(HttpsUrl: HttpsUrl::new, "must be a plain https: address";);

impl TryFrom<String> for HttpsUrl {
    type Error = UrlError;
    fn try_from(value: String) -> Result<Self, UrlError> {
        Self::new(&value)
    }
}

impl From<HttpsUrl> for String {
    fn from(url: HttpsUrl) -> Self {
        url.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_ratio_outside_its_range_is_refused() {
        for value in [-0.001, 1.001, f32::NAN, f32::INFINITY] {
            assert!(Ratio::try_from(value).is_err(), "{value}");
        }
        assert_eq!(Ratio::clamped(7.0), Ratio::ONE);
        assert_eq!(Ratio::clamped(f32::NAN), Ratio::ZERO);
    }

    #[test]
    fn text_that_is_too_long_is_cut_at_a_character() {
        let long = "é".repeat(TEXT_MAX_BYTES);
        let text = Text::fitted(&long);
        assert!(text.as_str().len() <= TEXT_MAX_BYTES && text.as_str().ends_with("é…"));
        assert!(Text::try_from(long).is_err());
        let shorter = Text::fitted("a long name").shortened(8);
        assert_eq!((shorter.as_str(), shorter.clone().shortened(8)), ("a lon…", shorter.clone()));
    }

    #[test]
    fn only_plain_https_addresses_are_links() {
        assert!(HttpsUrl::new("https://example.org/a?b#c").is_ok());
        for bad in [
            "http://example.org",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https://user:word@example.org",
            "https://example.org\\@evil.example",
            "https://exa mple.org",
            "https://example.org/\u{0}",
        ] {
            assert!(HttpsUrl::new(bad).is_err(), "{bad}");
        }
    }
}
