//! The page as a browser gets it.

use crate::harness::{ROOMY, Stream, soon, with_token};
use monkeytown_stream::Options;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

async fn served() -> (tempfile::TempDir, Stream) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("index.html", "<!doctype html>the page");
    write("config.json", "{}");
    write("assets/app.wasm", "plain wasm");
    write("assets/app.wasm.br", "brotli wasm");
    write("assets/app.wasm.gz", "gzip wasm");
    write("assets/app.js", "plain script");
    write("secret/../favicon.svg", "<svg/>");
    let options = Options { site: Some(folder.path().to_owned()), ..with_token() };
    let stream = Stream::with(ROOMY, options).await;
    (folder, stream)
}

/// The head of an answer to a path as it stands: a client would mend some of them.
async fn raw(stream: &Stream, path: &str) -> String {
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(connection.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    answer.split("\r\n\r\n").next().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_first_visit_loads_is_measured_as_it_travels() {
    let (folder, stream) = served().await;
    let loaded = ["<!doctype html>the page", "{}", "gzip wasm", "plain script", "<svg/>"];
    let bytes: usize = loaded.iter().map(|text| text.len()).sum();
    assert_eq!(stream.metric("bundle_size_bytes").await, f64::from(u32::try_from(bytes).unwrap()));
    // The copy of a file that is there, and what no page asks for, add nothing; a file that only looks like a copy does.
    for (name, text) in [
        ("robots.txt", "User-agent: *"),
        ("404.html", "nothing here"),
        ("snapshot.json", "{}"),
        ("data.tar.gz", "1234567"),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::os::unix::fs::symlink(folder.path(), folder.path().join("assets/around")).unwrap();
    let options = Options { site: Some(folder.path().to_owned()), ..with_token() };
    let stream = Stream::with(ROOMY, options).await;
    assert_eq!(stream.metric("bundle_size_bytes").await, f64::from(u32::try_from(bytes + 7).unwrap()));
}

#[tokio::test]
async fn every_file_has_its_type_and_lives_as_long_as_it_should() {
    let (_folder, stream) = served().await;
    for (path, media, cache) in [
        ("/", "text/html", "no-cache"),
        ("/index.html", "text/html", "no-cache"),
        ("/config.json", "application/json", "no-cache"),
        ("/assets/app.wasm", "application/wasm", "public, max-age=31536000, immutable"),
        ("/assets/app.js", "text/javascript", "public, max-age=31536000, immutable"),
    ] {
        let answer = stream.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers();
        assert!(headers["content-type"].to_str().unwrap().starts_with(media), "{path}: {headers:?}");
        assert_eq!(headers["cache-control"], cache, "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'self'"), "{policy}");
        assert!(policy.contains("ws://127.0.0.1:*"), "on loopback a page may ask another port: {policy}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}");
    }
}

#[tokio::test]
async fn what_was_compressed_beforehand_is_served_to_those_who_can_read_it() {
    let (_folder, stream) = served().await;
    for (accepted, encoding, body) in
        [("br, gzip", "br", "brotli wasm"), ("gzip", "gzip", "gzip wasm"), ("identity", "", "plain wasm")]
    {
        let request = reqwest::Client::new().get(stream.url("/assets/app.wasm")).header("accept-encoding", accepted);
        let answer = soon(request.send()).await.unwrap();
        let found = answer.headers().get("content-encoding").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(found.unwrap_or_default(), encoding);
        assert_eq!(answer.headers()["content-type"], "application/wasm");
        assert!(answer.headers()["vary"].to_str().unwrap().to_lowercase().contains("accept-encoding"));
        assert_eq!(answer.text().await.unwrap(), body);
    }
}

#[tokio::test]
async fn an_unknown_view_is_the_page_and_a_missing_file_is_missing() {
    let (_folder, stream) = served().await;
    let view = stream.get("/some/view").await;
    assert_eq!((view.status().as_u16(), &view.headers()["cache-control"]), (200, &"no-cache".parse().unwrap()));
    assert_eq!(view.text().await.unwrap(), "<!doctype html>the page");
    for path in ["/assets/gone.wasm", "/gone.js", "/api/gone", "/%2e%2e/%2e%2e/etc/passwd.txt"] {
        let missing = stream.get(path).await;
        assert_eq!(missing.status(), 404, "{path}");
        assert!(!missing.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
    }
    // A folder is missing too, and nobody is sent to another host for its slash.
    for path in ["/assets", "//assets", "/assets/", "///assets", "//assets/..//assets", "/secret", "//secret"] {
        let answer = raw(&stream, path).await;
        let status = answer.split(' ').nth(1).unwrap();
        assert!(["200", "404"].contains(&status), "{path}: {answer}");
        assert_eq!(status == "404", path.contains("assets"), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("\r\nlocation:"), "{path}: {answer}");
    }
    let post = soon(reqwest::Client::new().post(stream.url("/index.html")).send()).await.unwrap();
    assert_eq!(post.status(), 405);
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_are_for_all_with_a_page_and_without() {
    let (_folder, with_page) = served().await;
    let without = Stream::start().await;
    for stream in [&with_page, &without] {
        for (path, status) in [
            ("/health", 200),
            ("/ready", 200),
            ("/version", 200),
            ("/metrics", 200),
            ("/api/v1/snapshot", 200),
            ("/api/v1/events", 200),
            ("/api/v1/events?limit=none", 400),
            ("/api/gone", 404),
            ("/assets/gone.js", 404),
            ("/ws", 426),
        ] {
            let answer = raw(stream, path).await.to_lowercase();
            assert!(answer.starts_with(&format!("http/1.1 {status}")), "{path}: {answer}");
            for wanted in [
                "content-security-policy: default-src 'none'",
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
                "permissions-policy: camera=()",
                "cross-origin-opener-policy: same-origin",
                "cross-origin-resource-policy: same-origin",
                "cache-control: no-",
            ] {
                assert_eq!(answer.matches(&format!("\r\n{wanted}")).count(), 1, "{wanted} of {path}: {answer}");
            }
        }
    }
    let request = reqwest::Client::new().get(without.url("/api/v1/events")).header("accept", "text/event-stream");
    let sent = soon(request.send()).await.unwrap();
    assert_eq!(sent.headers()["content-type"], "text/event-stream");
    assert_eq!(sent.headers()["referrer-policy"], "no-referrer");
    assert!(sent.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}
