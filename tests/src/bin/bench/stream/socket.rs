//! The client's side of a WebSocket, as much of it as the load generator needs: the handshake, and small messages.

use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Longest answer to a handshake.
const ANSWER_MAX_BYTES: usize = 8_192;

/// Connects and shakes hands; gives what came after the answer too.
///
/// # Errors
/// When the other side does not take the handshake.
pub(crate) async fn open(
    address: SocketAddr,
    path: &str,
    protocol: Option<&str>,
    compresses: bool,
) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await.context("connecting")?;
    stream.set_nodelay(true)?;
    let protocol = protocol.map_or_else(String::new, |name| format!("Sec-WebSocket-Protocol: {name}\r\n"));
    let offer = if compresses { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocol}{offer}\r\n"
    );
    stream.write_all(request.as_bytes()).await.context("shaking hands")?;
    let mut answer = Vec::new();
    let end = loop {
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = stream.read_buf(&mut answer).await.context("the answer to a handshake")?;
        ensure!(read > 0 && answer.len() < ANSWER_MAX_BYTES, "no handshake: {:?}", String::from_utf8_lossy(&answer));
    };
    let rest = answer.split_off(end);
    ensure!(answer.starts_with(b"HTTP/1.1 101"), "no handshake: {:?}", String::from_utf8_lossy(&answer));
    Ok((stream, rest))
}

/// The answer to a ping that says nothing.
pub(crate) const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

/// A short message as a client sends it. A mask of zeros is one, and changes nothing.
pub(crate) fn message(binary: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![if binary { 0x82 } else { 0x81 }];
    match u8::try_from(payload.len()) {
        Ok(short @ ..126) => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 126);
            let length = u16::try_from(payload.len()).expect("the load generator's messages are short");
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}
