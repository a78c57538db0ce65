//! Server-sent events as a browser reads them (HTML, "Parsing an event stream"), written without a look at the server.

use crate::documents::Documents;
use crate::harness::{Received, soon};
use monkeytown_protocol::Frame;

/// A message that a browser would dispatch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dispatched {
    pub(crate) name: String,
    pub(crate) data: String,
    /// The last event id at that moment.
    pub(crate) last_id: String,
}

/// Reads bytes, split anyhow.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_return: bool,
    name: String,
    data: Vec<String>,
    id: Option<String>,
    pub(crate) last_id: String,
    pub(crate) retry_millis: Option<u64>,
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<Dispatched> {
        let mut dispatched = Vec::new();
        for byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, *byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => dispatched.extend(self.end_line()),
                other => self.line.push(*other),
            }
        }
        dispatched
    }

    fn end_line(&mut self) -> Option<Dispatched> {
        let line = String::from_utf8(std::mem::take(&mut self.line)).unwrap();
        if line.is_empty() {
            if let Some(id) = self.id.take() {
                self.last_id = id;
            }
            let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| Dispatched {
                name: if name.is_empty() { "message".to_owned() } else { name },
                data: data.join("\n"),
                last_id: self.last_id.clone(),
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.data.push(value.to_owned()),
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "retry" => self.retry_millis = value.parse().ok().or(self.retry_millis),
            // A comment, or nothing that is known.
            _ => {}
        }
        None
    }
}

impl Dispatched {
    /// What it says; its name must be that of what it holds.
    pub(crate) fn frame(&self) -> Received {
        let frame: Received = serde_json::from_str(&self.data).unwrap();
        let kind = match &frame {
            Frame::Hello(_) => "hello",
            Frame::Events { .. } => "events",
            Frame::CaughtUp { .. } => "caught_up",
            Frame::Heartbeat { .. } => "heartbeat",
            Frame::Bye { .. } => "bye",
        };
        assert_eq!(self.name, kind);
        frame
    }
}

/// An open answer.
pub(crate) struct EventSource {
    pub(crate) answer: reqwest::Response,
    pub(crate) parser: Parser,
    waiting: std::collections::VecDeque<Dispatched>,
}

impl EventSource {
    pub(crate) fn new(answer: reqwest::Response) -> Self {
        Self { answer, parser: Parser::default(), waiting: std::collections::VecDeque::new() }
    }

    /// The next message; `None` when the answer has ended or broken off.
    pub(crate) async fn next(&mut self) -> Option<Dispatched> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                Documents::get().hold_frame(&message.data);
                return Some(message);
            }
            let bytes = soon(self.answer.chunk()).await.ok().flatten()?;
            self.waiting.extend(self.parser.feed(&bytes));
        }
    }

    /// Messages up to the end of replay: hello, ids, the last cursor.
    pub(crate) async fn replay(
        &mut self,
    ) -> (monkeytown_protocol::Hello<Box<serde_json::value::RawValue>>, Vec<String>) {
        let Frame::Hello(hello) = self.next().await.unwrap().frame() else { panic!("no hello") };
        let mut next = hello.from.next().0;
        let mut ids = Vec::new();
        loop {
            match self.next().await.unwrap().frame() {
                Frame::Events { first, last, events, .. } => {
                    assert_eq!(first.0, next, "no hole and nothing twice");
                    next = last.0 + 1;
                    ids.extend(events.iter().map(|event| crate::harness::id_of(event.get())));
                }
                Frame::CaughtUp { .. } => return (*hello, ids),
                Frame::Heartbeat { .. } => {}
                other => panic!("{other:?} during replay"),
            }
        }
    }
}
