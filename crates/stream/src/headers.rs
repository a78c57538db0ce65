//! The headers of `deploy/headers.toml`, which every place that serves the page shares, on every answer of this one.
//!
//! Knows paths and what stands in the table for them; nothing of files or events.

use crate::origin::AllowedOrigin;
use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::Response,
};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

const TABLE: &str = include_str!("../../../deploy/headers.toml");

/// What a page on loopback may also connect to: a stream on another port, without TLS.
const LOOPBACK_SOURCES: &str = " ws://127.0.0.1:* ws://localhost:* http://127.0.0.1:* http://localhost:*";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rule: Vec<TableRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableRule {
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Headers of hosts that always answer by https; the stream cannot know whether it does.
    #[serde(default, rename = "static_hosts_only")]
    _static_hosts_only: BTreeMap<String, String>,
}

struct Rule {
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Rule {
    /// A path is exact, or has one `*` that stands for anything, slashes included.
    fn applies_to(&self, path: &str) -> bool {
        match self.path.split_once('*') {
            Some((before, after)) => {
                path.len() >= before.len() + after.len() && path.starts_with(before) && path.ends_with(after)
            }
            None => path == self.path,
        }
    }
}

/// Why the table of headers cannot be used.
#[derive(Debug, thiserror::Error)]
enum TableError {
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    #[error("{0:?} is no header")]
    Header(String),
}

fn read_table(text: &str, on_loopback: bool, framed_by: &[AllowedOrigin]) -> Result<Vec<Rule>, TableError> {
    let table: Table = toml::from_str(text)?;
    let header = |(name, value): (String, String)| {
        let value = match name.as_str() {
            "Content-Security-Policy" => {
                let connect = if on_loopback { LOOPBACK_SOURCES } else { "" };
                let mut policy = value.replace("connect-src 'self'", &format!("connect-src 'self'{connect}"));
                if !framed_by.is_empty() {
                    let others: String = framed_by.iter().map(|origin| format!(" {}", origin.as_str())).collect();
                    policy = policy.replace("frame-ancestors 'self'", &format!("frame-ancestors 'self'{others}"));
                }
                policy
            }
            _ => value,
        };
        let parsed = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
        if let (Ok(name), Ok(value)) = parsed { Ok((name, value)) } else { Err(TableError::Header(name)) }
    };
    let rule = |rule: TableRule| {
        let headers = rule.headers.into_iter().map(header).collect::<Result<_, _>>()?;
        Ok(Rule { path: rule.path, headers })
    };
    table.rule.into_iter().map(rule).collect()
}

/// Gives every answer of `router` the headers of its path. On loopback a page may ask streams on other ports. Sites of
/// `framed_by` may show it in a frame.
pub(crate) fn on_all(router: Router, on_loopback: bool, framed_by: &[AllowedOrigin]) -> Router {
    let rules =
        read_table(TABLE, on_loopback, framed_by).expect("a test reads this table, which is part of the program");
    let rules = Arc::new(rules);
    router.layer(middleware::from_fn(move |request, next| with_headers(Arc::clone(&rules), request, next)))
}

async fn with_headers(rules: Arc<Vec<Rule>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        // It is the begin of a socket, which is no document: nobody reads them.
        return response;
    }
    let served = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    for (name, value) in rules.iter().filter(|rule| rule.applies_to(&path)).flat_map(|rule| &rule.headers) {
        // What a file is and how long it lasts says nothing of an answer that is not the file.
        if served || !(name == header::CACHE_CONTROL || name == header::CONTENT_TYPE) {
            headers.insert(name, value.clone());
        }
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_headers_can_be_read() {
        let blog = ["https://blog.example".parse().expect("an origin")];
        let rules = read_table(TABLE, true, &blog).expect("the table");
        let policy = rules
            .iter()
            .filter(|rule| rule.applies_to("/"))
            .flat_map(|rule| &rule.headers)
            .find(|(name, _)| name == header::CONTENT_SECURITY_POLICY)
            .expect("a policy for the page");
        let policy = policy.1.to_str().expect("text");
        assert!(policy.contains("ws://127.0.0.1:*"), "{policy}");
        assert!(policy.ends_with("frame-ancestors 'self' https://blog.example"), "{policy}");
    }

    #[test]
    fn a_star_stands_for_anything_between_its_ends() {
        let rule = |path: &str| Rule { path: path.to_owned(), headers: Vec::new() };
        assert!(rule("/*").applies_to("/") && rule("/*").applies_to("/a/b"));
        assert!(rule("/assets/*.wasm").applies_to("/assets/a/b.wasm"));
        assert!(!rule("/assets/*.wasm").applies_to("/assets/a.js"));
        assert!(!rule("/a*a").applies_to("/a"));
        assert!(rule("/").applies_to("/") && !rule("/").applies_to("/a"));
    }
}
