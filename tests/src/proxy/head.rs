//! What a connection says first: what it is for, and what is passed on. Knows nothing of faults.

use std::io;
use tokio::{io::AsyncReadExt, net::TcpStream};

/// Largest head of a request, in bytes.
const HEAD_MAX_BYTES: usize = 65_536;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// A WebSocket.
    Socket,
    /// Server-sent events.
    Sse,
    /// What else is asked of the stream by requests: polls, snapshots, whether it is ready.
    Api,
    /// Files of the page.
    Site,
}

/// The head of a request.
pub(super) struct Head {
    pub(super) path: String,
    pub(super) traffic: Traffic,
    /// It and what came with it, as it is to be passed on.
    pub(super) bytes: Vec<u8>,
}

impl Head {
    pub(super) async fn read(client: &mut TcpStream) -> io::Result<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if bytes.len() > HEAD_MAX_BYTES || client.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::InvalidData.into());
            }
        };
        let rest = bytes.split_off(end + 4);
        let text = String::from_utf8_lossy(&bytes);
        let path = text.split_whitespace().nth(1).unwrap_or_default().to_owned();
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let upgrades = lines.iter().any(|line| line.to_ascii_lowercase().starts_with("upgrade:"));
        let traffic = match () {
            () if upgrades => Traffic::Socket,
            () if lines.iter().any(|line| line.to_ascii_lowercase().starts_with("accept: text/event-stream")) => {
                Traffic::Sse
            }
            () if path.starts_with("/api/") || path == "/ready" => Traffic::Api,
            () => Traffic::Site,
        };
        let keeps = |line: &&&str| upgrades || !line.to_ascii_lowercase().starts_with("connection:");
        let mut head = lines.iter().filter(keeps).copied().collect::<Vec<_>>().join("\r\n");
        if !upgrades {
            head.push_str("\r\nConnection: close");
        }
        let mut bytes = format!("{head}\r\n\r\n").into_bytes();
        bytes.extend(rest);
        Ok(Self { path, traffic, bytes })
    }
}
