//! What nginx answers itself: the table of headers on everything, compressed copies, what is cached, what is missing.

use crate::web::{Folder, Web, deploy, speaks_brotli};
use flate2::read::GzDecoder;
use monkeytown_tests::wait::PATIENCE;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, io::Read};

/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    path: String,
    headers: BTreeMap<String, String>,
}

/// What the table of headers says of `path`.
fn told(path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(deploy().join("headers.toml")).expect("the table");
    let table: Table = toml::from_str(&text).expect("rules with paths and headers");
    let rules = table.rule.into_iter().filter(|rule| match rule.path.split_once('*') {
        Some((before, after)) => path.starts_with(before) && path.ends_with(after),
        None => rule.path == path,
    });
    rules.flat_map(|rule| rule.headers).map(|(name, value)| (name.to_lowercase(), value)).collect()
}

async fn sent(request: RequestBuilder) -> Response {
    request.timeout(PATIENCE).send().await.expect("an answer")
}

async fn get(web: &Web, path: &str) -> Response {
    sent(Client::new().get(web.url(path))).await
}

/// Each header of the table for `path` is sent once, as it stands there.
fn holds(answer: &Response, path: &str) {
    let table = told(path);
    assert!(table.len() > 5, "{path}: {table:?}");
    for (name, value) in table {
        let values: Vec<_> = answer.headers().get_all(&name).iter().collect();
        assert_eq!(values, [&value], "{path}: {name}");
    }
    for never in ["set-cookie", "strict-transport-security", "x-powered-by"] {
        assert!(!answer.headers().contains_key(never), "{path}: {never}");
    }
    let server = answer.headers().get("server").expect("nginx names itself");
    assert_eq!(server, "nginx", "and not its version");
}

/// The names of the built files that a browser asks for.
fn files(web: &Web) -> Vec<String> {
    let list = |folder: &str, before: &str| -> Vec<String> {
        let entries = fs::read_dir(web.folder.path(folder)).expect("the site");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
        let plain = names.filter(|name| name.contains('.') && !name.ends_with(".br") && !name.ends_with(".gz"));
        plain.map(|name| format!("{before}{name}")).collect()
    };
    let mut all = list("site", "/");
    all.extend(list("site/assets", "/assets/"));
    assert!(all.iter().any(|path| path.ends_with(".wasm")) && all.contains(&"/worker.js".to_owned()), "{all:?}");
    all
}

#[tokio::test]
async fn every_file_of_the_site_has_the_headers_of_the_table() {
    let web = Web::before(NOWHERE).await;
    for path in files(&web).iter().map(String::as_str).chain(["/"]) {
        let answer = get(&web, path).await;
        assert_eq!(answer.status(), 200, "{path}");
        holds(&answer, path);
    }
}

#[tokio::test]
async fn who_may_frame_the_page_is_itself_and_those_that_are_named() {
    let policy = async |variables: &[(&str, &str)]| {
        let web = Web::with(Folder::new(), variables).await;
        let answer = get(&web, "/?embed").await;
        let policies: Vec<_> = answer.headers().get_all("content-security-policy").iter().collect();
        assert_eq!(policies.len(), 1, "{policies:?}");
        policies[0].to_str().expect("text").to_owned()
    };
    let upstream = ("MONKEYTOWN_UPSTREAM", NOWHERE);
    let alone = policy(&[upstream]).await;
    assert!(alone.ends_with("; frame-ancestors 'self'"), "{alone}");
    let named = policy(&[upstream, ("MONKEYTOWN_FRAMED_BY", "https://a.example,http://b.example:81")]).await;
    assert_eq!(named, format!("{alone} https://a.example http://b.example:81"));
}

#[tokio::test]
async fn compressed_copies_are_sent_to_those_who_take_them_and_unpack_to_the_file() {
    let web = Web::before(NOWHERE).await;
    for path in files(&web) {
        let file = web.folder.path("site").join(path.trim_start_matches('/'));
        let plain = fs::read(&file).expect("the file");
        for (coding, ending) in [("br", "br"), ("gzip", "gz"), ("identity", "")] {
            let copy = fs::read(format!("{}.{ending}", file.display())).ok();
            let answer = sent(Client::new().get(web.url(&path)).header("accept-encoding", coding)).await;
            let encoding =
                answer.headers().get("content-encoding").map(|value| value.to_str().expect("text").to_owned());
            let packed = copy.is_some() && coding != "identity" && (coding != "br" || speaks_brotli());
            assert_eq!(encoding.as_deref(), packed.then_some(coding), "{path} {coding}");
            // Caches in between must tell them apart.
            let varies = fs::exists(format!("{}.gz", file.display())).expect("the site");
            assert_eq!(answer.headers().contains_key("vary"), varies, "{path} {coding}");
            let body = answer.bytes().await.expect("a body");
            match (packed, coding) {
                (true, "gzip") => {
                    let mut unpacked = Vec::new();
                    GzDecoder::new(&*body).read_to_end(&mut unpacked).expect("gzip");
                    assert!(unpacked == plain, "{path}");
                }
                (true, _) => assert!(Some(&*body) == copy.as_deref(), "{path}: the copy that the build has made"),
                (false, _) => assert!(*body == *plain, "{path}"),
            }
        }
    }
    let as_browsers_ask = async |ending: &str| {
        let path = files(&web).into_iter().find(|path| path.ends_with(ending)).expect("the site has one");
        let answer = Client::new().get(web.url(&path)).header("accept-encoding", "gzip, deflate, br, zstd");
        sent(answer).await.headers().get("content-encoding").map(|value| value.to_str().expect("text").to_owned())
    };
    let best = if speaks_brotli() { "br" } else { "gzip" };
    assert_eq!(as_browsers_ask(".css").await.as_deref(), Some(best));
    // It is packed already.
    assert_eq!(as_browsers_ask(".wasm").await, None);
}

#[tokio::test]
async fn what_is_known_already_is_not_sent_again() {
    let web = Web::before(NOWHERE).await;
    let answer = get(&web, "/").await;
    let tag = answer.headers()["etag"].clone();
    let again = sent(Client::new().get(web.url("/")).header("if-none-match", tag)).await;
    assert_eq!(again.status(), 304);
    holds(&again, "/");
}

#[tokio::test]
async fn an_address_without_a_file_is_the_page_and_a_missing_file_is_missing() {
    let web = Web::before(NOWHERE).await;
    let page = get(&web, "/").await.text().await.expect("the page");
    for path in ["/somewhere", "/some/where/", "/x?y=.z"] {
        let answer = get(&web, path).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["cache-control"].to_str().ok()),
            (200, Some("no-cache")),
            "{path}"
        );
        assert!(answer.text().await.expect("a body") == page, "{path}");
    }
    let missing = [
        "/assets/none-0.js",
        "/assets",
        "/assets/",
        "/none.js",
        "/.git/config.x",
        "/snapshot.json",
        "/metrics",
        "/metrics?x=1",
    ];
    for path in missing {
        let answer = get(&web, path).await;
        assert_eq!(answer.status(), 404, "{path}");
        holds(&answer, "/404.html");
        assert!(answer.text().await.expect("a body") != page, "{path}");
    }
    let answer = sent(Client::new().request(Method::POST, web.url("/")).body("x")).await;
    assert_eq!(answer.status(), 405);
    assert!(answer.headers().contains_key("content-security-policy"));
    let answer = sent(Client::new().request(Method::PUT, web.url("/index.html")).body("x".repeat(5_000))).await;
    assert!([405, 413].contains(&answer.status().as_u16()), "{}", answer.status());
}

#[tokio::test]
async fn a_deployments_own_files_stand_in_place_of_the_built_ones() {
    let web = Web::before(NOWHERE).await;
    assert!(get(&web, "/config.json").await.text().await.expect("a body").contains("\"streams\": []"));
    for name in ["config.json", "snapshot.json"] {
        fs::write(web.folder.path("page").join(name), "{\"its\": \"own\"}").expect("it is written");
        let answer = get(&web, &format!("/{name}")).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["content-type"].to_str().ok()),
            (200, Some("application/json"))
        );
        holds(&answer, &format!("/{name}"));
        assert_eq!(answer.text().await.expect("a body"), "{\"its\": \"own\"}");
    }
}

#[tokio::test]
async fn health_is_its_own_and_no_line_of_the_log() {
    let web = Web::before(NOWHERE).await;
    let answer = get(&web, "/health").await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().ok()),
        (200, Some("application/json"))
    );
    holds(&answer, "/health");
    assert_eq!(answer.text().await.expect("a body"), "{\"status\":\"healthy\"}\n");
    get(&web, "/after").await;
    web.line("/after").await;
    assert!(web.log().iter().all(|line| line.pointer("/context/path").is_some_and(|path| path != "/health")));
}

#[tokio::test]
async fn a_line_of_the_log_is_json_with_the_fields_of_the_streams_log_and_tells_of_nobody() {
    let web = Web::before(NOWHERE).await;
    let request = Client::new().get(web.url("/a%22b%0Ac?token=swordfish")).header("user-agent", "somebody's browser");
    sent(request.header("referer", "http://elsewhere/").header("authorization", "Bearer swordfish")).await;
    get(&web, "/none.js").await;
    get(&web, "/ready").await;
    let line = web.line("/a%22b%0Ac").await;
    assert_eq!(line["level"], "info");
    assert_eq!((&line["service"], &line["message"]), (&"web".into(), &"answered".into()));
    assert_eq!(line.pointer("/context/status"), Some(&200.into()));
    assert!(line["timestamp"].as_str().is_some_and(|text| text.contains('T')), "{line}");
    for (id, length) in [("trace_id", 32), ("span_id", 16)] {
        let id = line[id].as_str().expect("text");
        assert!(id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    }
    assert_eq!(web.line("/none.js").await["level"], "warn");
    assert_eq!(web.line("/ready").await["level"], "error");
    let all = fs::read_to_string(web.folder.path("run/stdout")).expect("the log");
    for never in ["swordfish", "somebody", "elsewhere", "\"127.0.0.1\""] {
        assert!(!all.contains(never), "{never}: {all}");
    }
}
