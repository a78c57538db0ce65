//! Text messages of a server as the bytes that go over the wire, made once for all who get them (RFC 6455, section
//! 5.2). Nothing is masked and nothing is split, so the same bytes serve everyone.
//!
//! This is the whole of the protocol that is written here: what comes in, and everything else that goes out, is the
//! library's.

use super::deflate;
use bytes::Bytes;

/// The last frame of a message, and it is text.
const FIN_TEXT: u8 = 0x81;
/// It is compressed (RFC 7692, section 6).
const COMPRESSED: u8 = 0x40;
/// Room for the longest head.
const HEAD_MAX_BYTES: usize = 10;

/// The message whose text `write` adds to what it is given. The text must be UTF-8.
pub(super) fn text(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut message = vec![0; HEAD_MAX_BYTES];
    write(&mut message);
    headed(FIN_TEXT, message)
}

/// The same, compressed where that makes it smaller. For those alone who have agreed on it.
pub(super) fn packed(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut plain = Vec::new();
    write(&mut plain);
    let mut message = vec![0; HEAD_MAX_BYTES];
    if deflate::pack(&plain, &mut message) {
        message.shrink_to_fit();
        return headed(FIN_TEXT | COMPRESSED, message);
    }
    text(|into| into.extend_from_slice(&plain))
}

/// Writes the head of a message that begins with `first` into the room that was left for it.
fn headed(first: u8, mut message: Vec<u8>) -> Bytes {
    // The length stands before the text and has no length of its own before the text is there.
    let (head, length) = head(first, message.len() - HEAD_MAX_BYTES);
    let start = HEAD_MAX_BYTES - length;
    for (to, from) in message.iter_mut().skip(start).zip(head.into_iter().take(length)) {
        *to = from;
    }
    Bytes::from(message).slice(start..)
}

/// Adds the message `text` to `messages`.
pub(super) fn add(text: &[u8], messages: &mut Vec<u8>) {
    let (head, length) = head(FIN_TEXT, text.len());
    messages.extend(head.into_iter().take(length));
    messages.extend_from_slice(text);
}

/// The head of a frame that begins with `first` and whose payload has so many bytes, and how many bytes of it count.
fn head(first: u8, payload_bytes: usize) -> ([u8; HEAD_MAX_BYTES], usize) {
    let mut head = [0; HEAD_MAX_BYTES];
    let (short, wide, length) = match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short @ ..126), _) => (short, [0; 8], 2),
        (_, Ok(medium)) => {
            let [high, low] = medium.to_be_bytes();
            (126, [high, low, 0, 0, 0, 0, 0, 0], 4)
        }
        _ => (127, (payload_bytes as u64).to_be_bytes(), 10),
    };
    for (to, from) in head.iter_mut().zip([first, short].into_iter().chain(wide)) {
        *to = from;
    }
    (head, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use tungstenite::{Message, WebSocket, protocol::Role};

    #[test]
    fn the_library_reads_what_it_did_not_write() {
        let lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000];
        let mut wire = Vec::new();
        for length in lengths {
            wire.extend_from_slice(&text(|into| into.extend(std::iter::repeat_n(b'x', length))));
            add(&vec![b'y'; length], &mut wire);
        }
        let mut socket = WebSocket::from_raw_socket(Cursor::new(wire), Role::Client, None);
        for length in lengths {
            for letter in ["x", "y"] {
                assert_eq!(socket.read().expect("a message"), Message::text(letter.repeat(length)));
            }
        }
    }
}
