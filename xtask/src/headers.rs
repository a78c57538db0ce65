//! Holds `deploy/headers.toml` against the files of the static hosts, which repeat it.

use std::collections::{BTreeMap, BTreeSet};

type Headers = BTreeMap<String, String>;
/// Path and headers, in order.
type Rules = Vec<(String, Headers)>;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn strings(table: &toml::Value) -> Headers {
    let table = table.as_table().unwrap().iter();
    table.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// The table, with what is for static hosts only.
fn table() -> Rules {
    let table: toml::Table = read("deploy/headers.toml").parse().unwrap();
    let rules = table["rule"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let mut headers = strings(&rule["headers"]);
            if let Some(more) = rule.get("static_hosts_only") {
                headers.extend(strings(more));
            }
            (rule["path"].as_str().unwrap().to_owned(), headers)
        })
        .collect()
}

fn vercel() -> Rules {
    let file: serde_json::Value = serde_json::from_str(&read("vercel.json")).unwrap();
    let rules = file["headers"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let headers = rule["headers"].as_array().unwrap().iter();
            let headers = headers.map(|header| {
                (header["key"].as_str().unwrap().to_owned(), header["value"].as_str().unwrap().to_owned())
            });
            (rule["source"].as_str().unwrap().to_owned(), headers.collect())
        })
        .collect()
}

fn netlify() -> Rules {
    let file: toml::Table = read("netlify.toml").parse().unwrap();
    let rules = file["headers"].as_array().unwrap().iter();
    rules.map(|rule| (rule["for"].as_str().unwrap().to_owned(), strings(&rule["values"]))).collect()
}

/// Whether one request could match both patterns, each with at most one `*`.
fn overlap(one: &str, other: &str) -> bool {
    match (one.split_once('*'), other.split_once('*')) {
        (None, None) => one == other,
        (Some((start, end)), None) => {
            other.len() >= start.len() + end.len() && other.starts_with(start) && other.ends_with(end)
        }
        (None, Some(_)) => overlap(other, one),
        (Some((start, end)), Some((other_start, other_end))) => {
            (start.starts_with(other_start) || other_start.starts_with(start))
                && (end.ends_with(other_end) || other_end.ends_with(end))
        }
    }
}

#[test]
fn vercel_sends_the_headers_of_the_table() {
    let expected: Rules =
        table().into_iter().map(|(path, headers)| (path.replace('.', "\\.").replace('*', "(.*)"), headers)).collect();
    assert_eq!(vercel(), expected);
}

#[test]
fn netlify_sends_the_headers_of_the_table() {
    assert_eq!(netlify(), table());
}

#[test]
fn no_two_rules_name_the_same_header_for_one_request() {
    let rules = table();
    for (index, (path, headers)) in rules.iter().enumerate() {
        for (other_path, other_headers) in rules.iter().skip(index + 1).filter(|(other, _)| overlap(path, other)) {
            let names: BTreeSet<_> = headers.keys().map(|name| name.to_lowercase()).collect();
            let twice: Vec<_> = other_headers.keys().filter(|name| names.contains(&name.to_lowercase())).collect();
            assert!(twice.is_empty(), "{path} and {other_path} both name {twice:?}");
        }
    }
}

#[test]
fn patterns_that_share_a_request_are_seen_to() {
    assert!(overlap("/*", "/assets/*"));
    assert!(overlap("/assets/*.wasm", "/assets/*"));
    assert!(overlap("/index.html", "/*"));
    assert!(!overlap("/assets/*", "/config.json"));
    assert!(!overlap("/assets/*.wasm", "/assets/*.js"));
}

#[test]
fn https_is_demanded_only_where_it_is_certain() {
    let table: toml::Table = read("deploy/headers.toml").parse().unwrap();
    let anywhere = table["rule"]
        .as_array()
        .unwrap()
        .iter()
        .any(|rule| strings(&rule["headers"]).contains_key("Strict-Transport-Security"));
    assert!(!anywhere, "a stream on http://127.0.0.1 must not send it");
    assert!(vercel()[0].1.contains_key("Strict-Transport-Security"));
}

#[test]
fn every_file_outside_the_assets_is_asked_for_anew() {
    let public =
        crate::workspace::files_below(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../public"))).unwrap();
    let rules = table();
    for path in public.into_iter().chain(["index.html", "worker.js", ""].map(str::to_owned)) {
        let path = format!("/{path}");
        let cache: Vec<_> = rules
            .iter()
            .filter(|(pattern, _)| overlap(pattern, &path))
            .filter_map(|(_, headers)| headers.get("Cache-Control"))
            .collect();
        assert_eq!(cache, ["no-cache"], "{path}");
    }
}
