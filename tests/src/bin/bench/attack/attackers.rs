//! The attackers: what each of them does, over and over, until it is told to stop.

use anyhow::Result;
use futures_util::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use monkeytown_tests::stream::{STRUCTURED, TOKEN};
use sha2::Sha256;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

/// What GitHub's deliveries are signed with.
pub(super) const SECRET: &str = "the-attacked-streams-own";
/// Where all attackers come from; Linux has the whole network.
const FROM: [u8; 4] = [127, 0, 0, 66];
const MB: usize = 1_000_000;
const DRIP: Duration = Duration::from_millis(500);
/// Before whoever was cut comes again.
const AGAIN: Duration = Duration::from_millis(10);

/// One kind of attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack {
    Nobody,
    Connections,
    ConnectionsBounded,
    SlowHeads,
    SlowHeadsBounded,
    SlowBodies,
    Fragments,
    EmptyFragments,
    HugeFrames,
    HugeBodies,
    WrongTokens,
    UnsignedDeliveries,
    ReplayedDeliveries,
    Injection,
}

impl Attack {
    pub(super) const ALL: [Self; 14] = [
        Self::Nobody,
        Self::Connections,
        Self::ConnectionsBounded,
        Self::SlowHeads,
        Self::SlowHeadsBounded,
        Self::SlowBodies,
        Self::Fragments,
        Self::EmptyFragments,
        Self::HugeFrames,
        Self::HugeBodies,
        Self::WrongTokens,
        Self::UnsignedDeliveries,
        Self::ReplayedDeliveries,
        Self::Injection,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Connections => "10k connections",
            Self::ConnectionsBounded => "10k, bounded",
            Self::SlowHeads => "2k slow heads",
            Self::SlowHeadsBounded => "slow heads, bounded",
            Self::SlowBodies => "500 slow bodies",
            Self::Fragments => "endless fragments",
            Self::EmptyFragments => "empty fragments",
            Self::HugeFrames => "100 MB frames",
            Self::HugeBodies => "100 MB bodies",
            Self::WrongTokens => "wrong tokens",
            Self::UnsignedDeliveries => "25 MB unsigned",
            Self::ReplayedDeliveries => "replayed deliveries",
            Self::Injection => "hostile heads",
        }
    }

    /// Whether the stream bounds what one address may have.
    pub(super) fn is_bounded(self) -> bool {
        matches!(self, Self::ConnectionsBounded | Self::SlowHeadsBounded)
    }

    /// How many do it at once.
    fn attackers(self) -> usize {
        match self {
            Self::Nobody => 0,
            Self::Connections | Self::ConnectionsBounded => 10_000,
            Self::SlowHeads | Self::SlowHeadsBounded => 2_000,
            Self::SlowBodies => 500,
            Self::Fragments | Self::EmptyFragments | Self::WrongTokens | Self::Injection => 50,
            Self::HugeFrames | Self::HugeBodies | Self::UnsignedDeliveries => 20,
            Self::ReplayedDeliveries => 32,
        }
    }
}

/// All who attack.
pub(super) struct Attackers {
    tasks: JoinSet<()>,
    tries: Arc<AtomicU64>,
}

impl Attackers {
    pub(super) fn begin(attack: Attack, address: SocketAddr) -> Self {
        let tries = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..attack.attackers() {
            let tries = Arc::clone(&tries);
            tasks.spawn(async move {
                loop {
                    // To be refused, cut and reset is what an attacker expects.
                    let _ = once(attack, address, &tries).await;
                    tokio::time::sleep(AGAIN).await;
                }
            });
        }
        Self { tasks, tries }
    }

    /// How often anything was tried.
    pub(super) fn end(mut self) -> u64 {
        self.tasks.abort_all();
        self.tries.load(Ordering::Relaxed)
    }
}

async fn once(attack: Attack, address: SocketAddr, tries: &AtomicU64) -> Result<()> {
    match attack {
        Attack::Nobody => {}
        Attack::Connections | Attack::ConnectionsBounded => {
            let mut connection = connect(address, tries).await?;
            until_closed(&mut connection).await;
        }
        Attack::SlowHeads | Attack::SlowHeadsBounded => {
            let mut connection = connect(address, tries).await?;
            connection.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ").await?;
            drip(&mut connection).await?;
        }
        Attack::SlowBodies => {
            let mut connection = connect(address, tries).await?;
            connection.write_all(publishing(TOKEN, &format!("content-length: {}", 4 * MB)).as_bytes()).await?;
            drip(&mut connection).await?;
        }
        Attack::Fragments => {
            let mut piece = vec![0x00, 0x80 | 126, 0x03, 0xe8, 0, 0, 0, 0];
            piece.extend(vec![b'x'; 1_000]);
            send_frames(address, tries, &[0x01, 0x80, 0, 0, 0, 0], &piece).await?;
        }
        Attack::EmptyFragments => {
            send_frames(address, tries, &[0x01, 0x80, 0, 0, 0, 0], &[0x00, 0x80, 0, 0, 0, 0].repeat(1_000)).await?;
        }
        Attack::HugeFrames => {
            let mut head = vec![0x82, 0x80 | 127];
            head.extend((100 * MB as u64).to_be_bytes());
            head.extend([0; 4]);
            send_frames(address, tries, &head, &vec![0; MB]).await?;
        }
        Attack::HugeBodies => {
            let mut connection = connect(address, tries).await?;
            connection.write_all(publishing(TOKEN, "transfer-encoding: chunked").as_bytes()).await?;
            let mut chunk = format!("{MB:x}\r\n").into_bytes();
            chunk.extend(vec![b' '; MB]);
            chunk.extend(b"\r\n");
            for _ in 0..100 {
                connection.write_all(&chunk).await?;
            }
        }
        Attack::WrongTokens => {
            let mut connection = connect(address, tries).await?;
            loop {
                let guess = format!("guess-{}", tries.fetch_add(1, Ordering::Relaxed));
                connection.write_all(format!("{}{{}}", publishing(&guess, "content-length: 2")).as_bytes()).await?;
                if !answered(&mut connection).await? {
                    return Ok(());
                }
            }
        }
        Attack::UnsignedDeliveries => {
            let mut connection = connect(address, tries).await?;
            let head = delivering(&"0".repeat(64), 25 * MB);
            connection.write_all(head.as_bytes()).await?;
            for _ in 0..25 {
                connection.write_all(&vec![b' '; MB]).await?;
            }
            answered(&mut connection).await?;
        }
        Attack::ReplayedDeliveries => {
            const BODY: &str = r#"{"zen":"once is enough"}"#;
            let head = delivering(&signature(BODY), BODY.len());
            let mut connection = connect(address, tries).await?;
            loop {
                tries.fetch_add(1, Ordering::Relaxed);
                connection.write_all(format!("{head}{BODY}").as_bytes()).await?;
                if !answered(&mut connection).await? {
                    return Ok(());
                }
            }
        }
        Attack::Injection => {
            for head in [
                "GET /ws?after=%0d%0aset-cookie:x HTTP/1.1\r\nhost: x\r\norigin: http://a\u{9b}31m.example\r\n\r\n",
                "GET /api/v1/events HTTP/1.1\r\nhost: x\r\norigin: http://\\\"},{\\\"a.example\r\naccept: text/event-stream\r\n\r\n",
                "GET /health HTTP/1.1\r\nhost: x\r\nx-split: a\rset-cookie: b\r\n\r\n",
            ] {
                let mut connection = connect(address, tries).await?;
                connection.write_all(head.as_bytes()).await?;
                answered(&mut connection).await?;
            }
        }
    }
    Ok(())
}

async fn connect(address: SocketAddr, tries: &AtomicU64) -> Result<TcpStream> {
    tries.fetch_add(1, Ordering::Relaxed);
    let socket = TcpSocket::new_v4()?;
    socket.bind((FROM, 0).into())?;
    Ok(socket.connect(address).await?)
}

async fn until_closed(connection: &mut TcpStream) {
    while answered(connection).await.is_ok_and(|answered| answered) {}
}

/// Whether anything comes, and not the end.
async fn answered(connection: &mut TcpStream) -> Result<bool> {
    Ok(connection.read(&mut [0; 4_096]).await? > 0)
}

/// Sends a byte at a time until the other side has had enough.
async fn drip(connection: &mut TcpStream) -> Result<()> {
    let (mut read, mut write) = connection.split();
    let mut answer = [0; 4_096];
    let dripping = async {
        loop {
            tokio::time::sleep(DRIP).await;
            write.write_all(b" ").await?;
        }
    };
    tokio::select! {
        done = dripping => done,
        _ = read.read(&mut answer) => Ok(()),
    }
}

/// Subscribes, sends `first` and then `piece` over and over.
async fn send_frames(address: SocketAddr, tries: &AtomicU64, first: &[u8], piece: &[u8]) -> Result<()> {
    let connection = connect(address, tries).await?;
    let mut request = format!("ws://{address}/ws?after=latest").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "monkeytown.v1.json".parse()?);
    let (mut socket, _) = tokio_tungstenite::client_async(request, connection).await?;
    socket.next().await;
    let connection = socket.get_mut();
    connection.write_all(first).await?;
    loop {
        connection.write_all(piece).await?;
    }
}

fn publishing(token: &str, length: &str) -> String {
    format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: {STRUCTURED}\r\n\
         {length}\r\n\r\n"
    )
}

fn delivering(signature: &str, bytes: usize) -> String {
    format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-github-event: ping\r\nx-github-delivery: replayed\r\n\
         content-type: application/json\r\nx-hub-signature-256: sha256={signature}\r\ncontent-length: {bytes}\r\n\r\n"
    )
}

fn signature(body: &str) -> String {
    let mut sum = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length will do");
    sum.update(body.as_bytes());
    sum.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
