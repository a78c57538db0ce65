//! Who is asked in place of a stream or of a name server, and keeps what was asked. They know nothing of nginx.

use monkeytown_tests::wait::soon;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinHandle,
};

/// The head of a request: its first line, and its fields, with all values of a name that came more than once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) line: String,
    pub(crate) fields: BTreeMap<String, Vec<String>>,
}

impl Head {
    fn read(text: &str) -> Self {
        let mut lines = text.split("\r\n");
        let mut head = Self { line: lines.next().unwrap_or_default().to_owned(), ..Self::default() };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            head.fields.entry(name.to_lowercase()).or_default().push(value.to_owned());
        }
        head
    }

    /// The one value of a field; nothing where it is not there.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let values = self.fields.get(name)?;
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values.first().map(String::as_str)
    }
}

/// A server that says its name to everybody and keeps the heads of what it was asked.
pub(crate) struct Ears {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<Head>>>,
    serving: JoinHandle<()>,
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Ears {
    pub(crate) async fn called(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&heads);
        let serving = tokio::spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let keep = Arc::clone(&keep);
                tokio::spawn(async move {
                    let mut asked = Vec::new();
                    while !asked.windows(4).any(|window| window == b"\r\n\r\n") {
                        if connection.read_buf(&mut asked).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    keep.lock().expect("nobody panics with it").push(Head::read(&String::from_utf8_lossy(&asked)));
                    let length = name.len();
                    let answer =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}");
                    // Whoever asked may have gone.
                    let _ = connection.write_all(answer.as_bytes()).await;
                });
            }
        });
        Self { address, heads, serving }
    }

    /// What it was asked, in order.
    pub(crate) fn heard(&self) -> Vec<Head> {
        self.heads.lock().expect("nobody panics with it").clone()
    }

    /// What it was asked last.
    pub(crate) fn last(&self) -> Head {
        self.heard().pop().expect("it was asked")
    }
}

/// A name server that knows one name, at 127.0.0.1.
pub(crate) struct Names {
    pub(crate) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Names {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Names {
    pub(crate) async fn of(name: &'static str) -> Self {
        let socket = soon("a socket", UdpSocket::bind("127.0.0.1:0")).await.expect("a free port");
        let address = socket.local_addr().expect("a socket has an address");
        let serving = tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                let answer = question.get(..length).and_then(|question| resolved(question, name));
                // Who asked for anything else hears nothing, and gives up.
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        Self { address, serving }
    }
}

/// The answer to a question for an address of `name` (RFC 1035, section 4).
fn resolved(question: &[u8], name: &str) -> Option<Vec<u8>> {
    let (id, body) = (question.get(..2)?, question.get(12..)?);
    let mut labels: Vec<u8> = Vec::new();
    for label in name.split('.') {
        labels.push(label.len().try_into().ok()?);
        labels.extend(label.as_bytes());
    }
    labels.push(0);
    let (asked, kind) = (body.get(..labels.len())?, body.get(labels.len()..labels.len() + 4)?);
    if asked != labels {
        return None;
    }
    let is_a = kind == [0, 1, 0, 1];
    let mut answer = Vec::from(id);
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(asked.iter().chain(kind));
    if is_a {
        answer.extend([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}
