//! A machine as `deploy/nginx/README.md` sets it up: the commands of that page, with this test's folder in the place of
//! `/etc`, and a certificate that nobody has signed.

use crate::web::{copy, deploy, free_port, search_path, speaks_brotli};
use monkeytown_tests::wait::PATIENCE;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// What the page has written into `server-listen.conf`.
fn listens(folder: &Path, port: u16, local: u16) -> String {
    let page = fs::read_to_string(deploy().join("nginx/README.md")).expect("the page");
    let (_, rest) = page.split_once("cat >/etc/nginx/local/server-listen.conf <<'END'\n").expect("the command");
    let (text, _) = rest.split_once("\nEND\n").expect("its end");
    let mut text = text.replace("listen 443 ", &format!("listen 127.0.0.1:{port} "));
    assert_eq!(text.matches("listen 127.0.0.1:8080;").count(), 1, "the switch asks there");
    text = text.replace("127.0.0.1:8080", &format!("127.0.0.1:{local}"));
    for (told, here) in [
        ("/etc/letsencrypt/live/town.example.org/fullchain.pem", "chain.pem"),
        ("/etc/letsencrypt/live/town.example.org/privkey.pem", "key.pem"),
        ("/var/log/nginx/monkeytown.log", "monkeytown.log"),
    ] {
        assert_eq!(text.matches(told).count(), 1, "{told}");
        text = text.replace(told, &folder.join(here).display().to_string());
    }
    if speaks_brotli() { text } else { text.replace("brotli_static on;", "") }
}

/// What the page has written into `conf.d`.
fn included() -> String {
    let page = fs::read_to_string(deploy().join("nginx/README.md")).expect("the page");
    let (before, _) = page.split_once("' >/etc/nginx/conf.d/monkeytown.conf\n").expect("the command");
    before.rsplit_once("echo '").expect("its words").1.to_owned()
}

/// Debian's own nginx.conf, of which only the places are in `folder`.
fn debians(folder: &Path) -> String {
    let mut text = fs::read_to_string("/etc/nginx/nginx.conf").expect("Debian's nginx.conf");
    for (theirs, here) in [
        ("/run/nginx.pid", "nginx.pid"),
        ("/var/log/nginx/error.log", "error.log"),
        ("/var/log/nginx/access.log", "access.log"),
        ("/etc/nginx/conf.d/", "conf.d/"),
        ("/etc/nginx/sites-enabled/", "sites-enabled/"),
    ] {
        assert!(text.contains(theirs), "{theirs}");
        text = text.replace(theirs, &folder.join(here).display().to_string());
    }
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|of| format!("    {of}_temp_path {};\n", folder.join("run").join(of).display()));
    text.replace("http {\n", &format!("http {{\n{}", temporary.concat()))
}

struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

fn done(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test]
async fn over_tls_as_the_readme_has_it_transport_is_demanded() {
    let (folder, port) = (tempfile::tempdir().expect("a folder"), free_port());
    let local = free_port();
    let path = |name: &str| folder.path().join(name);
    copy(&deploy().join("nginx/monkeytown"), &path("monkeytown"));
    for name in ["local", "run", "conf.d"] {
        fs::create_dir(path(name)).expect("a folder");
    }
    let mut certificate = Command::new("openssl");
    certificate.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=town.example.org"]);
    done(certificate.arg("-keyout").arg(path("key.pem")).arg("-out").arg(path("chain.pem")));
    fs::write(path("local/server-listen.conf"), listens(folder.path(), port, local)).expect("it is written");
    fs::write(path("blue-green.conf"), format!("STATE={0}\nNGINX_LOCAL={0}/local\n", folder.path().display()))
        .expect("it is written");
    let mut prepare = Command::new("sh");
    prepare.arg(deploy().join("blue-green/switch.sh")).arg("prepare");
    done(prepare.env("MONKEYTOWN_BLUE_GREEN", path("blue-green.conf")));
    fs::write(path("conf.d/monkeytown.conf"), included()).expect("it is written");
    fs::write(path("nginx.conf"), debians(folder.path())).expect("it is written");
    let nginx = |more: &[&str]| {
        let mut command = Command::new("nginx");
        command.args(["-e", "stderr", "-c"]).arg(path("nginx.conf")).args(more).env("PATH", search_path());
        command
    };
    done(&mut nginx(&["-t"]));
    let _serving = Serving(nginx(&["-g", "daemon off;"]).stderr(Stdio::null()).spawn().expect("nginx starts"));
    let begun = Instant::now();
    let answer = loop {
        let mut curl = Command::new("curl");
        curl.args(["-sk", "-D", "-", &format!("https://127.0.0.1:{port}/health")]);
        let output = curl.output().expect("curl runs");
        if output.status.success() {
            break String::from_utf8_lossy(&output.stdout).into_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "it does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let headers = answer.to_lowercase();
    assert!(headers.starts_with("http/2 200"), "{answer}");
    assert!(headers.contains("strict-transport-security: max-age=63072000\r\n"), "{answer}");
    assert!(answer.ends_with("{\"status\":\"healthy\"}\n"), "{answer}");
    // What the switch asks before it deploys.
    let mut curl = Command::new("curl");
    let told = done(curl.args(["-sf", &format!("http://127.0.0.1:{local}/traffic")]));
    assert!(told.starts_with("none-"), "{told}");
}
