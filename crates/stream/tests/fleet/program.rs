//! The program with `--fleet`: what it serves, what it measures, and that no password is in any of it.

use crate::{
    peers::{Peer, heard, until_closed},
    support::{component, fleet},
};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

struct Program {
    child: Child,
    address: String,
    log: Option<std::thread::JoinHandle<String>>,
    _folder: tempfile::TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_monkeytown-stream");

fn program(file: &str) -> (Command, tempfile::TempDir) {
    with_fleet(Command::new(PROGRAM), file)
}

fn with_fleet(mut program: Command, file: &str) -> (Command, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fleet.toml");
    std::fs::write(&path, file).unwrap();
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MONKEYTOWN_")) {
        program.env_remove(name);
    }
    program.args(["--listen", "127.0.0.1:0", "--log-level", "debug", "--fleet"]).arg(path);
    (program, folder)
}

impl Program {
    fn start(file: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        let (mut program, folder) = program(file);
        prepare(&mut program);
        Self::started(program, folder)
    }

    /// A program that may have so many files open.
    #[cfg(target_os = "linux")]
    fn start_within(file: &str, files: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -n \"$0\" && exec \"$@\"", &files.to_string(), PROGRAM]);
        let (program, folder) = with_fleet(shell, file);
        Self::started(program, folder)
    }

    fn started(mut program: Command, folder: tempfile::TempDir) -> Self {
        let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        let line: Value = serde_json::from_str(&first).unwrap();
        let address = line["context"]["address"].as_str().unwrap().to_owned();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            output.read_to_string(&mut log).unwrap();
            log
        });
        Self { child, address, log: Some(log), _folder: folder }
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(format!("http://{}{path}", self.address)).await.unwrap()
    }

    /// Polls until the state is as wanted.
    async fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let waited = tokio::time::timeout(Duration::from_secs(180), async {
            while !wanted(&last) {
                last = self.get("/api/v1/snapshot").await.json().await.unwrap();
            }
        });
        let came = waited.await.is_ok();
        assert!(came, "it does not come: {last}");
        last
    }

    /// Ends it, and gives all that it logged.
    fn log(mut self) -> String {
        let ended = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(ended.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        self.log.take().unwrap().join().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_in_an_event_a_log_line_or_a_metric_whatever_the_peers_say() {
    const WORD: &str = "hunter2";
    // Says all that it hears back, in the error of each protocol.
    let echo = |beginning: &'static str| {
        Peer::new(move |mut stream, _| async move {
            let said = String::from_utf8_lossy(&heard(&mut stream).await).replace(['\r', '\n'], " ");
            let _ = stream.write_all(format!("{beginning}{said} {WORD}\r\n\r\n").as_bytes()).await;
            until_closed(&mut stream).await;
        })
    };
    let (http, redis) = (echo("HTTP/1.1 200 ").await, echo("-ERR ").await);
    let postgres = Peer::new(|mut stream, _| async move {
        heard(&mut stream).await;
        // Asks for the password as it is, and says it back.
        let _ = stream.write_all(b"R\0\0\0\x08\0\0\0\x03").await;
        heard(&mut stream).await;
        let said = format!("SFATAL\0C{WORD}\0M{WORD}\0\0");
        let length = u32::try_from(said.len() + 4).unwrap();
        let _ = stream.write_all(&[&b"E"[..], &length.to_be_bytes(), said.as_bytes()].concat()).await;
        until_closed(&mut stream).await;
    });
    let postgres = postgres.await;
    let file = fleet([
        component("http", &format!("http://u:{WORD}@{}/", http.address), "expect_status = 204"),
        component("redis", &format!("redis://:${{A_WORD}}@{}", redis.address), ""),
        component("postgres", &format!("postgres://u:{WORD}@{}/", postgres.address), "depends_on = [\"redis\"]"),
        component("nowhere", &format!("https://u:{WORD}@no-such-name.invalid/{WORD}"), ""),
    ]);
    let program = Program::start(&file, |program| {
        program.env("A_WORD", WORD);
    });
    let ids = ["http", "redis", "postgres", "nowhere"];
    let broken = |snapshot: &Value| ids.iter().all(|id| snapshot["state"]["entities"][id]["status"] == "error");
    let snapshot = program.until(broken).await;
    let events = program.get("/api/v1/events?after=earliest&limit=10000").await;
    assert_eq!(events.headers()["monkeytown-source-kind"], "live");
    let events = events.text().await.unwrap();
    let metrics = program.get("/metrics").await.text().await.unwrap();
    for id in ids {
        assert!(metrics.contains(&format!("probe_duration_seconds_count{{component=\"{id}\"}} ")), "{metrics}");
        assert!(metrics.contains(&format!("probe_success{{component=\"{id}\"}} 0")), "{metrics}");
        let failures =
            metrics.lines().find_map(|line| line.strip_prefix(&format!("probe_failures_total{{component=\"{id}\"}} ")));
        assert!(failures.unwrap().parse::<u64>().unwrap() >= 1);
    }
    let log = program.log();
    assert!(log.contains("a probe did not succeed") && events.contains("its name is not found"), "{log}");
    for (text, what) in
        [(snapshot.to_string(), "the state"), (events, "events"), (metrics, "metrics"), (log, "the log")]
    {
        for secret in [WORD, "dTpodW50ZXIy", "no-such-name"] {
            assert!(!text.contains(secret), "{what} holds {secret}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_told_beside_a_repository_and_beside_what_is_invented() {
    let repository = tempfile::tempdir().unwrap();
    for arguments in [&["init", "--quiet"][..], &["commit", "--quiet", "--allow-empty", "-m", "the first"]] {
        let mut git = Command::new("git");
        git.current_dir(repository.path()).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        assert!(git.args(arguments).status().unwrap().success());
    }
    let peer = Peer::saying(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let file = fleet([component("a", &format!("http://{}/", peer.address), "")]);
    let repository = repository.path().to_str().unwrap();
    for (flags, kind, other) in [(["--git", repository], "git", "root"), (["--simulate", "50"], "simulated", "")] {
        let program = Program::start(&file, |program| {
            program.args(flags);
        });
        let both = |snapshot: &Value| {
            let entities = &snapshot["state"]["entities"];
            let others = entities.as_object().is_some_and(|all| all.keys().any(|id| id != "a" && id.contains(other)));
            entities["a"]["status"] == "active" && others
        };
        let snapshot = program.until(both).await;
        assert_eq!(snapshot["source_kind"], kind);
    }
}

/// A certificate that is its own authority, for one name, and its key.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A peer that speaks TLS and answers every `GET` with 200.
async fn secure(certificate: &str, key: &str) -> Peer {
    secure_saying(certificate, key, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", true).await
}

/// A peer that speaks TLS, says `answer` to whatever it hears, and may leave out the word that ends TLS.
async fn secure_saying(certificate: &str, key: &str, answer: &'static [u8], closes_well: bool) -> Peer {
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.with_single_cert(chain, key).unwrap()));
    Peer::new(move |stream, _| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            let _ = stream.read(&mut [0; 4_096]).await;
            let _ = stream.write_all(answer).await;
            if closes_well {
                let _ = stream.shutdown().await;
            } else {
                // No word that TLS ends: only the connection does.
                let _ = stream.flush().await;
                let _ = stream.into_inner().0.shutdown().await;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_only_who_is_trusted_and_is_who_was_asked_for_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (known, misnamed, stranger) =
        (certificate("localhost"), certificate("elsewhere.example"), certificate("localhost"));
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, format!("{}{}", known.0, misnamed.0)).unwrap();
    let peers = [
        secure(&known.0, &known.1).await,
        secure(&misnamed.0, &misnamed.1).await,
        secure(&stranger.0, &stranger.1).await,
        Peer::saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
    ];
    let ids = ["known", "misnamed", "stranger", "plain"];
    let each = ids.iter().zip(&peers);
    let each = each.map(|(id, peer)| component(id, &format!("https://localhost:{}/", peer.address.port()), ""));
    let program = Program::start(&fleet(each), |program| {
        program.env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR");
    });
    let reason = |snapshot: &Value, id: &str, beginning: &str| {
        snapshot["state"]["entities"][id]["reason"].as_str().is_some_and(|reason| reason.starts_with(beginning))
    };
    let wanted = |snapshot: &Value| {
        snapshot["state"]["entities"]["known"]["status"] == "active"
            && reason(snapshot, "misnamed", "its certificate is for another name")
            && reason(snapshot, "stranger", "its certificate is ")
            && reason(snapshot, "plain", "answered what is no TLS")
    };
    program.until(wanted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_whole_is_well_however_tls_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate("localhost");
    let trusted = folder.path().join("trusted.pem");
    std::fs::write(&trusted, &certificate).unwrap();
    let saying = |answer| secure_saying(&certificate, &key, answer, false);
    let peers = [
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await,
        saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").await,
        saying(b"HTTP/1.1 200 OK\r\n\r\nuntil the end").await,
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await,
        saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n").await,
        saying(b"HTTP/1.1 200 OK\r\nx-half: ").await,
    ];
    let whole = ["length", "chunks", "end"];
    let ids = ["length", "chunks", "end", "half", "half-chunks", "half-head"];
    let each = ids.iter().zip(&peers);
    let each = each.map(|(id, peer)| component(id, &format!("https://localhost:{}/", peer.address.port()), ""));
    let program = Program::start(&fleet(each), |program| {
        program.env("SSL_CERT_FILE", &trusted).env_remove("SSL_CERT_DIR");
    });
    let wanted = |snapshot: &Value| {
        ids.iter().all(|id| {
            let entity = &snapshot["state"]["entities"][id];
            match whole.contains(id) {
                true => entity["status"] == "active",
                false => entity["reason"] == "closed the connection before it answered",
            }
        })
    };
    program.until(wanted).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_files_to_open_says_so_of_itself_and_not_of_its_fleet() {
    let peer = Peer::new(|mut stream, _| async move {
        heard(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        until_closed(&mut stream).await;
    });
    let peer = peer.await;
    let port = peer.address.port();
    let file = fleet([
        component("by-address", &format!("http://127.0.0.1:{port}/"), ""),
        component("by-name", &format!("http://localhost:{port}/"), ""),
    ]);
    let program = Program::start_within(&file, 48);
    let active = |snapshot: &Value| {
        let entities = &snapshot["state"]["entities"];
        entities["by-address"]["status"] == "active" && entities["by-name"]["status"] == "active"
    };
    program.until(active).await;
    // Witnesses take all files that it may have, and go again.
    let count = |metrics: &str, of: &str, id: &str| {
        let named = format!("{of}{{component=\"{id}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&named)).unwrap().parse::<u64>().unwrap()
    };
    let unasked = |metrics: &str, id: &str| count(metrics, "probes_unasked_total", id);
    let asked = |metrics: &str| count(metrics, "probe_duration_seconds_count", "by-address");
    let mut metrics = String::new();
    for _ in 0..30 {
        let mut witnesses = Vec::new();
        for _ in 0..60 {
            let mut witness = tokio::net::TcpStream::connect(&program.address).await.unwrap();
            let asks = b"GET /api/v1/events HTTP/1.1\r\nhost: a\r\naccept: text/event-stream\r\n\r\n";
            witness.write_all(asks).await.unwrap();
            witnesses.push(witness);
        }
        // Four periods: were it the components' fault, they would be told broken.
        tokio::time::sleep(Duration::from_secs(4)).await;
        drop(witnesses);
        metrics = program.get("/metrics").await.text().await.unwrap();
        if unasked(&metrics, "by-address") >= 3 && unasked(&metrics, "by-name") >= 3 {
            break;
        }
    }
    assert!(unasked(&metrics, "by-address") >= 3 && unasked(&metrics, "by-name") >= 3, "{metrics}");
    // All is well again.
    while asked(&program.get("/metrics").await.text().await.unwrap()) <= asked(&metrics) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let events = program.get("/api/v1/events?after=earliest&limit=10000").await.text().await.unwrap();
    assert!(!events.contains("\"error\"") && !events.contains("did not succeed"), "{events}");
    let log = program.log();
    assert!(log.contains("as many files open as it may") && log.contains("the fleet is asked again"), "{log}");
}

#[test]
fn what_is_wrong_in_a_fleet_is_one_line_with_file_and_line_and_exit_2() {
    for (file, said) in [
        (
            "name = \"n\"\n[[component]]\nid = \"a\"\nprob = \"tcp://h:1\"",
            "fleet.toml:4: unknown key `prob`: did you mean `probe`?",
        ),
        ("name = \"n\"\n[[component]]\nid = \"a\"\nprobe = \"redis://:${NOT_SET_ANYWHERE}@h\"", "set NOT_SET_ANYWHERE"),
    ] {
        let (mut program, _folder) = program(file);
        let output = program.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), text.trim_end().lines().count()), (Some(2), 1), "{text}");
        assert!(text.contains("--fleet ") && text.contains(said), "{text}");
    }
    let (mut program, folder) = program(&fleet([component("a", "https://localhost/", "")]));
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let output = program.env("SSL_CERT_FILE", empty).env_remove("SSL_CERT_DIR").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && text.contains("SSL_CERT_FILE"), "{text}");
}
