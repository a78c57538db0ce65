//! A network that fails on demand: a TCP proxy between browser and stream that cuts, stalls, delays, refuses and
//! forbids, by what a connection is for.
//!
//! It reads the head of a request and nothing else. Outside of WebSockets it lets a connection carry one request, so
//! that every request meets the rules of its moment.

use crate::wait::soon;
use std::{collections::HashMap, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// Largest head of a request, in bytes.
const HEAD_MAX_BYTES: usize = 65_536;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Traffic {
    /// A WebSocket.
    Socket,
    /// What is asked of the stream by plain requests.
    Api,
    /// Files of the page.
    Site,
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// It is reset as soon as it has said what it wants.
    Reset,
    /// It is answered with 403, as proxies do that know no WebSocket.
    Forbidden,
    /// It stays open and nothing passes, in either direction, as long as this holds.
    Silence,
    /// Everything passes, each piece this much later.
    Delay(Duration),
}

/// An answer that the proxy gives itself.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The `Content-Type`.
    pub media: &'static str,
    /// The body.
    pub body: String,
}

#[derive(Debug, Clone)]
struct Rules {
    upstream: SocketAddr,
    faults: HashMap<Traffic, Fault>,
    answers: HashMap<String, Answer>,
}

impl Rules {
    fn fault(&self, traffic: Traffic) -> Fault {
        self.faults.get(&traffic).copied().unwrap_or_default()
    }
}

/// A running proxy. Dropping it cuts everything.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    rules: watch::Sender<Rules>,
    cuts: watch::Sender<u64>,
    asked: watch::Sender<Vec<String>>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

impl Proxy {
    /// A proxy before `upstream` that lets everything pass.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let rules = Rules { upstream, faults: HashMap::new(), answers: HashMap::new() };
        let shared = Arc::new(Shared {
            rules: watch::Sender::new(rules),
            cuts: watch::Sender::new(0),
            asked: watch::Sender::new(Vec::new()),
        });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                // A connection that breaks is what this is for.
                tokio::spawn(async move { drop(shared.carry(client).await) });
            }
        });
        Self { address, shared, accepting }
    }

    /// An address on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on, `traffic` meets `fault`.
    pub fn set(&self, traffic: Traffic, fault: Fault) {
        self.shared.rules.send_modify(|rules| {
            rules.faults.insert(traffic, fault);
        });
    }

    /// From now on, nothing that is the stream's is answered; the page's files are.
    pub fn lose_the_stream(&self) {
        self.set(Traffic::Socket, Fault::Reset);
        self.set(Traffic::Api, Fault::Reset);
        self.cut();
    }

    /// From now on, all traffic meets `fault`; what is open is cut.
    pub fn set_all(&self, fault: Fault) {
        [Traffic::Socket, Traffic::Api, Traffic::Site].into_iter().for_each(|traffic| self.set(traffic, fault));
        self.cut();
    }

    /// From now on, what is asked at `path` is answered here.
    pub fn answer(&self, path: &str, media: &'static str, body: &str) {
        let answer = Answer { media, body: body.to_owned() };
        self.shared.rules.send_modify(|rules| {
            rules.answers.insert(path.to_owned(), answer);
        });
    }

    /// From now on, new connections lead to another stream.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared.rules.send_modify(|rules| rules.upstream = upstream);
    }

    /// Cuts every connection that is open, without a word.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Every path with its query that was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.borrow().clone()
    }

    /// Waits until a path is asked for that `wanted` accepts, among those after the first `known`.
    ///
    /// # Panics
    /// When none is.
    pub async fn until_asked(&self, known: usize, wanted: impl Fn(&str) -> bool) -> String {
        let mut asked = self.shared.asked.subscribe();
        let found = |list: &Vec<String>| list.iter().skip(known).any(|path| wanted(path));
        let list = soon("a request", asked.wait_for(found)).await.expect("the sender lives in self");
        let path = list.iter().skip(known).find(|path| wanted(path));
        path.expect("it was waited for").clone()
    }
}

/// The head of a request.
struct Head {
    path: String,
    traffic: Traffic,
    bytes: Vec<u8>,
}

impl Head {
    async fn read(client: &mut TcpStream) -> io::Result<Self> {
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
            () if path.starts_with("/api/") => Traffic::Api,
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

impl Shared {
    async fn carry(&self, mut client: TcpStream) -> io::Result<()> {
        let mut cuts = self.cuts.subscribe();
        let head = tokio::select! {
            head = Head::read(&mut client) => head?,
            _ = cuts.changed() => return Ok(()),
        };
        self.asked.send_modify(|asked| asked.push(head.path.clone()));
        tokio::select! {
            ended = self.obey(&mut client, head) => ended,
            _ = cuts.changed() => client.set_zero_linger(),
        }
    }

    async fn obey(&self, client: &mut TcpStream, head: Head) -> io::Result<()> {
        let rules = self.rules.borrow().clone();
        let path = head.path.split('?').next().unwrap_or_default();
        if let Some(Answer { media, body }) = rules.answers.get(path) {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            return client.write_all(answer.as_bytes()).await;
        }
        match rules.fault(head.traffic) {
            Fault::Reset => return client.set_zero_linger(),
            Fault::Forbidden => {
                let refusal = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                return client.write_all(refusal).await;
            }
            Fault::None | Fault::Silence | Fault::Delay(_) => {}
        }
        self.pass(head.traffic).await;
        let mut server = TcpStream::connect(rules.upstream).await?;
        server.write_all(&head.bytes).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        tokio::try_join!(
            self.pump(head.traffic, &mut from_client, &mut to_server),
            self.pump(head.traffic, &mut from_server, &mut to_client),
        )?;
        Ok(())
    }

    async fn pump(
        &self,
        traffic: Traffic,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> io::Result<()> {
        let mut piece = vec![0; 65_536];
        loop {
            let length = from.read(&mut piece).await?;
            self.pass(traffic).await;
            match piece.get(..length) {
                None | Some([]) => return to.shutdown().await,
                Some(bytes) => to.write_all(bytes).await?,
            }
        }
    }

    /// Waits until something of `traffic` may pass.
    async fn pass(&self, traffic: Traffic) {
        let mut rules = self.rules.subscribe();
        let speaks = |rules: &Rules| rules.fault(traffic) != Fault::Silence;
        let fault = rules.wait_for(speaks).await.map(|rules| rules.fault(traffic));
        if let Ok(Fault::Delay(delay)) = fault {
            tokio::time::sleep(delay).await;
        }
    }
}
