//! Who in the page may touch what: each effect has one place. Knows the client's folders and nothing else.

use super::Complaint;
use super::code::{Word, code_only, words};

/// An effect of the browser and the only places that may cause it.
struct Effect {
    words: &'static [&'static str],
    /// Files, or folders with a `/` at the end.
    places: &'static [&'static str],
    name: &'static str,
}

const EFFECTS: [Effect; 5] = [
    Effect {
        // Not `LocalStorage`: Leptos has one of its own, for signals; the browser's has to be named by its crate.
        words: &["gloo_storage", "local_storage", "session_storage", "IdbFactory"],
        places: &["src/storage/", "src/storage.rs"],
        name: "keeps things in the browser",
    },
    Effect {
        words: &["WebSocket", "EventSource", "XmlHttpRequest"],
        places: &["src/transport/", "src/transport.rs"],
        name: "opens connections",
    },
    Effect { words: &["BroadcastChannel", "request_lock"], places: &["src/tabs/"], name: "meets other tabs" },
    Effect {
        // `config.json` is fetched once, before there is a connection.
        words: &["gloo_net", "fetch_with_str", "fetch_with_str_and_init", "fetch_with_request"],
        places: &["src/transport/", "src/transport.rs", "src/config.rs"],
        name: "asks the network",
    },
    Effect {
        words: &[
            "Date",
            "Instant",
            "SystemTime",
            "Performance",
            "performance",
            "request_animation_frame",
            "request_animation_frame_with_handle",
            "set_timeout",
            "set_timeout_with_handle",
            "set_timeout_with_callback",
            "set_timeout_with_callback_and_timeout_and_arguments_0",
            "set_interval",
            "set_interval_with_handle",
            "gloo_timers",
        ],
        places: &["src/clock/", "src/clock.rs"],
        name: "reads clocks and waits",
    },
];

/// Modules that components never see.
const BENEATH_COMPONENTS: [&str; 3] = ["ingest", "storage", "transport"];
/// Crates that the layout does without: it is arithmetic, tested on any machine.
const NOT_IN_LAYOUT: [&str; 4] = ["js_sys", "leptos", "wasm_bindgen", "web_sys"];

/// Holds a Rust file against the client's directions. Files outside `src/` have none here.
pub(super) fn check(path: &str, text: &str) -> Vec<Complaint> {
    if !path.starts_with("src/") {
        return Vec::new();
    }
    let code = code_only(text);
    let words = words(&code);
    let mut complaints = Vec::new();
    let mut complain = |word: &Word<'_>, rule: String| complaints.push(Complaint::new(path, word.line, rule));
    for word in &words {
        for effect in EFFECTS.iter().filter(|effect| !is_in(path, effect.places)) {
            if effect.words.contains(&word.text) {
                complain(word, format!("`{}`: only {} {}", word.text, effect.places.join(" or "), effect.name));
            }
        }
        if path.starts_with("src/components/") && word.in_path && BENEATH_COMPONENTS.contains(&word.text) {
            complain(word, format!("`{}`: a component gets signals and gives back intent by callback", word.text));
        }
        if path == "src/terrarium/layout.rs" && NOT_IN_LAYOUT.contains(&word.text) {
            complain(word, format!("`{}`: the layout knows no browser", word.text));
        }
        if word.text == "inner_html" {
            complain(word, "`inner_html`: text of a stream is never markup".to_owned());
        }
    }
    complaints
}

fn is_in(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| if place.ends_with('/') { path.starts_with(place) } else { path == *place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn storage_is_touched_in_storage_only() {
        for text in ["use gloo_storage::LocalStorage;", "window.local_storage()"] {
            assert_eq!(complaints("src/app.rs", text).len(), 1, "{text}");
            assert_eq!(complaints("src/storage/chunk.rs", text), Vec::<String>::new(), "{text}");
        }
        // Signals that stay on one thread.
        assert_eq!(complaints("src/app.rs", "StoredValue<Stage, LocalStorage>"), Vec::<String>::new());
    }

    #[test]
    fn connections_are_opened_in_the_transport_only() {
        let text = "let socket = web_sys::WebSocket::new(url);";
        let expected =
            "src/components/header.rs:1: `WebSocket`: only src/transport/ or src/transport.rs opens connections";
        assert_eq!(complaints("src/components/header.rs", text), [expected]);
        assert_eq!(complaints("src/transport/websocket.rs", text), Vec::<String>::new());
    }

    #[test]
    fn the_configuration_may_be_fetched_but_opens_no_socket() {
        assert_eq!(complaints("src/config.rs", "gloo_net::http::Request::get(url)"), Vec::<String>::new());
        assert_eq!(complaints("src/signals.rs", "gloo_net::http::Request::get(url)").len(), 1);
        assert_eq!(complaints("src/config.rs", "WebSocket::new(url)").len(), 1);
    }

    #[test]
    fn time_is_read_in_the_clock_only() {
        for text in ["js_sys::Date::now()", "window.performance()", "set_timeout(f, d)", "request_animation_frame(f)"] {
            assert_eq!(complaints("src/components/pulse.rs", text).len(), 1, "{text}");
            assert_eq!(complaints("src/clock.rs", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn a_component_imports_nothing_beneath_it() {
        assert_eq!(complaints("src/components/card.rs", "use crate::{signals::Card, storage};").len(), 1);
        assert_eq!(complaints("src/components/card.rs", "crate::transport::open()").len(), 1);
        assert_eq!(complaints("src/components/card.rs", "use crate::ingest::decode;").len(), 1);
        assert_eq!(complaints("src/components/card.rs", "let storage = props.storage;"), Vec::<String>::new());
    }

    #[test]
    fn the_layout_knows_no_browser() {
        assert_eq!(complaints("src/terrarium/layout.rs", "use web_sys::Element;").len(), 1);
        assert_eq!(complaints("src/terrarium/canvas.rs", "use web_sys::Element;"), Vec::<String>::new());
    }

    #[test]
    fn markup_from_text_is_refused() {
        assert_eq!(complaints("src/components/card.rs", "view! { <p inner_html=text/> }").len(), 1);
    }

    #[test]
    fn what_a_comment_or_a_sentence_says_is_no_use() {
        let text = "//! Knows no WebSocket.\nlet text = \"no Date is known\"; // LocalStorage";
        assert_eq!(complaints("src/components/card.rs", text), Vec::<String>::new());
    }

    #[test]
    fn the_stream_has_its_own_clock() {
        assert_eq!(complaints("crates/stream/src/ring.rs", "Instant::now()"), Vec::<String>::new());
    }
}
