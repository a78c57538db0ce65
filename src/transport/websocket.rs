//! One WebSocket: opened with a cursor, heard until it closes, closed when dropped.
//!
//! The browser's own object, bound by hand: the wrappers cost 4 to 22 KB for what five listeners do.

use monkeytown_protocol::limits::SUBPROTOCOL;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{CloseEvent, Event, MessageEvent, WebSocket};

/// What a socket reports.
#[derive(Debug, Clone, PartialEq)]
pub enum SocketEvent {
    /// A text frame.
    Text(String),
    /// It closed, or could not be opened (1006).
    Closed(u16),
}

/// An open or opening socket. Dropping it silences and closes it.
pub struct Socket {
    socket: WebSocket,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_close: Closure<dyn FnMut(CloseEvent)>,
    _on_error: Closure<dyn FnMut(Event)>,
}

impl Socket {
    /// Starts to connect to `url`.
    ///
    /// # Errors
    /// When the browser refuses the address outright (its form, or the page's security policy).
    pub fn open(url: &str, mut report: impl FnMut(SocketEvent) + Clone + 'static) -> Result<Self, String> {
        let socket =
            WebSocket::new_with_str(url, SUBPROTOCOL).map_err(|error| match error.dyn_ref::<js_sys::Error>() {
                Some(error) => String::from(error.message()),
                None => "refused by the browser".to_owned(),
            })?;
        let mut closed = report.clone();
        let on_message = Closure::<dyn FnMut(_)>::new(move |message: MessageEvent| {
            // A binary frame is none of this subprotocol: it reads as an empty, malformed frame and is counted.
            report(SocketEvent::Text(message.data().as_string().unwrap_or_default()));
        });
        let on_close = Closure::<dyn FnMut(_)>::new(move |event: CloseEvent| closed(SocketEvent::Closed(event.code())));
        // A failed socket always closes as well, and only that says how: the error event carries nothing.
        let on_error = Closure::<dyn FnMut(_)>::new(|_: Event| {});
        socket.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        socket.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        socket.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Self { socket, _on_message: on_message, _on_close: on_close, _on_error: on_error })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.socket.set_onmessage(None);
        self.socket.set_onclose(None);
        self.socket.set_onerror(None);
        // Closing one that is closed already does nothing; it never fails without a code and a reason.
        let _ = self.socket.close();
    }
}
