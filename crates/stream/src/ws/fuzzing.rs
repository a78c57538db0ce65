//! What subscribers send on a socket, and what is sent to them past the library, for fuzzing.

use super::message;
use crate::inlet::Inlet;
use std::io::Cursor;
use tungstenite::{
    Message, WebSocket,
    protocol::{Role, WebSocketConfig},
};

/// What a client sends: whatever it is, the library reads it to an end, within the bounds that it is given.
pub fn client(bytes: &[u8]) {
    const MAX_BYTES: usize = 4_096;
    let config = WebSocketConfig::default()
        .read_buffer_size(super::READ_BUFFER_BYTES)
        .max_message_size(Some(MAX_BYTES))
        .max_frame_size(Some(MAX_BYTES));
    let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes.to_vec()), Role::Server, Some(config));
    // A frame has at least two bytes.
    for _ in 0..=bytes.len() {
        match socket.read() {
            Ok(message) => assert!(message.len() <= MAX_BYTES),
            Err(_) => return,
        }
    }
    panic!("more messages than there are bytes");
}

/// Text in messages of our own: the library reads the same.
pub fn message(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut wire = message::text(|into| into.extend_from_slice(text.as_bytes())).to_vec();
    message::add(text.as_bytes(), &mut wire);
    let mut socket = WebSocket::from_raw_socket(Cursor::new(wire), Role::Client, None);
    for _ in 0..2 {
        assert_eq!(socket.read().expect("a message"), Message::text(text));
    }
}

/// What a client sends that may compress, behind a byte that says in how large pieces it comes: the pieces make no difference,
/// only bytes that begin a compressed message are changed, and the library reads what comes of it to an end.
pub fn inlet(bytes: &[u8]) {
    const COMPRESSED: u8 = 0x40;
    let Some((piece, sent)) = bytes.split_first() else { return };
    let (mut whole, mut torn) = (sent.to_vec(), sent.to_vec());
    Inlet::default().behind(()).pass(&mut whole);
    let mut within = Inlet::default().behind(());
    torn.chunks_mut(usize::from(*piece).max(1)).for_each(|piece| within.pass(piece));
    assert_eq!(whole, torn);
    for (before, after) in sent.iter().zip(&whole).filter(|(before, after)| before != after) {
        let (compressed_text, compressed_bytes) = (COMPRESSED | 1, COMPRESSED | 2);
        assert!(
            [compressed_text, compressed_bytes].contains(&(before & 0x4F)),
            "{before:#x} begins no compressed message"
        );
        assert_eq!(*after, before & 0xB0 | 2, "it is read as bytes");
    }
    client(&whole);
}
