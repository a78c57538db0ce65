//! `SELECT 1` over PostgreSQL's protocol, by tokio-postgres.
//!
//! Without TLS. The library makes room for as much as the head of a message announces, up to 4 GB; so heads are looked at
//! before it sees them ([`Heads`]).

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

/// A stream whose messages announce no more than [`MESSAGE_MAX_BYTES`].
struct Heads<S> {
    stream: S,
    /// The head that is being read: a letter and a length.
    head: Vec<u8>,
    /// What is left of the message after it.
    body_left: u32,
}

const HEAD_BYTES: usize = 5;

impl<S> Heads<S> {
    fn new(stream: S) -> Self {
        Self { stream, head: Vec::with_capacity(HEAD_BYTES), body_left: 0 }
    }

    /// Whether `bytes`, which came next, are of messages that may be read.
    fn pass(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if self.body_left > 0 {
                self.body_left -= 1;
                continue;
            }
            self.head.push(*byte);
            if let [_, length @ ..] = self.head.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                // The length counts itself.
                match u32::from_be_bytes(length).checked_sub(4) {
                    Some(body) if body <= MESSAGE_MAX_BYTES => self.body_left = body,
                    _ => return false,
                }
                self.head.clear();
            }
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heads<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if self.pass(read) { Poll::Ready(Ok(())) } else { Poll::Ready(Err(io::ErrorKind::InvalidData.into())) }
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
        fn messages_pass_however_they_are_torn_and_one_that_is_too_long_does_not(
            bodies in proptest::collection::vec(0_u32..300, 0..8), piece in 1_usize..50, length in MESSAGE_MAX_BYTES + 5..
        ) {
            let mut bytes = Vec::new();
            for body in &bodies {
                bytes.push(b'S');
                bytes.extend((body + 4).to_be_bytes());
                bytes.extend(vec![0xff; *body as usize]);
            }
            let mut heads = Heads::new(());
            proptest::prop_assert!(bytes.chunks(piece).all(|piece| heads.pass(piece)));
            bytes = [&b"E"[..], &length.to_be_bytes()].concat();
            proptest::prop_assert!(!bytes.chunks(piece).all(|piece| heads.pass(piece)));
        }
    }
}
