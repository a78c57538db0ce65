//! The file of tokens that people write (`interfaces.md`, "MONKEYTOWN_PUBLISH_TOKENS_FILE"): one table a token.
//!
//! Owns its reading and every refusal; none of them repeats a digest, for it may be the token itself that was written
//! there. Knows nothing of requests.

use super::auth::{Token, TokenDigest, Tokens, UNNAMED_PREFIX};
use crate::written::{self, Written, WrittenError};
use monkeytown_protocol::{SourceUri, Timestamp};
use sha2::{Digest, Sha256};
use std::{path::Path, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

const TOP_KEYS: [&str; 1] = ["token"];
const TOKEN_KEYS: [&str; 5] = ["name", "sha256", "sources", "events_per_second", "expires"];
/// Most tokens of one file: every request is compared with all of them.
const TOKENS_MAX: usize = 256;
/// Most sources of one token.
const SOURCES_MAX: usize = 256;
/// Longest name, in bytes: it is a label of metrics.
const NAME_MAX_BYTES: usize = 64;
const RATE_MAX: u32 = 1_000_000;

impl Tokens {
    /// Reads a file of tokens.
    ///
    /// # Errors
    /// When it cannot be read, or as [`Tokens::parse`].
    pub fn read_file(file: &Path) -> Result<Self, WrittenError> {
        Self::parse(&written::read(file)?, file)
    }

    /// Reads `text`; `file` is for the refusals only.
    ///
    /// # Errors
    /// On TOML that does not parse, an unknown or missing key, a value of the wrong kind, a name or digest that is there
    /// twice, no token at all.
    pub fn parse(text: &str, file: &Path) -> Result<Self, WrittenError> {
        let reader = Reader(Written { text, file });
        reader.tokens().map(Self::of)
    }
}

struct Reader<'a>(Written<'a>);

type Value<'a> = Spanned<DeValue<'a>>;

impl Reader<'_> {
    fn tokens(&self) -> Result<Vec<Token>, WrittenError> {
        let table = self.0.table()?;
        self.0.known_keys(table.get_ref(), &TOP_KEYS)?;
        let Some(tokens) = table.get_ref().get("token") else {
            return Err(self.0.fault(&(0..0), "no token: such a file has at least one [[token]]"));
        };
        let DeValue::Array(tokens) = tokens.get_ref() else {
            return Err(self.0.fault(&tokens.span(), "tokens are written [[token]], with two brackets"));
        };
        if tokens.len() > TOKENS_MAX {
            return Err(self.0.fault(&(0..0), format!("{} tokens; at most {TOKENS_MAX}", tokens.len())));
        }
        let mut read: Vec<Token> = Vec::new();
        for value in tokens.iter() {
            let token = self.token(value, &read)?;
            read.push(token);
        }
        Ok(read)
    }

    fn token(&self, value: &Value<'_>, earlier: &[Token]) -> Result<Token, WrittenError> {
        let DeValue::Table(table) = value.get_ref() else {
            return Err(self.0.fault(&value.span(), "a token is a table: [[token]]"));
        };
        self.0.known_keys(table, &TOKEN_KEYS)?;
        let needed =
            |key| table.get(key).ok_or_else(|| self.0.fault(&value.span(), format!("this token has no `{key}`")));
        let (name_value, digest_value) = (needed("name")?, needed("sha256")?);
        let (name, digest) = (self.name(name_value)?, self.digest(digest_value)?);
        if earlier.iter().any(|other| *other.name == *name) {
            return Err(self.0.fault(&name_value.span(), format!("another token has the name `{name}`")));
        }
        if let Some(other) = earlier.iter().find(|other| other.digest == digest) {
            let message = format!("this is the token of `{}` too; give each one of its own", other.name);
            return Err(self.0.fault(&digest_value.span(), message));
        }
        Ok(Token {
            name: name.into(),
            digest,
            sources: self.sources(table)?,
            events_per_second: table.get("events_per_second").map(|rate| self.rate(rate)).transpose()?,
            expires: table.get("expires").map(|moment| self.moment(moment)).transpose()?,
        })
    }

    fn name(&self, value: &Value<'_>) -> Result<String, WrittenError> {
        let name = self.0.text_of(value, "name")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if name.len() > NAME_MAX_BYTES || !name.bytes().all(plain) {
            let message = format!("`name` holds at most {NAME_MAX_BYTES} letters, digits, `-`, `_` and `.`");
            return Err(self.0.fault(&value.span(), message));
        }
        if name.starts_with(UNNAMED_PREFIX) {
            let message = format!("names that begin with `{UNNAMED_PREFIX}` are those of MONKEYTOWN_PUBLISH_TOKENS");
            return Err(self.0.fault(&value.span(), message));
        }
        Ok(name)
    }

    fn digest(&self, value: &Value<'_>) -> Result<TokenDigest, WrittenError> {
        let text = self.0.text_of(value, "sha256")?;
        let digest = hexadecimal(&text).ok_or_else(|| {
            let message = "`sha256` is the token's SHA-256 in 64 hexadecimal digits: printf %s TOKEN | sha256sum";
            self.0.fault(&value.span(), message)
        })?;
        for (nothing, what) in [("", "nothing"), ("\n", "a line without a token")] {
            if digest == TokenDigest::from(Sha256::digest(nothing)) {
                return Err(self.0.fault(&value.span(), format!("this is the SHA-256 of {what}")));
            }
        }
        Ok(digest)
    }

    fn sources(&self, table: &DeTable<'_>) -> Result<Option<Arc<[SourceUri]>>, WrittenError> {
        let Some(value) = table.get("sources") else { return Ok(None) };
        let list = self.0.list(table, "sources")?;
        if list.is_empty() {
            let message = "with no source nothing could be published; without `sources` a token speaks for every one";
            return Err(self.0.fault(&value.span(), message));
        }
        if list.len() > SOURCES_MAX {
            return Err(self.0.fault(&value.span(), format!("{} sources; at most {SOURCES_MAX}", list.len())));
        }
        let source = |(text, span): (String, std::ops::Range<usize>)| {
            if text.contains('*') {
                let message = "a source is compared as a whole, and `*` stands for nothing else: list each one";
                return Err(self.0.fault(&span, message));
            }
            SourceUri::new(&text).map_err(|error| self.0.fault(&span, error.to_string()))
        };
        list.into_iter().map(source).collect::<Result<Vec<_>, _>>().map(|sources| Some(sources.into()))
    }

    fn rate(&self, value: &Value<'_>) -> Result<u32, WrittenError> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        number.filter(|rate| (1..=RATE_MAX).contains(rate)).ok_or_else(|| {
            self.0.fault(&value.span(), format!("`events_per_second` is a whole number from 1 to {RATE_MAX}"))
        })
    }

    fn moment(&self, value: &Value<'_>) -> Result<Timestamp, WrittenError> {
        let moment = value.get_ref().as_datetime().and_then(|moment| moment.to_string().parse().ok());
        moment.ok_or_else(|| {
            let message = "`expires` is a moment with its zone, without quotes: expires = 2027-01-31T00:00:00Z";
            self.0.fault(&value.span(), message)
        })
    }
}

fn hexadecimal(text: &str) -> Option<TokenDigest> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.bytes().map(|byte| digit(&byte)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte * 16 + digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const OTHER: &str = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752";

    fn parse(text: &str) -> Result<Tokens, WrittenError> {
        Tokens::parse(text, Path::new("tokens.toml"))
    }

    #[test]
    fn a_file_as_people_write_it_is_read() {
        let text = format!(
            "[[token]]\nname = \"ci\"\nsha256 = \"{DIGEST}\"\nsources = [\"/agents/a\", \"https://x.example/y\"]\n\
             events_per_second = 1_00\nexpires = 2027-01-31T01:00:00+01:00\n\
             [[token]]\nname = \"all\"\nsha256 = \"{}\"",
            OTHER.to_uppercase()
        );
        let tokens = parse(&text).expect("sound");
        let (ci, all) = (tokens.get(0).expect("a token"), tokens.get(1).expect("another"));
        assert_eq!((&*ci.name, &*all.name), ("ci", "all"));
        assert_eq!(ci.digest, TokenDigest::from(Sha256::digest("test")));
        assert_eq!(ci.events_per_second, Some(100));
        assert_eq!(ci.expires.map(|moment| moment.to_string()).as_deref(), Some("2027-01-31T00:00:00.000Z"));
        let speaks = |token: &Token, source: &str| token.speaks_for(&SourceUri::new(source).expect("a source"));
        assert!(speaks(ci, "/agents/a") && speaks(ci, "https://x.example/y"));
        for other in ["/agents/ab", "/agents", "/agents/a/b", "/AGENTS/a", "https://x.example/y/", "/agents/%61"] {
            assert!(!speaks(ci, other) && speaks(all, other), "{other}");
        }
        assert_eq!((all.events_per_second, all.expires), (None, None));
    }

    #[test]
    fn a_refusal_names_file_line_and_what_was_meant_and_repeats_no_secret() {
        let token = |rest: &str| format!("[[token]]\nname = \"a\"\nsha256 = \"{DIGEST}\"\n{rest}");
        let named = |name: &str| format!("[[token]]\nname = \"{name}\"\nsha256 = \"{DIGEST}\"");
        let digested = |digest: &str| format!("[[token]]\nname = \"a\"\nsha256 = \"{digest}\"");
        let of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, said) in [
            (String::new(), "tokens.toml:1: no token"),
            ("[token]\nname = \"a\"".into(), "tokens.toml:1: tokens are written [[token]]"),
            ("token = [1]".into(), "tokens.toml:1: a token is a table"),
            ("[[tokens]]\nname = \"a\"".into(), "tokens.toml:1: unknown key `tokens`: did you mean `token`?"),
            (token("source = [\"/a\"]"), "tokens.toml:4: unknown key `source`: did you mean `sources`?"),
            (token("expiry = 2027-01-31T00:00:00Z"), "tokens.toml:4: unknown key `expiry`"),
            (format!("[[token]]\nsha256 = \"{DIGEST}\""), "tokens.toml:1: this token has no `name`"),
            ("[[token]]\nname = \"a\"".into(), "tokens.toml:1: this token has no `sha256`"),
            (named("a b"), "tokens.toml:2: `name` holds at most 64"),
            (named("a\\nb"), "tokens.toml:2: `name` holds at most 64"),
            (named(&"x".repeat(65)), "tokens.toml:2: `name` holds at most 64"),
            (named(""), "tokens.toml:2: `name` is a text"),
            (named("environment-1"), "tokens.toml:2: names that begin with `environment-`"),
            (digested("choose-a-secret"), "tokens.toml:3: `sha256` is the token's SHA-256 in 64"),
            (digested(DIGEST.trim_end_matches('8')), "tokens.toml:3: `sha256` is the token's"),
            (digested(&format!("{DIGEST}0")), "tokens.toml:3: `sha256` is the token's"),
            (digested(&DIGEST.replace('f', "g")), "tokens.toml:3: `sha256` is the token's"),
            (digested(of_nothing), "tokens.toml:3: this is the SHA-256 of nothing"),
            (format!("{}\n{}", named("a"), named("a")), "tokens.toml:5: another token has the name `a`"),
            (format!("{}\n{}", named("a"), named("b")), "tokens.toml:6: this is the token of `a` too"),
            (token("sources = []"), "tokens.toml:4: with no source nothing"),
            (token("sources = \"/a\""), "tokens.toml:4: `sources` is a list"),
            (token("sources = [\n\"/a\",\n\"/agents/*\"]"), "tokens.toml:6: a source is compared as a whole"),
            (token("sources = [\"\"]"), "tokens.toml:4: `sources` is a text"),
            (token("events_per_second = 0"), "tokens.toml:4: `events_per_second` is a whole number"),
            (token("events_per_second = -1"), "tokens.toml:4: `events_per_second` is a whole number"),
            (token("events_per_second = 1.5"), "tokens.toml:4: `events_per_second` is a whole number"),
            (token("events_per_second = \"9\""), "tokens.toml:4: `events_per_second` is a whole number"),
            (token("events_per_second = 99999999999999999999"), "tokens.toml:4: `events_per_second` is a whole"),
            (token("expires = \"2027-01-31T00:00:00Z\""), "tokens.toml:4: `expires` is a moment with its zone"),
            (token("expires = 2027-01-31"), "tokens.toml:4: `expires` is a moment with its zone"),
            (token("expires = 2027-01-31T00:00:00"), "tokens.toml:4: `expires` is a moment with its zone"),
            (token("expires = 2027-13-31T00:00:00Z"), "tokens.toml:4: "),
            (token("expires = 7"), "tokens.toml:4: `expires` is a moment"),
            ("[[token]]\nname = \"a".into(), "tokens.toml:2: "),
        ] {
            let refused = parse(&text).expect_err(&text).to_string();
            assert!(refused.starts_with(said), "{text}\n{refused}\n{said}");
            assert!(!refused.contains('\n'), "one line: {refused}");
            assert!(!refused.contains("choose-a-secret") && !refused.contains("9f86"), "{refused}");
        }
        let many: String = (0..=TOKENS_MAX)
            .map(|number| format!("[[token]]\nname = \"t{number}\"\nsha256 = \"{number:064x}\"\n"))
            .collect();
        assert!(parse(&many).expect_err("too many").to_string().contains("at most 256"));
    }

    #[test]
    fn the_example_of_the_documents_is_read() {
        const EXAMPLE: &str = include_str!("../../../../deploy/tokens.example.toml");
        let tokens = Tokens::parse(EXAMPLE, Path::new("deploy/tokens.example.toml")).expect("sound");
        assert!(tokens.iter().any(|token| token.sources.is_some() && token.expires.is_some()));
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_is_refused_without_a_panic(
            text in "(\\[\\[token\\]\\]|name|sha256|sources|expires|=|\"|\\[|\\]|\n|[0-9a-fT:.-é ]){0,40}"
        ) {
            let _ = parse(&text);
        }
    }
}
