//! A Git server over HTTP on this machine: `git http-backend` behind a small server, which can misbehave on demand.

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header},
};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Instant,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
    task::JoinHandle,
};

/// How the server behaves.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As a server should.
    Well,
    /// Wants this `Authorization` header.
    Locked(&'static str),
    /// Sends whoever comes to another place.
    Redirects(String),
    /// Answers this, with 200.
    Says(&'static [u8]),
    /// Takes the request and says nothing.
    Stalls,
    /// Sends this many bytes of each pack and no more.
    BreaksOff(usize),
    /// Answers 503.
    Away,
}

/// A server of the repositories in one folder, until it is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    root: PathBuf,
    manner: Mutex<Manner>,
    /// When each request was heard.
    asked: Mutex<Vec<Instant>>,
    /// What was sent as `Authorization`.
    credentials: Mutex<Vec<String>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Served {
    /// Serves what lies in `root`.
    pub(crate) async fn new(root: &Path, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let shared = Shared {
            root: root.to_owned(),
            manner: Mutex::new(manner),
            asked: Mutex::default(),
            credentials: Mutex::default(),
        };
        let shared = Arc::new(shared);
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, shared, serving }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/town", self.address)
    }

    pub(crate) fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no test panics while it holds this") = manner;
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked_at().len()
    }

    pub(crate) fn asked_at(&self) -> Vec<Instant> {
        self.shared.asked.lock().expect("no test panics while it holds this").clone()
    }

    pub(crate) fn credentials(&self) -> Vec<String> {
        self.shared.credentials.lock().expect("no test panics while it holds this").clone()
    }
}

fn plain(status: StatusCode) -> Response<Body> {
    Response::builder().status(status).body(Body::empty()).expect("a sound answer")
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    shared.asked.lock().expect("no test panics while it holds this").push(Instant::now());
    let manner = shared.manner.lock().expect("no test panics while it holds this").clone();
    let credentials =
        request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    shared.credentials.lock().expect("no test panics while it holds this").extend(credentials.clone());
    match manner {
        Manner::Well => backend(&shared.root, request).await,
        Manner::Locked(wanted) if credentials.as_deref() == Some(wanted) => backend(&shared.root, request).await,
        Manner::Locked(_) => {
            let mut refused = plain(StatusCode::UNAUTHORIZED);
            refused.headers_mut().insert(header::WWW_AUTHENTICATE, "Basic realm=\"git\"".parse().expect("a header"));
            refused
        }
        Manner::Redirects(to) => {
            let to = format!("{to}{}", request.uri().path_and_query().expect("a path"));
            let mut redirect = plain(StatusCode::FOUND);
            redirect.headers_mut().insert(header::LOCATION, to.parse().expect("a header"));
            redirect
        }
        Manner::Says(text) => Response::new(Body::from(text)),
        Manner::Stalls => std::future::pending().await,
        Manner::BreaksOff(bytes) => {
            let is_pack = request.uri().path().ends_with("git-upload-pack");
            let whole = backend(&shared.root, request).await;
            if !is_pack {
                return whole;
            }
            let (head, body) = whole.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.expect("in memory");
            // Of a capability exchange all is sent: only a pack is that long.
            if body.len() <= bytes {
                return Response::from_parts(head, Body::from(body));
            }
            let beginning: Result<Bytes, std::io::Error> = Ok(body.slice(..bytes));
            let broken = Err(std::io::Error::other("broken off"));
            Response::from_parts(head, Body::from_stream(futures_util::stream::iter([beginning, broken])))
        }
        Manner::Away => plain(StatusCode::SERVICE_UNAVAILABLE),
    }
}

/// `git http-backend`, by the rules of CGI.
async fn backend(root: &Path, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let text =
        |name: header::HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = Command::new("git");
    command
        .args(["-c", "safe.directory=*", "http-backend"])
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", text(header::CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING))
        .env("GIT_PROTOCOL", head.headers.get("git-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("git runs");
    let mut stdin = child.stdin.take().expect("piped");
    let writing = tokio::spawn(async move {
        // It may have heard enough.
        let _ = stdin.write_all(&body).await;
    });
    let mut output = Vec::new();
    child.stdout.take().expect("piped").read_to_end(&mut output).await.expect("read");
    writing.await.expect("written");
    let _ = child.wait().await;
    let end = output.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let (head, body) = (String::from_utf8_lossy(&output[..end]).into_owned(), output.split_off(end + 4));
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
        if name == "Status" {
            status = value.split(' ').next().and_then(|code| code.parse().ok()).expect("a status");
        } else {
            let name: header::HeaderName = name.parse().expect("a name");
            headers.insert(name, value.parse().expect("a value"));
        }
    }
    let mut response = plain(status);
    *response.headers_mut() = headers;
    *response.body_mut() = Body::from(body);
    response
}
