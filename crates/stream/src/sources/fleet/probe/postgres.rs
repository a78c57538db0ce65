//! `SELECT 1` over PostgreSQL's protocol, by tokio-postgres.
//!
//! Without TLS, so a password goes as an answer to SCRAM or MD5 or not at all: whoever asks for it as it is may be anybody.
//! The library would tell it, and makes room for as much as the head of a message announces, up to 4 GB; so messages are
//! looked at before it sees them ([`Heads`]).

use super::{super::target::Secret, Broken, Connection};
use std::{
    error::Error,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::{Config, NoTls, SimpleQueryMessage, config::SslMode, error::SqlState};

/// Longest message that is taken, in bytes.
const MESSAGE_MAX_BYTES: u32 = 65_536;
const PROTOCOL: &str = "PostgreSQL";

pub(super) async fn select_1(
    stream: impl Connection,
    user: &str,
    password: Option<&Secret>,
    database: Option<&str>,
) -> Result<(), Broken> {
    let mut config = Config::new();
    config.user(user).application_name("monkeytown-stream").ssl_mode(SslMode::Disable);
    if let Some(password) = password {
        config.password(password.reveal());
    }
    if let Some(database) = database {
        config.dbname(database);
    }
    let connected = config.connect_raw(Heads::new(stream), NoTls).await;
    let (client, connection) = connected.map_err(|error| why(&error, password.is_some()))?;
    let asking = async {
        let answer = client.simple_query("SELECT 1").await.map_err(|error| why(&error, password.is_some()))?;
        let is_one = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(row) if row.try_get(0).is_ok_and(|value| value == Some("1")));
        if answer.iter().any(is_one) { Ok(()) } else { Err(Broken::Said("answered SELECT 1 with something else")) }
    };
    tokio::pin!(asking);
    let ended = tokio::select! {
        biased;
        answered = &mut asking => return answered,
        ended = connection => ended,
    };
    // The answer may have come with the end. Where it did not, the connection knows better why.
    match (asking.await, ended) {
        (Err(Broken::Closed), Err(error)) => Err(why(&error, password.is_some())),
        (answered, _) => answered,
    }
}

fn why(error: &tokio_postgres::Error, with_password: bool) -> Broken {
    if let Some(code) = error.code() {
        return said(code);
    }
    if error.is_closed() {
        return Broken::Closed;
    }
    let inner = error.source().and_then(|inner| inner.downcast_ref::<io::Error>());
    match inner {
        Some(inner) if inner.get_ref().is_some_and(|inner| inner.is::<InTheClear>()) => {
            Broken::Said(match with_password {
                true => "asks for the password in the clear, and is not told it; let it ask by SCRAM",
                false => "asks for a password",
            })
        }
        // The library's own word for bytes that it cannot read, and ours for heads.
        Some(inner) if matches!(inner.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => {
            Broken::NotSpoken(PROTOCOL)
        }
        Some(inner) => match Broken::of_talking(inner) {
            // The library's word for an end in the middle of a message.
            Broken::NotAsked(io::ErrorKind::Other) => Broken::Closed,
            why => why,
        },
        None if !with_password && error.to_string().contains("invalid configuration") => {
            Broken::Said("asks for a password")
        }
        None if error.to_string().contains("authentication") => {
            Broken::Said("asks to be convinced in a way that is not known here")
        }
        None => Broken::NotSpoken(PROTOCOL),
    }
}

/// An error of the server in words. Its own words are anybody's; its code is five letters and digits.
fn said(code: &SqlState) -> Broken {
    match code {
        code if *code == SqlState::INVALID_PASSWORD => Broken::Said("does not take the password"),
        code if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Broken::Said("does not let this user in"),
        code if *code == SqlState::INVALID_CATALOG_NAME => Broken::Said("has no such database"),
        code if *code == SqlState::CANNOT_CONNECT_NOW => Broken::Said("is starting or stopping"),
        code if *code == SqlState::ADMIN_SHUTDOWN => Broken::Said("is being shut down"),
        code if *code == SqlState::TOO_MANY_CONNECTIONS => Broken::Said("has no connection left"),
        code => {
            let code = code.code();
            let sound = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if sound { Broken::SqlState(code.to_owned()) } else { Broken::NotSpoken(PROTOCOL) }
        }
    }
}

/// The server asks for the password as it is.
#[derive(Debug, thiserror::Error)]
#[error("the password in the clear")]
struct InTheClear;

/// A stream whose messages announce no more than [`MESSAGE_MAX_BYTES`], and of which none asks for a password in the clear.
struct Heads<S> {
    stream: S,
    /// The head that is being read: a letter and a length; of what the server says of authentication also which kind.
    head: Vec<u8>,
    /// What is left of the message after it.
    body_left: u32,
}

const HEAD_BYTES: usize = 5;
/// The letter of what a server says of authentication, how many bytes its kind has, and that of a password in the clear.
const AUTHENTICATION: u8 = b'R';
const KIND_BYTES: u32 = 4;
const IN_THE_CLEAR: [u8; 4] = [0, 0, 0, 3];

impl<S> Heads<S> {
    fn new(stream: S) -> Self {
        Self { stream, head: Vec::with_capacity(HEAD_BYTES), body_left: 0 }
    }

    /// Looks at `bytes`, which came next.
    ///
    /// # Errors
    /// When they are of a message that may not be read.
    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            if self.body_left > 0 {
                self.body_left -= 1;
                continue;
            }
            self.head.push(*byte);
            let Some((&[letter, ref length @ ..], kind)) = self.head.split_first_chunk::<HEAD_BYTES>() else {
                continue;
            };
            // The length counts itself.
            let body = u32::from_be_bytes(*length).checked_sub(4).filter(|body| *body <= MESSAGE_MAX_BYTES);
            let Some(body) = body else { return Err(io::ErrorKind::InvalidData.into()) };
            self.body_left = match (letter, kind) {
                (AUTHENTICATION, kind) if kind == IN_THE_CLEAR => return Err(io::Error::other(InTheClear)),
                (AUTHENTICATION, [_, _, _, _]) => body - KIND_BYTES,
                (AUTHENTICATION, _) if body >= KIND_BYTES => continue,
                _ => body,
            };
            self.head.clear();
        }
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        Poll::Ready(self.pass(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heads<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn messages_pass_however_they_are_torn_and_one_that_is_too_long_or_asks_for_the_password_does_not(
            bodies in proptest::collection::vec((proptest::sample::select(b"RSZ".to_vec()), 0_u32..300), 0..8),
            piece in 1_usize..50,
            length in MESSAGE_MAX_BYTES + 5..
        ) {
            let mut bytes = Vec::new();
            for (letter, body) in &bodies {
                bytes.push(*letter);
                bytes.extend((body + 4).to_be_bytes());
                bytes.extend(vec![0xff; *body as usize]);
            }
            for end in [[&b"E"[..], &length.to_be_bytes()].concat(), b"R\0\0\0\x08\0\0\0\x03".to_vec()] {
                let mut heads = Heads::new(());
                let mut pass = |bytes: &[u8]| bytes.chunks(piece).all(|piece| heads.pass(piece).is_ok());
                proptest::prop_assert!(pass(&bytes));
                proptest::prop_assert!(pass(end.get(..end.len() - 1).unwrap_or_default()));
                proptest::prop_assert!(!pass(end.get(end.len() - 1..).unwrap_or_default()));
            }
        }
    }
}
