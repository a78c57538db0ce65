//! Holds `deploy/headers.toml` against the files of the static hosts and of nginx, which repeat it.

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

/// The text between quotes, or the word as it is.
fn unquoted(word: &str) -> &str {
    word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word)
}

/// What `deploy/nginx/monkeytown/headers.conf` adds to every answer: names and values, or the variables that hold them.
fn nginx_headers() -> Headers {
    let text = read("deploy/nginx/monkeytown/headers.conf");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let rest = line.strip_prefix("add_header ").and_then(|line| line.strip_suffix(" always;")).unwrap();
            let (name, value) = rest.split_once(' ').unwrap();
            (name.to_owned(), unquoted(value).to_owned())
        })
        .collect()
}

/// The block of a file of `deploy/nginx/monkeytown` that opens with `opening`: its words in pairs.
fn nginx_block(file: &str, opening: &str) -> Headers {
    let text = read(&format!("deploy/nginx/monkeytown/{file}"));
    let (_, rest) = text.split_once(&format!("{opening} {{\n")).unwrap();
    let lines = rest.lines().take_while(|line| *line != "}").map(str::trim);
    let pairs = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let (key, value) = line.strip_suffix(';').unwrap().split_once(' ').unwrap();
        (unquoted(key).to_owned(), unquoted(value).to_owned())
    });
    pairs.collect()
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
fn nginx_sends_the_headers_of_the_table() {
    let (rules, mut headers) = (table(), nginx_headers());
    let everywhere = rules.iter().find(|(path, _)| path == "/*").unwrap().1.clone();
    let transport = [("default", ""), ("on", everywhere["Strict-Transport-Security"].as_str())];
    let transport: Headers = transport.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    assert_eq!(nginx_block("header-values.conf", "map $https $monkeytown_transport"), transport);
    assert_eq!(
        headers.insert("Strict-Transport-Security".into(), transport["on"].clone()).unwrap(),
        "$monkeytown_transport"
    );

    let (mut cache, types) =
        (Headers::from([("default".to_owned(), String::new())]), nginx_block("types.conf", "types"));
    for (path, named) in rules.iter().filter(|(path, _)| path != "/*") {
        for (name, value) in named {
            match name.as_str() {
                "Cache-Control" => {
                    let expression = format!("~^{}$", path.replace('.', "\\.").replace('*', ".*"));
                    cache.insert(if path.contains('*') { expression } else { path.clone() }, value.clone());
                }
                // nginx knows the type of a file by its ending.
                "Content-Type" => assert_eq!(types[value], path.rsplit_once('.').unwrap().1, "{path}"),
                _ => panic!("{name} of {path} is new: nginx does not send it yet"),
            }
        }
    }
    assert_eq!(nginx_block("header-values.conf", "map $uri $monkeytown_cache"), cache);
    assert_eq!(headers.remove("Cache-Control").unwrap(), "$monkeytown_cache");
    let framed_by = nginx_block("header-values.conf", "map - $monkeytown_framed_by").remove("default").unwrap();
    let policy = headers.get_mut("Content-Security-Policy").unwrap();
    *policy = policy.replace("$monkeytown_framed_by", &framed_by);
    assert_eq!(headers, everywhere);
}

#[test]
fn what_nginx_hides_of_the_streams_headers_it_sends_itself() {
    let text = read("deploy/nginx/monkeytown/proxied.conf");
    let hidden = text.lines().filter_map(|line| line.strip_prefix("proxy_hide_header ")?.strip_suffix(';'));
    let hidden: BTreeSet<_> = hidden.map(str::to_owned).collect();
    let mut everywhere = table().into_iter().find(|(path, _)| path == "/*").unwrap().1;
    everywhere.remove("Strict-Transport-Security");
    assert_eq!(hidden, everywhere.into_keys().collect());
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
