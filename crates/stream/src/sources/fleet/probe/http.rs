//! `GET` over HTTP/1.1: which status is answered. What is not followed: redirects; they are a status like any other.
//!
//! The answer is read to its end, or as far as is worth while: a server that breaks off in the middle is broken. Where it
//! says nowhere how long its answer is, its end is that of the connection, however that ends.

use super::{super::target::Secret, Broken, Connection};
use axum::http::{Request, header};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    error::Error,
    future,
    io::{self, ErrorKind},
    pin::Pin,
};

/// Most of an answer's body that is read, in bytes; then it is well enough.
const BODY_MAX_BYTES: usize = 64 * 1024;
/// Most bytes of an answer's head.
const HEAD_MAX_BYTES: usize = 32 * 1024;
const USER_AGENT: &str = concat!("monkeytown-stream/", env!("CARGO_PKG_VERSION"));

pub(super) async fn get(
    stream: impl Connection,
    host: &str,
    path: &str,
    authorization: Option<&Secret>,
) -> Result<u16, Broken> {
    let mut request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close");
    if let Some(credentials) = authorization {
        request = request.header(header::AUTHORIZATION, credentials.reveal());
    }
    let request = request.body(String::new()).map_err(|_| Broken::NotAsked(ErrorKind::InvalidInput))?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_MAX_BYTES);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| why(&error))?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(|error| why(&error))?;
        let status = response.status().as_u16();
        let says_its_length = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
            .iter()
            .any(|name| response.headers().contains_key(name));
        match read(response.into_body()).await {
            // Over TLS many close without the word that ends it (`close_notify`).
            Err(error) if !says_its_length && is_end(&error) => {}
            read => read.map_err(|error| why(&error))?,
        }
        Ok(status)
    };
    let driving = async {
        // What goes wrong with it the exchange is told too.
        let _ = connection.await;
        future::pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        answered = exchange => answered,
        never = driving => match never {},
    }
}

async fn read(mut body: Incoming) -> Result<(), hyper::Error> {
    let mut read = 0;
    while read < BODY_MAX_BYTES {
        match future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => read += frame.data_ref().map_or(1, |data| data.len().max(1)),
            Some(Err(error)) => return Err(error),
            None => break,
        }
    }
    Ok(())
}

/// Whether the connection came to its end.
fn is_end(error: &hyper::Error) -> bool {
    let beneath = error.source().and_then(|beneath| beneath.downcast_ref::<io::Error>());
    beneath.is_some_and(|beneath| beneath.kind() == ErrorKind::UnexpectedEof)
}

fn why(error: &hyper::Error) -> Broken {
    let not_spoken = Broken::NotSpoken("HTTP/1.1");
    if error.is_parse() {
        return not_spoken;
    }
    match Broken::beneath(error) {
        // The library's words for a body that is none.
        Some(Broken::NotAsked(ErrorKind::InvalidInput | ErrorKind::InvalidData)) => not_spoken,
        Some(why) => why,
        None => Broken::Closed,
    }
}
