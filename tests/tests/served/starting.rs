//! The images' start scripts: what they make of their environment, and what they refuse.

use crate::{
    ears::{Ears, Names},
    web::{Folder, Web, deploy},
};
use monkeytown_tests::wait::PATIENCE;
use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

/// What `web` answers at `path` to a browser that calls itself `browser`.
async fn said(web: &Web, path: &str, browser: &str) -> String {
    let request = reqwest::Client::new().get(web.url(path)).header("user-agent", browser).timeout(PATIENCE);
    request.send().await.expect("an answer").text().await.expect("a body")
}

#[tokio::test]
async fn what_is_wrong_with_its_environment_is_one_line_and_nothing_starts() {
    let folder = Folder::new();
    let canary = ("MONKEYTOWN_CANARY_UPSTREAM", "new:8080");
    for (variables, told) in [
        (vec![("MONKEYTOWN_UPSTREAM", "stream")], "MONKEYTOWN_UPSTREAM: 'stream' is no HOST:PORT"),
        (vec![("MONKEYTOWN_UPSTREAM", ":80")], "MONKEYTOWN_UPSTREAM: ':80' is no HOST:PORT"),
        (vec![("MONKEYTOWN_UPSTREAM", "stream:http")], "MONKEYTOWN_UPSTREAM: 'http' is no port"),
        (vec![("MONKEYTOWN_UPSTREAM", "stream:0")], "MONKEYTOWN_UPSTREAM: '0' is no port"),
        (vec![("MONKEYTOWN_UPSTREAM", "stream:65536")], "MONKEYTOWN_UPSTREAM: '65536' is no port"),
        (vec![("MONKEYTOWN_UPSTREAM", "a\"; } #:80")], "MONKEYTOWN_UPSTREAM: 'a\"; } #:80' is no HOST:PORT"),
        (vec![("MONKEYTOWN_UPSTREAM", "a\nb:80")], "is no HOST:PORT"),
        (vec![("MONKEYTOWN_LISTEN", "eighty")], "MONKEYTOWN_LISTEN: 'eighty' is no port"),
        (vec![canary, ("MONKEYTOWN_CANARY_PERCENT", "51")], "MONKEYTOWN_CANARY_PERCENT: '51' is none of 1 to 50"),
        (vec![canary, ("MONKEYTOWN_UPSTREAM", "")], "there is no MONKEYTOWN_UPSTREAM"),
        (vec![("MONKEYTOWN_FRAMED_BY", "*")], "MONKEYTOWN_FRAMED_BY: '*' is no http"),
        (
            vec![("MONKEYTOWN_FRAMED_BY", "https://a.example,https://b\"; }")],
            "MONKEYTOWN_FRAMED_BY: 'https://b\"; }' is no",
        ),
        (vec![("MONKEYTOWN_FRAMED_BY", "https://a.example,,")], "MONKEYTOWN_FRAMED_BY: '' is no http"),
        (vec![("MONKEYTOWN_REAL_IP_FROM", "10.0.0.0/8; x")], "MONKEYTOWN_REAL_IP_FROM: '10.0.0.0/8; x' is no list"),
    ] {
        let output = folder.start(&variables).output().expect("it runs");
        let text = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{variables:?}: {text}");
        assert!(text.starts_with("monkeytown-web: ") && text.contains(told), "{variables:?}: {text}");
        assert!(!folder.path("run/nginx.pid").exists(), "{variables:?}");
    }
}

#[tokio::test]
async fn a_name_is_asked_of_the_name_server_and_need_not_be_there_yet() {
    let stream = Ears::called("the stream").await;
    let names = Names::of("stream.town").await;
    let folder = Folder::new();
    fs::write(folder.path("resolv.conf"), format!("search town\nnameserver {}\n", names.address))
        .expect("it is written");
    let resolv = folder.path("resolv.conf").display().to_string();
    let upstream = format!("stream.town:{}", stream.address.port());
    let web = Web::with(folder, &[("MONKEYTOWN_UPSTREAM", &upstream), ("RESOLV_CONF", &resolv)]).await;
    assert_eq!(said(&web, "/version", "b").await, "the stream");
    drop(web);
    let folder = Folder::new();
    let variables = [("MONKEYTOWN_UPSTREAM", "nobody.town:80"), ("RESOLV_CONF", &resolv)];
    fs::write(folder.path("run/resolv.conf"), "").expect("it is written");
    let nobody = [variables[0], ("RESOLV_CONF", "/dev/null")];
    let web = Web::with(folder, &nobody).await;
    let answer = reqwest::get(web.url("/")).await.expect("the page is served without a stream");
    assert_eq!(answer.status(), 200);
    assert!(said(&web, "/version", "b").await.contains("the event stream does not answer"));
}

#[tokio::test]
async fn without_a_stream_behind_it_its_addresses_are_missing() {
    let web = Web::with(Folder::new(), &[("MONKEYTOWN_UPSTREAM", "")]).await;
    for path in ["/ws", "/api/v1/events", "/hooks/github", "/ready", "/version"] {
        assert_eq!(reqwest::get(web.url(path)).await.expect("an answer").status(), 404, "{path}");
    }
    assert_eq!(reqwest::get(web.url("/")).await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn a_canary_has_its_share_of_the_witnesses_and_each_has_the_same_stream_every_time() {
    let (old, new) = (Ears::called("old").await, Ears::called("new").await);
    let (old_address, new_address) = (old.address.to_string(), new.address.to_string());
    let web = Web::with(
        Folder::new(),
        &[
            ("MONKEYTOWN_UPSTREAM", &old_address),
            ("MONKEYTOWN_CANARY_UPSTREAM", &new_address),
            ("MONKEYTOWN_CANARY_PERCENT", "25"),
        ],
    )
    .await;
    let mut share: BTreeMap<String, usize> = BTreeMap::new();
    for witness in 0..400 {
        let browser = format!("browser {witness}");
        let first = said(&web, "/ready", &browser).await;
        if witness % 40 == 0 {
            for path in ["/version", "/api/v1/events", "/ready"] {
                assert_eq!(said(&web, path, &browser).await, first, "{browser}");
            }
        }
        *share.entry(first).or_default() += 1;
    }
    // 100 of 400 by a hash: five standard deviations are 43.
    let new = share.get("new").copied().unwrap_or_default();
    assert!((57..=143).contains(&new) && share.len() == 2, "{share:?}");
}

#[tokio::test]
async fn only_proxies_in_front_that_are_named_are_believed() {
    let stream = Ears::called("the stream").await;
    let address = stream.address.to_string();
    let ask = async |web: &Web| {
        let request = reqwest::Client::new().get(web.url("/ready")).timeout(PATIENCE);
        let request =
            request.header("x-forwarded-for", "198.51.100.1, 203.0.113.9").header("forwarded", "for=192.0.2.1");
        request.send().await.expect("an answer");
        let head = stream.last();
        assert_eq!(head.value("forwarded"), None, "whoever says otherwise is not heard");
        head.value("x-forwarded-for").expect("whom it is for").to_owned()
    };
    let web = Web::before(&address).await;
    assert_eq!(ask(&web).await, "127.0.0.1");
    drop(web);
    let web = Web::with(
        Folder::new(),
        &[("MONKEYTOWN_UPSTREAM", &address), ("MONKEYTOWN_REAL_IP_FROM", "10.0.0.0/8,127.0.0.1")],
    )
    .await;
    assert_eq!(ask(&web).await, "203.0.113.9", "the nearest that is no proxy's");
}

#[test]
fn the_streams_image_reads_secrets_from_files_and_hands_everything_else_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("it is written");
        folder.path().join(name).display().to_string()
    };
    let program = write("monkeytown-stream", "#!/bin/sh\nenv | grep ^MONKEYTOWN_ | sort\necho \"$@\"\n");
    fs::set_permissions(program, Permissions::from_mode(0o755)).expect("its rights");
    let (redis, secret) = (write("redis", "redis://:pass@cache:6379\n"), write("secret", "It's a Secret\n"));
    let start = |variables: &[(&str, &str)]| {
        let mut command = Command::new("sh");
        command.arg(deploy().join("docker/stream/start.sh")).args(["--simulate", "5"]).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display())).envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(text).expect("text"))
    };
    let told = start(&[
        ("MONKEYTOWN_REDIS_FILE", &redis),
        ("MONKEYTOWN_GITHUB_WEBHOOK_SECRET_FILE", &secret),
        ("MONKEYTOWN_PUBLISH_TOKENS_FILE", "/tokens.toml"),
        ("MONKEYTOWN_JOURNAL", ""),
    ]);
    let expected = "MONKEYTOWN_GITHUB_WEBHOOK_SECRET=It's a Secret\nMONKEYTOWN_PUBLISH_TOKENS_FILE=/tokens.toml\n\
                    MONKEYTOWN_REDIS=redis://:pass@cache:6379\n--simulate 5\n";
    assert_eq!(told, (Some(0), expected.to_owned()));
    for (variables, words) in [
        ([("MONKEYTOWN_REDIS_FILE", &*redis), ("MONKEYTOWN_REDIS", "redis://a")], "give one"),
        ([("MONKEYTOWN_REDIS_FILE", "/nowhere"), ("MONKEYTOWN_JOURNAL", "")], "it cannot be read"),
    ] {
        let (code, said) = start(&variables);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(words) && said.contains("MONKEYTOWN_REDIS_FILE") && !said.contains("pass"), "{said}");
    }
}
