//! The table of headers against what the stream sends with the built page. That the files for static hosts say the
//! same is compared by xtask.

use monkeytown_tests::{
    site,
    stream::{Source, Stream},
    wait::PATIENCE,
};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

#[derive(Deserialize)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    path: String,
    headers: BTreeMap<String, String>,
}

impl Rule {
    fn applies_to(&self, path: &str) -> bool {
        match self.path.split_once('*') {
            Some((before, after)) => path.starts_with(before) && path.ends_with(after),
            None => self.path == path,
        }
    }
}

/// What the table says of `path`.
fn told(path: &str) -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/headers.toml");
    let text = fs::read_to_string(file).expect("the table");
    let table: Table = toml::from_str(&text).expect("rules with paths and headers");
    let rules = table.rule.into_iter().filter(|rule| rule.applies_to(path));
    rules.flat_map(|rule| rule.headers).map(|(name, value)| (name.to_lowercase(), value)).collect()
}

#[tokio::test]
async fn the_stream_sends_every_header_of_the_table_with_the_built_page() {
    // Not on loopback, where a page may also ask streams on other ports.
    let stream = Stream::on("0.0.0.0:0", Source::Publishers, &[]).await;
    let assets = fs::read_dir(site::folder().join("assets")).unwrap();
    let names = assets.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let plain = names.filter(|name| !name.ends_with(".br") && !name.ends_with(".gz"));
    let mut paths: Vec<String> = plain.map(|name| format!("/assets/{name}")).collect();
    assert!(paths.iter().any(|path| path.ends_with(".wasm")), "{paths:?}");
    let pages = ["/", "/index.html", "/404.html", "/config.json", "/robots.txt", "/worker.js"];
    let pictures = ["/favicon.svg", "/icon-192.png", "/manifest.webmanifest"];
    let answers = ["/health", "/ready", "/version", "/metrics", "/api/v1/snapshot", "/api/v1/events"];
    paths.extend(pages.into_iter().chain(pictures).chain(answers).map(str::to_owned));
    for path in paths {
        let client = reqwest::Client::new();
        let answer = client.get(stream.url(&path)).timeout(PATIENCE).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let table = told(&path);
        assert!(table.len() > 5, "{path}: {table:?}");
        for (name, value) in table {
            let sent: Vec<_> = answer.headers().get_all(&name).iter().collect();
            assert_eq!(sent, [&value], "{path}: {name}");
        }
        for never in ["set-cookie", "strict-transport-security", "server", "x-powered-by"] {
            assert!(!answer.headers().contains_key(never), "{path}: {never}");
        }
    }
}

#[tokio::test]
async fn on_loopback_a_page_may_also_ask_streams_on_other_ports_and_nothing_else_changes() {
    let stream = Stream::start(Source::Publishers).await;
    let answer = reqwest::get(stream.url("/")).await.unwrap();
    let sent = answer.headers()["content-security-policy"].to_str().unwrap();
    let more = " ws://127.0.0.1:* ws://localhost:* http://127.0.0.1:* http://localhost:*";
    assert_eq!(sent.replace(more, ""), told("/")["content-security-policy"]);
    assert!(sent.contains(more), "{sent}");
}
