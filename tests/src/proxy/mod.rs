//! A network that fails on demand: a TCP proxy between browser and stream that cuts, stalls, delays, refuses and
//! forbids, by what a connection is for.
//!
//! It reads the head of a request and nothing else. Outside of WebSockets it lets a connection carry one request, so
//! that every request meets the rules of its moment.

mod head;

pub use head::Traffic;

use crate::wait::soon;
use head::Head;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How long an impatient proxy waits for an answer to end.
const IMPATIENCE: Duration = Duration::from_secs(1);

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
    /// What the stream says is held until it has ended, as proxies do that must see an answer whole.
    Buffer,
    /// An answer that is not whole within a second is cut: what lasts is not suffered.
    Impatient,
    /// Every byte that the stream says comes alone.
    Crumbs,
    /// Each connection is reset after as many bytes of what the stream says as connections have met this before: one is
    /// cut at every byte.
    CutFurther,
    /// Of what the stream says after its head, one piece in so many has one byte changed.
    Corrupt(u32),
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
    /// Where connections lead; to more than one in turn, each that is the stream's to the next.
    upstreams: Vec<SocketAddr>,
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
    rolled: AtomicU64,
    spoilt: AtomicU64,
    further: AtomicUsize,
    turn: AtomicUsize,
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
        let rules = Rules { upstreams: vec![upstream], faults: HashMap::new(), answers: HashMap::new() };
        let shared = Arc::new(Shared {
            rules: watch::Sender::new(rules),
            cuts: watch::Sender::new(0),
            asked: watch::Sender::new(Vec::new()),
            rolled: AtomicU64::new(0),
            spoilt: AtomicU64::new(0),
            further: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
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
        self.set_all(Fault::Reset);
        self.cut();
    }

    /// From now on, everything meets `fault`, the page's files too; what is open is cut.
    pub fn set_everything(&self, fault: Fault) {
        self.set(Traffic::Site, fault);
        self.set_all(fault);
        self.cut();
    }

    /// From now on, all that is the stream's meets `fault`; the page's files do not.
    pub fn set_all(&self, fault: Fault) {
        for traffic in [Traffic::Socket, Traffic::Sse, Traffic::Api] {
            self.set(traffic, fault);
        }
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
        self.lead_in_turn(&[upstream]);
    }

    /// From now on, each new connection that is the stream's leads to the next of `upstreams`, from the first on; the
    /// page's files are the first's. As where a name stands for several servers.
    ///
    /// # Panics
    /// When there are none.
    pub fn lead_in_turn(&self, upstreams: &[SocketAddr]) {
        assert!(!upstreams.is_empty(), "a connection leads somewhere");
        self.shared.turn.store(0, Ordering::Relaxed);
        self.shared.rules.send_modify(|rules| rules.upstreams = upstreams.to_vec());
    }

    /// Cuts every connection that is open, without a word.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// At how many bytes connections have been cut, one after the other.
    #[must_use]
    pub fn cuts_made(&self) -> usize {
        self.shared.further.load(Ordering::Relaxed)
    }

    /// How many pieces were changed.
    #[must_use]
    pub fn spoilt(&self) -> u64 {
        self.shared.spoilt.load(Ordering::Relaxed)
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
            _ => {}
        }
        self.pass(head.traffic).await;
        let mut server = TcpStream::connect(self.upstream(&rules, head.traffic)).await?;
        server.write_all(&head.bytes).await?;
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let asking = self.pump(head.traffic, &mut from_client, &mut to_server);
        let answering = async {
            match rules.fault(head.traffic) {
                Fault::Buffer => {
                    let mut whole = Vec::new();
                    from_server.read_to_end(&mut whole).await?;
                    to_client.write_all(&whole).await?;
                    to_client.shutdown().await
                }
                Fault::Crumbs | Fault::CutFurther | Fault::Corrupt(_) => {
                    self.spoil(rules.fault(head.traffic), &mut from_server, &mut to_client).await
                }
                _ => self.pump(head.traffic, &mut from_server, &mut to_client).await,
            }
        };
        let carried = async { tokio::try_join!(asking, answering).map(|_| ()) };
        if rules.fault(head.traffic) == Fault::Impatient {
            return tokio::time::timeout(IMPATIENCE, carried).await.unwrap_or(Ok(()));
        }
        match carried.await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => client.set_zero_linger(),
            carried => carried,
        }
    }

    /// Where a connection leads.
    fn upstream(&self, rules: &Rules, traffic: Traffic) -> SocketAddr {
        let turn = if traffic == Traffic::Site { 0 } else { self.turn.fetch_add(1, Ordering::Relaxed) };
        let next = rules.upstreams.iter().cycle().nth(turn % rules.upstreams.len());
        *next.expect("a proxy leads somewhere")
    }

    /// Carries what the stream says, and does to it what `fault` says.
    async fn spoil(
        &self,
        fault: Fault,
        from: &mut (impl AsyncReadExt + Unpin),
        to: &mut (impl AsyncWriteExt + Unpin),
    ) -> io::Result<()> {
        let mut piece = vec![0; 65_536];
        let mut passed = 0;
        let most = if fault == Fault::CutFurther { self.further.fetch_add(1, Ordering::Relaxed) } else { 0 };
        loop {
            let length = from.read(&mut piece).await?;
            let Some(bytes) = piece.get_mut(..length).filter(|bytes| !bytes.is_empty()) else {
                return to.shutdown().await;
            };
            match fault {
                Fault::Crumbs => {
                    for byte in bytes.iter() {
                        to.write_all(&[*byte]).await?;
                        to.flush().await?;
                        tokio::task::yield_now().await;
                    }
                }
                Fault::CutFurther if passed + length >= most => {
                    to.write_all(bytes.get(..most.saturating_sub(passed)).unwrap_or_default()).await?;
                    to.flush().await?;
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                Fault::Corrupt(one_in) if passed > 0 && self.dice(one_in) == 0 => {
                    let at = usize::try_from(self.dice(u32::try_from(length).unwrap_or(u32::MAX))).unwrap_or_default();
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.dice(7);
                    }
                    self.spoilt.fetch_add(1, Ordering::Relaxed);
                    to.write_all(bytes).await?;
                }
                _ => to.write_all(bytes).await?,
            }
            passed += length;
        }
    }

    /// A number under `sides`, the same row of them each time (splitmix64).
    fn dice(&self, sides: u32) -> u32 {
        let mut z = self.rolled.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(sides.max(1))).unwrap_or_default()
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
