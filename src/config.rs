//! `config.json` and the page's address, parsed once into types.
//!
//! Knows nothing of connections: it says where the stream is, not how it is reached.

use crate::transport::http::{self, Answer};
use monkeytown_protocol::{
    Json, from_json,
    from_json::{FromJson, Wrong},
};
use web_sys::{Url, console};

/// How long `config.json` may take before the page goes on without it, in milliseconds.
const CONFIG_MILLIS: u32 = 4_000;

/// Time between two polls that are not held back, in seconds, when `config.json` names none; and the longest.
const POLL_SECONDS: u32 = 5;
const POLL_MAX_SECONDS: u32 = 300;

/// Longest address that is repeated when it cannot be used, in bytes.
const REPEATED_MAX_BYTES: usize = 200;

/// What a deployment says of itself (`interfaces.md`). Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ConfigFile {
    streams: Addresses,
    app_name: Option<String>,
    poll_seconds: Option<u32>,
    failover: Option<bool>,
    repository: Option<String>,
}

from_json!(ConfigFile { ; streams, app_name, poll_seconds, failover, repository });

/// Addresses as they are written. What is wrong is told of the list, not of one in it: "is no text" of a list misleads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Addresses(Vec<String>);

impl<'a> FromJson<'a> for Addresses {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Vec::from_json(json, wrong).map(Self).or_else(|| wrong.say("is no list of addresses"))
    }
}

/// Where the stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamAddress {
    /// Start of its REST addresses: `https://host/path` without a slash at the end.
    pub rest: String,
    /// Its WebSocket endpoint: `wss://host/path/ws`.
    pub socket: String,
    /// Whether the witness's own address bar named it, for this visit only.
    pub chosen_by_address: bool,
}

/// The streams of a deployment: each witness has one of them for a home (`limits.md`, "Scaling").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streams {
    all: Vec<StreamAddress>,
    /// Which of them is this witness's.
    pub home: usize,
    /// Whether the next one is asked when that one is dead.
    pub failover: bool,
    /// Time between two polls that are not held back, in milliseconds.
    pub poll_millis: u32,
}

impl Streams {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Always false: without any other, the page's own origin is the stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// When `at` is not less than [`Streams::len`].
    #[must_use]
    pub fn at(&self, at: usize) -> &StreamAddress {
        self.all.get(at).expect("a place is taken modulo their number, and there is one at least")
    }
}

/// What the page goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name in the wordmark.
    pub app_name: String,
    /// Where the streams are.
    pub streams: Streams,
    /// The repository in which the agents work, where issues are opened; empty when nobody says.
    pub repository: String,
    /// What in the address or the configuration could not be used, in words.
    pub complaint: Option<String>,
}

/// Reads `config.json` beside the page and the page's address. Never fails: what cannot be had counts as absent, and
/// the page's own origin is the stream; what cannot be used is complained of, here and in the console. `witness` is the
/// witness's id: it chooses among several.
pub async fn load(witness: u64) -> Config {
    let location = web_sys::window().map(|window| window.location());
    let origin = location.as_ref().and_then(|l| l.origin().ok()).unwrap_or_default();
    let search = location.and_then(|l| l.search().ok()).unwrap_or_default();
    let (mut file, mut complaint) = (ConfigFile::default(), None);
    if let Some(answer) = http::get("config.json", CONFIG_MILLIS).await.filter(Answer::is_ok) {
        let media = answer.header("content-type").unwrap_or_default();
        file = read(&answer.body, &media, &mut complaint);
    }
    let config = resolve(file, complaint, &origin, stream_parameter(&search).as_deref(), witness);
    if let Some(complaint) = &config.complaint {
        console::warn_1(&complaint.into());
    }
    config
}

/// What `config.json` says. A page in its place is a host's rewrite of what is not there, and counts as absent
/// (`interfaces.md`); whatever else cannot be read is complained of.
fn read(body: &str, media: &str, complaint: &mut Option<String>) -> ConfigFile {
    if media.starts_with("text/html") || body.trim_ascii_start().starts_with('<') {
        return ConfigFile::default();
    }
    let mut wrong = Wrong::default();
    let file = match Json::parse(body) {
        Ok(json) => ConfigFile::from_json(&json, &mut wrong),
        Err(_) => wrong.say("is no JSON"),
    };
    file.unwrap_or_else(|| {
        *complaint = Some(format!("config.json is not used: {wrong}"));
        ConfigFile::default()
    })
}

/// What the file, the origin, `?stream=` and the witness's id come to.
fn resolve(
    file: ConfigFile,
    mut complaint: Option<String>,
    origin: &str,
    chosen: Option<&str>,
    witness: u64,
) -> Config {
    let app_name = file.app_name.filter(|name| !name.trim_ascii().is_empty()).unwrap_or_else(|| "monkeytown".into());
    let mut usable = |address: &str, chosen| {
        let stream = address_of(address, chosen);
        if stream.is_none() {
            let place = if chosen { "`stream` in the address" } else { "`streams` in config.json" };
            let address = if address.len() > REPEATED_MAX_BYTES { "…" } else { address };
            // The first is told: who mends it is told the next.
            complaint.get_or_insert_with(|| {
                [place, ": \"", address, "\" is no address of a stream, so it is left out"].concat()
            });
        }
        stream
    };
    let own = || StreamAddress {
        rest: origin.to_owned(),
        socket: format!("ws{}/ws", origin.strip_prefix("http").unwrap_or_default()),
        chosen_by_address: false,
    };
    let mut all: Vec<StreamAddress> = chosen.and_then(|address| usable(address, true)).into_iter().collect();
    if all.is_empty() {
        all = file.streams.0.iter().filter_map(|address| usable(address, false)).collect();
    }
    if all.is_empty() {
        all.push(own());
    }
    let home = usize::try_from(witness % all.len() as u64).unwrap_or_default();
    let poll_millis = file.poll_seconds.unwrap_or(POLL_SECONDS).clamp(1, POLL_MAX_SECONDS) * 1_000;
    let streams = Streams { all, home, failover: file.failover.unwrap_or_default(), poll_millis };
    Config { app_name, streams, repository: file.repository.unwrap_or_default(), complaint }
}

fn stream_parameter(search: &str) -> Option<String> {
    web_sys::UrlSearchParams::new_with_str(search).ok()?.get("stream")
}

/// An address of a stream: ws, wss, http or https, with or without `/ws` at its end.
fn address_of(address: &str, chosen_by_address: bool) -> Option<StreamAddress> {
    // A search for more than one character at once costs the page 1 KB.
    let (scheme, rest) = address.split_once(':')?;
    let secure = match scheme {
        "wss" | "https" => "s",
        "ws" | "http" => "",
        _ => return None,
    };
    let rest = rest.strip_prefix("//")?.trim_end_matches('/');
    let rest = rest.strip_suffix("/ws").unwrap_or(rest);
    let plain = !rest.is_empty() && !rest.contains(['@', '?', '#', '\\']) && !rest.contains(char::is_whitespace);
    let found = StreamAddress {
        rest: format!("http{secure}://{rest}"),
        socket: format!("ws{secure}://{rest}/ws"),
        chosen_by_address,
    };
    (plain && is_url(&found.rest)).then_some(found)
}

#[cfg(target_arch = "wasm32")]
fn is_url(text: &str) -> bool {
    Url::new(text).is_ok()
}

/// Off the browser there is no parser to ask; the tests bring addresses that the rules above decide.
#[cfg(not(target_arch = "wasm32"))]
fn is_url(_: &str) -> bool {
    let _ = Url::new;
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_streams(streams: &[&str]) -> ConfigFile {
        let streams = Addresses(streams.iter().map(ToString::to_string).collect());
        ConfigFile { streams, ..ConfigFile::default() }
    }

    fn nothing() -> ConfigFile {
        ConfigFile::default()
    }

    /// What comes of a file's text, and what is complained of.
    fn told(body: &str, media: &str) -> (ConfigFile, Option<String>) {
        let mut complaint = None;
        (read(body, media, &mut complaint), complaint)
    }

    #[test]
    fn a_page_in_the_place_of_the_file_counts_as_absent() {
        for (body, media) in [
            ("<!doctype html><title>not found</title>", "text/html; charset=utf-8"),
            ("\n  <html>", "application/json"),
            ("not found", "text/html"),
        ] {
            assert_eq!(told(body, media), (nothing(), None), "{body}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_with_its_field() {
        for (body, why) in [
            ("", "it is no JSON"),
            ("{\"streams\": [", "it is no JSON"),
            ("{\"streams\": [],}", "it is no JSON"),
            ("nonsense", "it is no JSON"),
            ("[]", "it is no object"),
            ("{\"streams\": \"wss://a.example\"}", "`streams` is no list of addresses"),
            ("{\"streams\": [7]}", "`streams` is no list of addresses"),
            ("{\"streams\": [], \"streams\": []}", "`streams` is there twice"),
            ("{\"app_name\": 7}", "`app_name` is no text"),
            ("{\"poll_seconds\": \"5\"}", "`poll_seconds` is no whole number from 0 on"),
            ("{\"poll_seconds\": 5000000000}", "`poll_seconds` is too large a number"),
            ("{\"failover\": \"yes\"}", "`failover` is neither true nor false"),
        ] {
            let complaint = Some(format!("config.json is not used: {why}"));
            assert_eq!(told(body, "application/json"), (nothing(), complaint), "{body}");
        }
    }

    #[test]
    fn keys_that_nobody_reads_and_nulls_are_no_fault() {
        let shipped = include_str!("../public/config.json");
        for body in [shipped, "{}", "{\"app_name\": null, \"later\": {}}"] {
            let (file, complaint) = told(body, "application/json");
            let config = resolve(file, complaint, "https://page.example", None, 0);
            assert_eq!((config.complaint, &*config.app_name), (None, "monkeytown"), "{body}");
        }
    }

    #[test]
    fn without_streams_the_pages_own_origin_is_the_stream() {
        let config = resolve(nothing(), None, "http://127.0.0.1:8080", None, 0);
        assert_eq!(config.streams.at(0).socket, "ws://127.0.0.1:8080/ws");
        assert_eq!(config.streams.at(0).rest, "http://127.0.0.1:8080");
        assert_eq!(config.complaint, None);
    }

    #[test]
    fn a_configured_stream_is_reached_by_socket_and_by_rest() {
        let config =
            resolve(with_streams(&["wss://stream.example.org/town/ws"]), None, "https://page.example.org", None, 0);
        assert_eq!(config.streams.at(0).socket, "wss://stream.example.org/town/ws");
        assert_eq!(config.streams.at(0).rest, "https://stream.example.org/town");
    }

    #[test]
    fn the_address_bar_overrides_the_file_and_is_shown_as_such() {
        let config =
            resolve(with_streams(&["wss://a.example"]), None, "https://page.example", Some("http://b.example/"), 0);
        assert_eq!(config.streams.at(0).socket, "ws://b.example/ws");
        assert!(config.streams.at(0).chosen_by_address);
    }

    #[test]
    fn what_is_no_stream_address_is_said_and_not_used() {
        for bad in ["javascript:alert(1)", "ftp://x", "wss://", "https://user@host", "nonsense"] {
            let config = resolve(nothing(), None, "https://page.example", Some(bad), 0);
            assert_eq!(config.streams.at(0).rest, "https://page.example", "{bad}");
            let complaint = config.complaint.expect("it is said");
            assert!(complaint.contains(bad) && complaint.contains("`stream` in the address"), "{complaint}");
        }
    }

    #[test]
    fn an_address_in_the_file_that_is_none_is_said_with_its_field_and_in_bounds() {
        let long = "x".repeat(100_000);
        let config = resolve(with_streams(&["wss://a.example", &long, "other"]), None, "https://page.example", None, 0);
        assert_eq!(config.streams.at(0).rest, "https://a.example");
        let complaint = config.complaint.expect("it is said");
        assert!(complaint.starts_with("`streams` in config.json: \"…\" is no address"), "{complaint}");
    }

    #[test]
    fn witnesses_are_spread_over_the_streams_and_each_keeps_its_own() {
        let file = with_streams(&["wss://a.example", "nonsense", "wss://b.example", "wss://c.example"]);
        let home = |witness| {
            let config = resolve(file.clone(), None, "https://page.example", None, witness);
            (config.streams.at(config.streams.home).rest.clone(), config.complaint.is_some())
        };
        assert_eq!(home(0), ("https://a.example".to_owned(), true));
        assert_eq!(home(5), ("https://c.example".to_owned(), true));
        assert_eq!(home(u64::MAX), home(u64::MAX));
    }

    #[test]
    fn polls_keep_a_distance_that_is_neither_nothing_nor_for_ever() {
        for (asked, millis) in [(None, 5_000), (Some(0), 1_000), (Some(7), 7_000), (Some(u32::MAX), 300_000)] {
            let file = ConfigFile { poll_seconds: asked, ..ConfigFile::default() };
            assert_eq!(resolve(file, None, "https://page.example", None, 0).streams.poll_millis, millis);
        }
    }
}
