//! What a peer says, as a library can read it that does not know compressed messages.
//!
//! Whoever has agreed on `permessage-deflate` (RFC 7692) may compress what it sends. Messages of a subscriber are counted
//! and never read, so nothing is inflated here: a compressed message is handed on as bytes without meaning, as long as it
//! came. Only the first byte of such a message's first frame is changed; everything that breaks the protocol is left as
//! it is, for the library to refuse. Knows nothing of what is done with messages.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bit that says that a message is compressed (RFC 7692, section 6), and those of a frame's opcode (RFC 6455, section
/// 5.2).
const COMPRESSED: u8 = 0x40;
const OPCODE: u8 = 0x0F;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const MASKED: u8 = 0x80;
/// A frame's mask, in bytes.
const MASK_BYTES: u8 = 4;

/// Whether the peer may compress. Clones are the same inlet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inlet(Arc<Agreed>);

#[derive(Debug, Default)]
struct Agreed {
    compressed: AtomicBool,
    /// How messages came that have not been asked for; none where nobody asks.
    came: Mutex<Option<VecDeque<Came>>>,
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) compressed: bool,
    pub(crate) text: bool,
}

impl Inlet {
    /// From the next byte on what is read are frames of a WebSocket whose messages may be compressed.
    pub(crate) fn take_compressed(&self) {
        self.0.compressed.store(true, Ordering::Relaxed);
    }

    /// Has it remembered how each message comes, for an echo, which answers in kind and asks for every one.
    pub(crate) fn remember(&self) {
        *self.came() = Some(VecDeque::new());
    }

    /// How the message came that is the next to be handled.
    pub(crate) fn next_came(&self) -> Option<Came> {
        self.came().as_mut()?.pop_front()
    }

    fn came(&self) -> std::sync::MutexGuard<'_, Option<VecDeque<Came>>> {
        // Every entry is whole.
        self.0.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, first: u8) {
        if matches!(first & OPCODE, TEXT | BINARY)
            && let Some(came) = self.came().as_mut()
        {
            came.push_back(Came { compressed: first & COMPRESSED != 0, text: first & OPCODE == TEXT });
        }
    }

    /// `io`, whose compressed messages are read as bytes.
    pub(crate) fn behind<T>(self, io: T) -> WithInlet<T> {
        WithInlet { io, inlet: self, place: Place::First }
    }
}

/// Where in a frame the next byte stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The flags and the opcode.
    First,
    /// Whether there is a mask, and a short length.
    Second,
    /// So many bytes of a long length are missing.
    Length { missing: u8, so_far: u64, mask: u8 },
    /// So many bytes of the mask and then of the payload are missing.
    Rest { missing: u64 },
}

impl Place {
    /// What follows a head whose mask and payload have so many bytes.
    fn after_head(mask: u8, payload: u64) -> Self {
        match u64::from(mask).saturating_add(payload) {
            0 => Self::First,
            missing => Self::Rest { missing },
        }
    }

    /// Takes one byte of a head, which may be changed.
    fn head(self, byte: &mut u8) -> Self {
        match self {
            Self::First => {
                if *byte & COMPRESSED != 0 && matches!(*byte & OPCODE, TEXT | BINARY) {
                    *byte = *byte & !COMPRESSED & !OPCODE | BINARY;
                }
                Self::Second
            }
            Self::Second => {
                let mask = if *byte & MASKED == 0 { 0 } else { MASK_BYTES };
                match *byte & !MASKED {
                    126 => Self::Length { missing: 2, so_far: 0, mask },
                    127 => Self::Length { missing: 8, so_far: 0, mask },
                    short => Self::after_head(mask, u64::from(short)),
                }
            }
            Self::Length { missing, so_far, mask } => {
                let so_far = so_far << 8 | u64::from(*byte);
                match missing {
                    ..=1 => Self::after_head(mask, so_far),
                    more => Self::Length { missing: more - 1, so_far, mask },
                }
            }
            Self::Rest { missing } => Self::Rest { missing },
        }
    }
}

/// A connection with an inlet.
pub(crate) struct WithInlet<T> {
    io: T,
    inlet: Inlet,
    place: Place,
}

impl<T> WithInlet<T> {
    /// Passes bytes on that were read next, changed where they are of a compressed message.
    pub(crate) fn pass(&mut self, mut bytes: &mut [u8]) {
        while let Some((first, rest)) = bytes.split_first_mut() {
            match self.place {
                Place::Rest { missing } => {
                    // The first of them is passed with this byte.
                    let passed = usize::try_from(missing - 1).unwrap_or(usize::MAX).min(rest.len());
                    bytes = rest.split_at_mut(passed).1;
                    self.place = match missing - 1 - passed as u64 {
                        0 => Place::First,
                        missing => Place::Rest { missing },
                    };
                }
                head => {
                    if matches!(head, Place::First) {
                        self.inlet.note(*first);
                    }
                    self.place = head.head(first);
                    bytes = rest;
                }
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WithInlet<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.io).poll_read(context, buffer))?;
        if this.inlet.0.compressed.load(Ordering::Relaxed)
            && let Some(read) = buffer.filled_mut().get_mut(before..)
        {
            this.pass(read);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WithInlet<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tungstenite::{Message, WebSocket, protocol::Role};

    /// A frame of a client, with a mask of zeros, which changes nothing.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(short @ ..126), _) => bytes.push(MASKED | short),
            (_, Ok(medium)) => {
                bytes.push(MASKED | 126);
                bytes.extend(medium.to_be_bytes());
            }
            _ => {
                bytes.push(MASKED | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes
    }

    /// What is read behind an open inlet when `sent` comes in pieces of `piece` bytes.
    fn passed(sent: &[u8], piece: usize) -> Vec<u8> {
        let mut sent = sent.to_vec();
        let mut within = Inlet::default().behind(());
        sent.chunks_mut(piece).for_each(|chunk| within.pass(chunk));
        sent
    }

    #[test]
    fn a_compressed_message_is_read_as_bytes_however_it_is_cut() {
        let (garbage, long, huge) = ([0xFF_u8, 0xC1, 0x00], vec![0xC1_u8; 300], vec![0xC1_u8; 70_000]);
        let sent = [
            frame(0xC1, &garbage),
            frame(0x81, b"plain"),
            frame(0xC1, &[]),
            // Split: only its first frame says that it is compressed.
            frame(0x41, &long),
            frame(0x89, b"ping"),
            frame(0x80, &garbage),
            frame(0xC2, &huge),
        ]
        .concat();
        for piece in [1, 2, 3, 5, 64, sent.len()] {
            let read = passed(&sent, piece);
            let mut socket = WebSocket::from_raw_socket(Duplex(io::Cursor::new(read)), Role::Server, None);
            let mut heard = || socket.read().expect("a message");
            assert_eq!(heard(), Message::binary(garbage.to_vec()));
            assert_eq!(heard(), Message::text("plain"));
            assert_eq!(heard(), Message::binary(Vec::new()));
            assert_eq!(heard(), Message::Ping("ping".into()));
            assert_eq!(heard(), Message::binary([long.as_slice(), &garbage].concat()));
            assert_eq!(heard(), Message::binary(huge.clone()));
        }
    }

    #[test]
    fn how_messages_came_is_remembered_for_whoever_asks() {
        let mut sent =
            [frame(0xC1, b"a"), frame(0x02, b"b"), frame(0x80, b"c"), frame(0x89, b""), frame(0x81, b"d")].concat();
        let inlet = Inlet::default();
        inlet.remember();
        inlet.clone().behind(()).pass(&mut sent);
        let came: Vec<_> = std::iter::from_fn(|| inlet.next_came()).map(|came| (came.compressed, came.text)).collect();
        assert_eq!(came, [(true, true), (false, false), (false, true)]);
        assert_eq!(Inlet::default().next_came(), None);
    }

    #[test]
    fn what_breaks_the_protocol_is_left_for_the_library_to_refuse() {
        // A compressed ping, a later frame that says it is compressed, another reserved bit.
        for sent in [frame(0xC9, b""), [frame(0x01, b"a"), frame(0xC0, b"b")].concat(), frame(0xA1, b"")] {
            let mut socket = WebSocket::from_raw_socket(Duplex(io::Cursor::new(passed(&sent, 3))), Role::Server, None);
            assert!(socket.read().is_err(), "{sent:?}");
        }
    }

    /// Reads what there is, takes whatever is written.
    struct Duplex(io::Cursor<Vec<u8>>);

    impl io::Read for Duplex {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0.read(into)
        }
    }

    impl io::Write for Duplex {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
