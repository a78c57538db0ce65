//! Components that are Redis: a real one, and what says that it is one.

use crate::{
    peers::{Nobody, Peer},
    support::{component, run},
};
use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
};
use tokio::net::TcpStream;

/// A real Redis that runs until this is dropped.
struct Redis {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Redis {
    async fn start(arguments: &[&str]) -> Self {
        loop {
            // Somebody else may take the port before Redis does; then it ends.
            let address = Nobody::new().address;
            let folder = tempfile::tempdir().unwrap();
            let child = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
                .arg(address.port().to_string())
                .arg("--dir")
                .arg(folder.path())
                .args(arguments)
                .stdout(Stdio::null())
                .spawn()
                .expect("redis-server is on the PATH: `cargo xtask test unit` installs it");
            let mut redis = Self { child, address, _folder: folder };
            while redis.child.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).await.is_ok() {
                    return redis;
                }
                tokio::task::yield_now().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_redis_is_asked_as_whom_the_address_says() {
    let open = Redis::start(&[]).await;
    let locked = Redis::start(&["--requirepass", "open sesame"]).await;
    let users = Redis::start(&["--user", "watcher", "on", ">word", "+ping", "--user", "default", "off"]).await;
    let cases = [
        ("open", format!("redis://{}", open.address), "answers PING in "),
        ("database", format!("redis://{}/3", open.address), "answers PING in "),
        ("no-database", format!("redis://{}/99", open.address), "answered with an error"),
        ("locked", format!("redis://:open%20sesame@{}", locked.address), "answers PING in "),
        ("no-password", format!("redis://{}", locked.address), "asks for a password"),
        ("wrong-password", format!("redis://:sesame@{}", locked.address), "does not take the password"),
        ("user", format!("redis://watcher:word@{}", users.address), "answers PING in "),
        ("user-may-not", format!("redis://watcher:word@{}/1", users.address), "does not let this user ask"),
        ("wrong-user", format!("redis://other:word@{}", users.address), "does not take the password"),
    ];
    let running = run(cases.iter().map(|(id, probe, _)| component(id, probe, "")));
    for (id, _, how) in &cases {
        running.until_told(id, how).await;
    }
    drop(open);
    running.until_told("open", "refused the connection").await;
}

#[tokio::test]
async fn what_is_no_redis_is_told_as_such() {
    let mut peers = Vec::new();
    let mut cases = Vec::new();
    for (answer, how) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "answered what is no Redis"),
        (b"+OK\r\n", "answered what is no Redis"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "is loading its data"),
        (b"-WHATEVER <script>alert(1)</script>\r\n", "answered with an error"),
        (b"+PONG\n", "answers PING in "),
        (b"+PON", "closed the connection before it answered"),
        (b"", "closed the connection before it answered"),
    ] {
        peers.push(Peer::saying(answer).await);
        cases.push((format!("redis://{}", peers.last().unwrap().address), how));
    }
    peers.push(Peer::endless(b"+", &[b'x'; 1_000]).await);
    cases.push((format!("redis://{}", peers.last().unwrap().address), "answered what is no Redis"));
    let running = run(cases.iter().enumerate().map(|(at, (probe, _))| component(&format!("c{at}"), probe, "")));
    for (at, (_, how)) in cases.iter().enumerate() {
        let id = format!("c{at}");
        running.until_told(&id, how).await;
    }
}
