//! What a subscriber of the load generator does with the bytes it gets: it counts events, holds their numbers against
//! the order in which they were published, and looks at the clock. It must cost little, since it shares two cores with
//! what it measures: of a message it looks at the first bytes alone.
//!
//! Knows nothing of sockets.

use anyhow::{Context, Result, bail, ensure};
use flate2::{Decompress, FlushDecompress};
use std::cell::RefCell;

/// How many bytes of a message, or of a NATS payload, are looked at.
const PREFIX_BYTES: usize = 160;
/// So many of a compressed one hold those.
const PACKED_PREFIX_BYTES: usize = 256;
/// A message is compressed (RFC 7692, section 6).
const PACKED: u8 = 0x40;
/// The opcode of a ping (RFC 6455, section 5.2), and where opcodes stand.
const PING: u8 = 0x9;
const OPCODE: u8 = 0x0F;

thread_local! {
    static UNPACKER: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// A message shorter than this is the protocol's own and no event.
const EVENT_MIN_BYTES: u64 = 100;
/// What comes before an event's number, which is its id: ten digits.
const BEFORE_NUMBER: &[u8] = b"\"id\":\"";
const NUMBER_DIGITS: usize = 10;

/// What the messages of a WebSocket hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Frames of `monkeytown.v1.json`, many events in one.
    Frames,
    /// The same, compressed where that makes them smaller.
    PackedFrames,
    /// An event each, or several: then an array that begins with the numbers of the first and the last.
    Messages,
    /// A piece of the NATS protocol.
    Nats,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// How many events.
    pub(crate) events: u64,
    /// The first and the last of them.
    pub(crate) ends: Option<(u64, u64)>,
    /// The other side asks whether somebody is there, in Socket.IO's words.
    pub(crate) asked: bool,
    /// The same in WebSocket's words.
    pub(crate) pinged: bool,
    /// Replay is over, or the subscription stands.
    pub(crate) settled: bool,
}

impl Heard {
    fn events(&mut self, first: u64, last: u64) {
        self.events += last - first + 1;
        self.ends = Some((self.ends.map_or(first, |ends| ends.0), last));
    }
}

/// The start of a message.
#[derive(Debug, Default)]
struct Prefix(Vec<u8>);

impl Prefix {
    fn add(&mut self, bytes: &[u8], most: usize) {
        let room = most - self.0.len().min(most);
        self.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    /// What it was before it was compressed.
    fn unpack(&mut self) -> Result<()> {
        let mut plain = [0; PREFIX_BYTES];
        let length = UNPACKER.with_borrow_mut(|unpacker| {
            unpacker.reset(false);
            unpacker
                .decompress(&self.0, &mut plain, FlushDecompress::Sync)
                .context("a message that cannot be unpacked")?;
            anyhow::Ok(unpacker.total_out())
        })?;
        self.0.clear();
        self.0.extend(plain.iter().take(usize::try_from(length)?));
        Ok(())
    }

    /// The digits after `name`.
    fn number_after(&self, name: &[u8]) -> Option<u64> {
        let at = self.0.windows(name.len()).position(|window| window == name)? + name.len();
        let digits = self.0.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
        Some(digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    }

    /// The number of the event that starts here, whose place in the message does not change.
    fn event_number(&self, place: &mut Option<usize>) -> Option<u64> {
        if place.is_none() {
            let found = self.0.windows(BEFORE_NUMBER.len()).position(|window| window == BEFORE_NUMBER)?;
            *place = Some(found + BEFORE_NUMBER.len());
        }
        let at = (*place)?;
        let digits = self.0.get(at..at + NUMBER_DIGITS)?;
        Some(digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit.wrapping_sub(b'0'))))
    }
}

/// The WebSocket frame that is being read: its head until that is whole, then how much of it is left.
#[derive(Debug)]
enum Place {
    Head { bytes: [u8; 10], have: usize },
    Payload { left: u64, length: u64, packed: bool },
}

const START: Place = Place::Head { bytes: [0; 10], have: 0 };

/// The NATS protocol is lines, and payloads whose length a line has told.
#[derive(Debug)]
enum Nats {
    Line,
    Payload { left: usize },
}

/// One subscriber's bytes.
#[derive(Debug)]
pub(crate) struct Reader {
    dialect: Dialect,
    place: Place,
    prefix: Prefix,
    /// Where an event's number stands in its message.
    number_at: Option<usize>,
    nats: Nats,
    /// The number that comes next; the first event says where it starts.
    next: Option<u64>,
}

impl Reader {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self { dialect, place: START, prefix: Prefix::default(), number_at: None, nats: Nats::Line, next: None }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// When it is not what was expected: another protocol, or an event out of order.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<Heard> {
        let mut heard = Heard::default();
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.place {
                Place::Head { bytes: head, have } => {
                    *head.get_mut(*have).context("a head is at most ten bytes")? = *first;
                    *have += 1;
                    bytes = rest;
                    if let Some(length) = length(head, *have) {
                        let [first, ..] = *head;
                        heard.pinged |= first & OPCODE == PING;
                        self.place = Place::Payload { left: length, length, packed: first & PACKED != 0 };
                        // The protocol of NATS goes on from one frame to the next.
                        if self.dialect != Dialect::Nats {
                            self.prefix.0.clear();
                        }
                        if length == 0 {
                            self.place = START;
                        }
                    }
                }
                Place::Payload { left, length, packed } => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    let (part, rest) = bytes.split_at(taken);
                    bytes = rest;
                    *left -= taken as u64;
                    let (ended, length, packed) = (*left == 0, *length, *packed);
                    if self.dialect == Dialect::Nats {
                        self.nats(part, &mut heard)?;
                    } else {
                        self.prefix.add(part, if packed { PACKED_PREFIX_BYTES } else { PREFIX_BYTES });
                    }
                    if ended {
                        self.place = START;
                        if packed {
                            self.prefix.unpack()?;
                        }
                        self.message(length, &mut heard)?;
                    }
                }
            }
        }
        Ok(heard)
    }

    fn message(&mut self, length: u64, heard: &mut Heard) -> Result<()> {
        match self.dialect {
            Dialect::Nats => {}
            Dialect::Frames | Dialect::PackedFrames => {
                if self.prefix.0.starts_with(br#"{"kind":"events""#) {
                    let told = (self.prefix.number_after(br#""first":"#), self.prefix.number_after(br#""last":"#));
                    let (Some(first), Some(last)) = told else { bail!("a frame of events that does not say which") };
                    self.follows(first, last)?;
                    heard.events(first, last);
                } else if self.prefix.0.starts_with(br#"{"kind":"caught_up""#) {
                    heard.settled = true;
                }
            }
            // `0` is how Socket.IO opens.
            Dialect::Messages if length >= EVENT_MIN_BYTES && !self.prefix.0.starts_with(b"0") => {
                self.payload(heard)?
            }
            Dialect::Messages => {
                heard.asked |= self.prefix.0 == b"2";
                heard.settled |= self.prefix.0.starts_with(b"40");
            }
        }
        Ok(())
    }

    fn payload(&mut self, heard: &mut Heard) -> Result<()> {
        if self.prefix.0.starts_with(b"[") {
            let told = (self.prefix.number_after(b"["), self.prefix.number_after(b","));
            let (Some(first), Some(last)) = told else { bail!("a batch that does not say which") };
            self.follows(first, last)?;
            heard.events(first, last);
            return Ok(());
        }
        let number = self.prefix.event_number(&mut self.number_at).context("an event without a number")?;
        self.follows(number, number)?;
        heard.events(number, number);
        Ok(())
    }

    /// Every subscriber hears every event once and in order, or the figures mean nothing.
    fn follows(&mut self, first: u64, last: u64) -> Result<()> {
        ensure!(self.next.is_none_or(|next| next == first), "event {first} comes where {:?} was due", self.next);
        self.next = Some(last + 1);
        Ok(())
    }

    fn nats(&mut self, mut bytes: &[u8], heard: &mut Heard) -> Result<()> {
        while !bytes.is_empty() {
            match &mut self.nats {
                Nats::Line => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    self.prefix.add(part, PREFIX_BYTES);
                    bytes = rest;
                    if end.is_some() {
                        self.line(heard)?;
                        self.prefix.0.clear();
                    }
                }
                Nats::Payload { left } => {
                    let (part, rest) = bytes.split_at((*left).min(bytes.len()));
                    self.prefix.add(part, PREFIX_BYTES);
                    bytes = rest;
                    *left -= part.len();
                    if *left == 0 {
                        self.nats = Nats::Line;
                        self.payload(heard)?;
                        self.prefix.0.clear();
                    }
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, heard: &mut Heard) -> Result<()> {
        let line = std::str::from_utf8(&self.prefix.0).context("NATS speaks text")?;
        if line.starts_with("MSG ") {
            let length = line.split_whitespace().last().and_then(|word| word.parse::<usize>().ok());
            // The payload's own end is two bytes more.
            self.nats = Nats::Payload { left: length.context("a message without a length")? + 2 };
        } else if line.starts_with("PONG") {
            heard.settled = true;
        } else if line.starts_with("-ERR") {
            bail!("NATS says {line}");
        }
        Ok(())
    }
}

/// The length of a frame's payload, once its head is whole (RFC 6455, section 5.2; a server does not mask).
fn length(head: &[u8; 10], have: usize) -> Option<u64> {
    let [_, short, rest @ ..] = head;
    let (bytes, wide) = match short & 0x7f {
        126 => (2, rest.first_chunk::<2>().map(|bytes| u64::from(u16::from_be_bytes(*bytes)))),
        127 => (8, rest.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))),
        short => (0, Some(u64::from(short))),
    };
    wide.filter(|_| have == 2 + bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(payload: &str) -> Vec<u8> {
        let mut bytes = vec![0x81];
        match payload.len() {
            short @ ..126 => bytes.push(u8::try_from(short).unwrap()),
            long => {
                bytes.push(126);
                bytes.extend(u16::try_from(long).unwrap().to_be_bytes());
            }
        }
        bytes.extend(payload.bytes());
        bytes
    }

    fn packed(payload: &str) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_000);
        let mut packer = flate2::Compress::new(flate2::Compression::fast(), false);
        packer.compress_vec(payload.as_bytes(), &mut bytes, flate2::FlushCompress::Sync).unwrap();
        bytes.truncate(bytes.len() - 4);
        [vec![0xC1, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    #[test]
    fn a_ping_is_heard_however_its_bytes_are_cut() {
        let mut reader = Reader::new(Dialect::Frames);
        assert!(!reader.take(&[0x89]).unwrap().pinged);
        assert!(reader.take(&[0x00]).unwrap().pinged);
        assert!(reader.take(&[0x89, 0x01, b'x']).unwrap().pinged);
    }

    fn event(number: u64) -> String {
        format!(r#"{{"specversion":"1.0","id":"{number:010}","pad":"{}"}}"#, "x".repeat(150))
    }

    /// However the bytes are cut, the same is heard.
    fn heard(dialect: Dialect, bytes: &[u8]) -> Vec<(u64, Option<(u64, u64)>)> {
        [1, 3, 7, 100, 100_000]
            .map(|cut| {
                let mut reader = Reader::new(dialect);
                let (mut events, mut ends) = (0, None::<(u64, u64)>);
                for part in bytes.chunks(cut) {
                    let heard = reader.take(part).unwrap();
                    events += heard.events;
                    ends = heard.ends.map(|(first, last)| (ends.map_or(first, |ends| ends.0), last)).or(ends);
                }
                (events, ends)
            })
            .to_vec()
    }

    #[test]
    fn events_are_counted_however_their_bytes_are_cut() {
        let frame =
            |first, last| format!(r#"{{"kind":"events","epoch":"e","first":{first},"last":{last},"events":[]}}"#);
        let frames = [framed(&frame(0, 4)), framed(r#"{"kind":"heartbeat"}"#), framed(&frame(5, 9))].concat();
        let messages = [framed(&event(3)), framed("2"), framed(&event(4))].concat();
        let nats = |number| format!("MSG e 1 {}\r\n{}\r\n", event(number).len(), event(number));
        let (one, two) = (nats(7), nats(8));
        // A frame of a WebSocket may end anywhere in the stream that it carries.
        let (begun, rest) = one.split_at(40);
        let nats = [framed("PONG\r\n"), framed(begun), framed(&format!("{rest}{two}"))].concat();
        let packed = [packed(&frame(10, 4_000)), vec![0x89, 0], framed(&frame(4_001, 4_001))].concat();
        for (dialect, bytes, expected) in [
            (Dialect::Frames, frames, (10, Some((0, 9)))),
            (Dialect::PackedFrames, packed, (3_992, Some((10, 4_001)))),
            (Dialect::Messages, messages, (2, Some((3, 4)))),
            (Dialect::Nats, nats, (2, Some((7, 8)))),
        ] {
            assert!(heard(dialect, &bytes).iter().all(|heard| *heard == expected), "{dialect:?}");
        }
    }

    #[test]
    fn an_event_out_of_order_is_no_figure() {
        let mut reader = Reader::new(Dialect::Messages);
        reader.take(&framed(&event(3))).unwrap();
        assert!(reader.take(&framed(&event(5))).is_err());
    }
}
