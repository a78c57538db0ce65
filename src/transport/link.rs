//! A way by which frames come of themselves: a WebSocket or server-sent events. Opened with a cursor, heard until it
//! ends, closed when dropped.
//!
//! The browser's own objects, bound by hand: the wrappers cost 4 to 22 KB for what one listener does. An `EventSource`
//! would come back by itself and tells no status: it is closed at its first error, and the policy decides.

use super::Route;
use monkeytown_protocol::limits::SUBPROTOCOL;
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{CloseEvent, Event, EventSource, EventTarget, MessageEvent, WebSocket};

/// What a link reports.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// A text frame.
    Text(String),
    /// It ended, or could not be opened (1006).
    Closed(u16),
}

/// The events that are heard, of either object; `error` of a socket says nothing that `close` does not.
const SOCKET_EVENTS: &[&str] = &["message", "close"];
const SSE_EVENTS: &[&str] = &["hello", "events", "caught_up", "heartbeat", "bye", "error"];

/// An open or opening link. Dropping it silences and closes it.
pub struct Link {
    target: EventTarget,
    names: &'static [&'static str],
    heard: Closure<dyn FnMut(Event)>,
}

impl Link {
    /// Starts to connect to `url`, by a socket or by server-sent events.
    ///
    /// # Errors
    /// When the browser refuses the address outright (its form, or the page's security policy).
    pub fn open(route: Route, url: &str, report: Box<dyn Fn(LinkEvent)>) -> Result<Self, String> {
        let (opened, names) = match route {
            Route::Socket => (WebSocket::new_with_str(url, SUBPROTOCOL).map(JsValue::from), SOCKET_EVENTS),
            _ => (EventSource::new(url).map(JsValue::from), SSE_EVENTS),
        };
        let target: EventTarget = opened
            .map_err(|error| match error.dyn_ref::<js_sys::Error>() {
                Some(error) => String::from(error.message()),
                None => "refused by the browser".to_owned(),
            })?
            .unchecked_into();
        let heard = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
            report(match event.type_().as_str() {
                "close" => LinkEvent::Closed(event.unchecked_ref::<CloseEvent>().code()),
                "error" => LinkEvent::Closed(1006),
                // A binary frame is none of this subprotocol: it reads as an empty, malformed frame and is counted.
                _ => LinkEvent::Text(event.unchecked_ref::<MessageEvent>().data().as_string().unwrap_or_default()),
            });
        });
        for name in names {
            // Only a target of another document refuses.
            let _ = target.add_event_listener_with_callback(name, heard.as_ref().unchecked_ref());
        }
        Ok(Self { target, names, heard })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        for name in self.names {
            let _ = self.target.remove_event_listener_with_callback(name, self.heard.as_ref().unchecked_ref());
        }
        // Both have a `close` without arguments. Closing what is closed already does nothing.
        let _ = self.target.unchecked_ref::<WebSocket>().close();
    }
}

/// What a close code means to a person (RFC 6455, section 7.4.1).
pub fn closing_words(code: u16, greeted: bool) -> String {
    match code {
        1006 if greeted => "the connection was cut".to_owned(),
        1006 => "no connection could be made".to_owned(),
        1001 | 1012 => "the stream is going away for a moment".to_owned(),
        _ => format!("the stream closed the connection (code {code})"),
    }
}
