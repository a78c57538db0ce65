//! Who is measured: the stream, and what people use in its place. How each is started, subscribed and published to.
//!
//! A peer that is not on this machine is left out, with the reason.

use super::{process::Processes, publishing::Post, reading::Dialect, socket, subscribers::Way};
use anyhow::{Context, Result, bail, ensure};
use monkeytown_tests::program::Running;
use std::{
    env,
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// How often a peer that starts is looked for, and how many times.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: usize = 200;
/// What the stream takes without a flag.
const RATED_PER_SECOND: u32 = 10_000;
/// Where Debian puts nchan.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// One who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Monkeytown,
    /// To subscribers that offer compression, as browsers do.
    MonkeytownPacked,
    NodeWs,
    NodeWsBatched,
    SocketIo,
    Nats,
    NatsBatched,
    Nchan,
}

/// All of them, with the names by which they are asked for.
pub(crate) const SUBJECTS: [(&str, Subject); 8] = [
    ("monkeytown", Subject::Monkeytown),
    ("monkeytown-packed", Subject::MonkeytownPacked),
    ("ws", Subject::NodeWs),
    ("ws-batched", Subject::NodeWsBatched),
    ("socket.io", Subject::SocketIo),
    ("nats", Subject::Nats),
    ("nats-batched", Subject::NatsBatched),
    ("nchan", Subject::Nchan),
];

/// A running one. Dropping it ends it.
pub(crate) struct Started {
    pub(crate) way: Way,
    pub(crate) post: Post,
    pub(crate) processes: Processes,
    _held: Held,
}

/// What keeps a subject running.
enum Held {
    Stream { _running: Running },
    Peer { _peer: Peer, _folder: Option<TempDir> },
}

/// A program that is ended when it is dropped.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended on its own. It is asked, not killed: what is killed cannot end the processes that it started.
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

impl Subject {
    /// Why it cannot be measured here, if it cannot.
    pub(crate) fn missing(self) -> Option<String> {
        let needs = |program: &str| {
            on_path(program)
                .is_none()
                .then(|| format!("{program} is not on the PATH; as root: apt-get install {program}"))
        };
        match self {
            Self::Monkeytown | Self::MonkeytownPacked => None,
            Self::NodeWs | Self::NodeWsBatched => needs("node").or_else(|| node_module("ws").err()),
            Self::SocketIo => needs("node").or_else(|| node_module("socket.io").err()),
            Self::Nats | Self::NatsBatched => needs("nats-server"),
            Self::Nchan => needs("nginx").or_else(|| {
                let there = Path::new(NCHAN).is_file();
                (!there).then(|| format!("{NCHAN} is not there; as root: apt-get install libnginx-mod-nchan"))
            }),
        }
    }

    /// Starts it, for so many events a second.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) async fn start(self, per_second: u32) -> Result<Started> {
        match self {
            Self::Monkeytown | Self::MonkeytownPacked => {
                let dialect = if self == Self::Monkeytown { Dialect::Frames } else { Dialect::PackedFrames };
                // As it is shipped, unless more is asked of it than it is rated for.
                let most = (per_second.saturating_mul(2)).to_string();
                let over = ["--max-events-per-second", most.as_str()];
                let running = Running::start(if per_second > RATED_PER_SECOND { &over } else { &[] });
                let address = running.address.parse().context("a stream listens on an address")?;
                let way = Way {
                    protocol: Some("monkeytown.v1.json"),
                    settles: true,
                    ..way(address, "/ws?after=latest", dialect)
                };
                let processes = Processes::of(running.id());
                Ok(Started { way, post: Post::Http(address), processes, _held: Held::Stream { _running: running } })
            }
            Self::NodeWs => node("ws", include_str!("ws.js"), &[], "/"),
            Self::NodeWsBatched => node("ws", include_str!("ws.js"), &["batched"], "/"),
            Self::SocketIo => {
                let path = "/socket.io/?EIO=4&transport=websocket";
                let mut started = node("socket.io", include_str!("socket-io.js"), &[], path)?;
                started.way.greeting = Some(socket::message(false, b"40"));
                started.way.settles = true;
                Ok(started)
            }
            Self::Nats | Self::NatsBatched => {
                let (plain, sockets) = (free_port()?, free_port()?);
                let text = format!(
                    "listen: \"{plain}\"\nwebsocket {{ listen: \"{sockets}\", no_tls: true }}\nmax_connections: 4096\n"
                );
                let greeting = b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\nSUB e 1\r\nPING\r\n";
                let way = Way {
                    greeting: Some(socket::message(true, greeting)),
                    settles: true,
                    ..way(sockets, "/", Dialect::Nats)
                };
                let post = if self == Self::Nats { Post::Nats(plain) } else { Post::NatsBatched(plain) };
                configured("nats-server", &text, |file| vec!["-c".to_owned(), file], way, post).await
            }
            Self::Nchan => {
                let address = free_port()?;
                let text = format!(
                    "load_module {NCHAN};\ndaemon off;\nuser root;\nworker_processes auto;\nworker_rlimit_nofile 20000;\nerror_log stderr error;\npid FOLDER/pid;\n\
                     events {{ worker_connections 8192; }}\nhttp {{ access_log off; nchan_shared_memory_size 1024M;\n\
                     client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c; uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;\n\
                     server {{ listen {address};\n\
                     location = /sub {{ nchan_subscriber websocket; nchan_channel_id e; nchan_subscriber_first_message newest; }}\n\
                     location = /pub {{ nchan_publisher websocket; nchan_channel_id e; nchan_message_buffer_length 100000; }}\n}}\n}}\n"
                );
                let arguments = |file: String| vec!["-c".to_owned(), file];
                configured(
                    "nginx",
                    &text,
                    arguments,
                    way(address, "/sub", Dialect::Messages),
                    Post::Socket(address, "/pub"),
                )
                .await
            }
        }
    }
}

fn way(address: SocketAddr, path: &str, dialect: Dialect) -> Way {
    Way { address, path: path.to_owned(), protocol: None, dialect, greeting: None, settles: false, at_once: 16 }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH").unwrap_or_default();
    // A user's PATH may not name where servers lie.
    env::split_paths(&folders)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// The folder in which packages of Node lie.
fn node_module(name: &str) -> Result<PathBuf, String> {
    let folder = env::var_os("MONKEYTOWN_BENCH_PEERS").map(PathBuf::from);
    folder
        .filter(|folder| folder.join("node_modules").join(name).is_dir())
        .ok_or_else(|| format!("{name} is not there: cargo xtask bench stream installs it from npm where it can"))
}

/// A server of Node's that says, on its first line, where it listens for subscribers and for publishers.
fn node(module: &str, script: &str, words: &[&str], path: &str) -> Result<Started> {
    let folder = node_module(module).map_err(anyhow::Error::msg)?;
    let mut command = Command::new("node");
    command.current_dir(folder).env("NODE_ENV", "production").args(["-e", script, "--"]).args(words);
    let mut peer = Peer(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("node starts")?);
    let mut first = String::new();
    let output = peer.0.stdout.take().context("a pipe was asked for")?;
    BufReader::new(output).read_line(&mut first).context("its first line")?;
    let mut ports = first.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(subscribers)), Some(Ok(publishers))) = (ports.next(), ports.next()) else {
        bail!("{module} does not start: {first:?}");
    };
    let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    Ok(Started {
        way: way(local(subscribers), path, Dialect::Messages),
        post: Post::Lines(local(publishers)),
        processes: Processes::of(peer.0.id()),
        _held: Held::Peer { _peer: peer, _folder: None },
    })
}

/// A server that is told by a file.
async fn configured(
    program: &str,
    text: &str,
    arguments: impl Fn(String) -> Vec<String>,
    way: Way,
    post: Post,
) -> Result<Started> {
    let folder = tempfile::tempdir().context("a folder for a peer")?;
    let file = folder.path().join("configuration");
    std::fs::write(&file, text.replace("FOLDER", &folder.path().display().to_string()))?;
    let path = on_path(program).with_context(|| format!("{program} was there a moment ago"))?;
    let mut command = Command::new(path);
    command
        .args(arguments(file.display().to_string()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut peer = Peer(command.spawn().with_context(|| format!("{program} starts"))?);
    for _ in 0..LOOKS {
        ensure!(peer.0.try_wait()?.is_none(), "{program} does not start");
        if TcpStream::connect(way.address).is_ok() {
            let processes = Processes::of(peer.0.id());
            return Ok(Started { way, post, processes, _held: Held::Peer { _peer: peer, _folder: Some(folder) } });
        }
        tokio::time::sleep(LOOK).await;
    }
    bail!("{program} does not listen on {}", way.address)
}

/// A port that was free a moment ago.
fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
