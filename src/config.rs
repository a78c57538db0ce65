//! `config.json` and the page's address, parsed once into types.
//!
//! Knows nothing of connections: it says where the stream is, not how it is reached.

use crate::transport::http;
use monkeytown_protocol::{Json, from_json};
use web_sys::Url;

/// How long `config.json` may take before the page goes on without it, in milliseconds.
const CONFIG_MILLIS: u32 = 4_000;

/// Time between two polls that are not held back, in seconds, when `config.json` names none; and the longest.
const POLL_SECONDS: u32 = 5;
const POLL_MAX_SECONDS: u32 = 300;

/// What a deployment says of itself (`interfaces.md`). Every field may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ConfigFile {
    streams: Vec<String>,
    app_name: Option<String>,
    poll_seconds: Option<u32>,
    failover: Option<bool>,
}

from_json!(ConfigFile { ; streams, app_name, poll_seconds, failover });

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
    /// What in the address or the configuration could not be used, in words.
    pub complaint: Option<String>,
}

/// Reads `config.json` beside the page and the page's address. Never fails: what cannot be had or read counts
/// as absent, and the page's own origin is the stream. `witness` is the witness's id: it chooses among several.
pub async fn load(witness: u64) -> Config {
    let location = web_sys::window().map(|window| window.location());
    let origin = location.as_ref().and_then(|l| l.origin().ok()).unwrap_or_default();
    let search = location.and_then(|l| l.search().ok()).unwrap_or_default();
    resolve(&fetch().await.unwrap_or_default(), &origin, stream_parameter(&search).as_deref(), witness)
}

/// What the file, the origin, `?stream=` and the witness's id come to.
fn resolve(file: &ConfigFile, origin: &str, chosen: Option<&str>, witness: u64) -> Config {
    let app_name = file.app_name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| "monkeytown".into());
    let mut complaint = None;
    let mut usable = |address: &str, chosen| match address_of(address, chosen) {
        Some(stream) => Some(stream),
        None => {
            complaint = Some(format!("\"{address}\" is no address of a stream, so the page's own is used"));
            None
        }
    };
    let own = || StreamAddress {
        rest: origin.to_owned(),
        socket: format!("ws{}/ws", origin.strip_prefix("http").unwrap_or_default()),
        chosen_by_address: false,
    };
    let mut all: Vec<StreamAddress> = chosen.and_then(|address| usable(address, true)).into_iter().collect();
    if all.is_empty() {
        all = file.streams.iter().filter_map(|address| usable(address, false)).collect();
    }
    if all.is_empty() {
        all.push(own());
    }
    let home = usize::try_from(witness % all.len() as u64).unwrap_or_default();
    let poll_millis = file.poll_seconds.unwrap_or(POLL_SECONDS).clamp(1, POLL_MAX_SECONDS) * 1_000;
    let streams = Streams { all, home, failover: file.failover.unwrap_or_default(), poll_millis };
    Config { app_name, streams, complaint }
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

async fn fetch() -> Option<ConfigFile> {
    let answer = http::get("config.json", CONFIG_MILLIS).await?;
    // A host's rewrite answers with a page: what is not JSON counts as absent.
    let json = Json::parse(&answer.body).ok().filter(|_| answer.is_ok())?;
    from_json::read(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_streams(streams: &[&str]) -> ConfigFile {
        ConfigFile { streams: streams.iter().map(ToString::to_string).collect(), ..ConfigFile::default() }
    }

    #[test]
    fn without_streams_the_pages_own_origin_is_the_stream() {
        let config = resolve(&ConfigFile::default(), "http://127.0.0.1:8080", None, 0);
        assert_eq!(config.streams.at(0).socket, "ws://127.0.0.1:8080/ws");
        assert_eq!(config.streams.at(0).rest, "http://127.0.0.1:8080");
        assert_eq!(config.complaint, None);
    }

    #[test]
    fn a_configured_stream_is_reached_by_socket_and_by_rest() {
        let config = resolve(&with_streams(&["wss://stream.example.org/town/ws"]), "https://page.example.org", None, 0);
        assert_eq!(config.streams.at(0).socket, "wss://stream.example.org/town/ws");
        assert_eq!(config.streams.at(0).rest, "https://stream.example.org/town");
    }

    #[test]
    fn the_address_bar_overrides_the_file_and_is_shown_as_such() {
        let config = resolve(&with_streams(&["wss://a.example"]), "https://page.example", Some("http://b.example/"), 0);
        assert_eq!(config.streams.at(0).socket, "ws://b.example/ws");
        assert!(config.streams.at(0).chosen_by_address);
    }

    #[test]
    fn what_is_no_stream_address_is_said_and_not_used() {
        for bad in ["javascript:alert(1)", "ftp://x", "wss://", "https://user@host", "nonsense"] {
            let config = resolve(&ConfigFile::default(), "https://page.example", Some(bad), 0);
            assert_eq!(config.streams.at(0).rest, "https://page.example", "{bad}");
            assert!(config.complaint.is_some(), "{bad}");
        }
    }

    #[test]
    fn witnesses_are_spread_over_the_streams_and_each_keeps_its_own() {
        let file = with_streams(&["wss://a.example", "nonsense", "wss://b.example", "wss://c.example"]);
        let home = |witness| {
            let config = resolve(&file, "https://page.example", None, witness);
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
            assert_eq!(resolve(&file, "https://page.example", None, 0).streams.poll_millis, millis);
        }
    }
}
