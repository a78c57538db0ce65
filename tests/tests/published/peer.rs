//! What answers in place of a stream: it stalls, breaks off, lies, or is busy. Knows no event.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// What is done to a request.
#[derive(Clone)]
pub(crate) enum Does {
    /// Nothing, for as long as it is waited for.
    Stall,
    /// The connection is closed.
    HangUp,
    /// These bytes are sent, and the connection is closed.
    Say(String),
    /// These bytes are sent again and again.
    Flood(&'static str),
}

/// A listener that treats its first requests as it was told, and all others as the last of them.
pub(crate) struct Peer {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

/// An answer with a status and a body; `more` are header lines.
pub(crate) fn answer(status: &str, more: &str, body: &str) -> Does {
    let length = body.len();
    Does::Say(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n{body}"))
}

impl Peer {
    pub(crate) fn new(does: &[Does]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (does, hears) = (does.to_vec(), Arc::clone(&heard));
        std::thread::spawn(move || {
            for (number, connection) in listener.incoming().flatten().enumerate() {
                let does = does.get(number).or(does.last()).expect("something to do").clone();
                let hears = Arc::clone(&hears);
                // Who sends may go at any moment.
                std::thread::spawn(move || drop(treat(connection, &does, &hears)));
            }
        });
        Self { url, heard }
    }

    /// The requests, each with head and body.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no thread panics with it").clone()
    }
}

fn treat(mut connection: TcpStream, does: &Does, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let request = read(&mut connection)?;
    heard.lock().expect("no thread panics with it").push(request);
    match does {
        // Until the other side has had enough.
        Does::Stall => drop(connection.read(&mut [0])?),
        Does::HangUp => {}
        Does::Say(bytes) => connection.write_all(bytes.as_bytes())?,
        Does::Flood(bytes) => {
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")?;
            loop {
                connection.write_all(bytes.as_bytes())?;
            }
        }
    }
    Ok(())
}

/// A request, to the end of its body.
fn read(connection: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 65_536];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if bytes.len() >= head.len() + 4 + length.unwrap_or(0) {
                return Ok(text);
            }
        }
        let count = connection.read(&mut piece)?;
        if count == 0 {
            return Ok(text);
        }
        bytes.extend(piece.iter().take(count));
    }
}
