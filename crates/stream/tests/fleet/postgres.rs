//! Components that are PostgreSQL: peers that say what a PostgreSQL 15.18 was heard to say, and a real one where its
//! programs are named.

use crate::{
    peers::{Nobody, Peer, heard, until_closed},
    support::{component, run},
};
use std::{
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};
use tokio::io::AsyncWriteExt;

/// After a start that it lets in: authentication, settings, key, ready.
const LET_IN: &[u8] = b"R\0\0\0\x08\0\0\0\0S\0\0\0\x16application_name\0\0S\0\0\0\x1eclient_encoding\0SQL_ASCII\0\
    S\0\0\0\x17DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off\0S\0\0\0\x17in_hot_standby\0off\0\
    S\0\0\0\x19integer_datetimes\0on\0S\0\0\0\x1bIntervalStyle\0postgres\0S\0\0\0\x15is_superuser\0off\0\
    S\0\0\0\x1eserver_encoding\0SQL_ASCII\0S\0\0\x002server_version\x0015.18 (Debian 15.18-0+deb12u1)\0\
    S\0\0\0\"session_authorization\0trusted\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\x15TimeZone\0Etc/UTC\0\
    K\0\0\0\x0c\0\0S\xc7?\x8d\xf6\xccZ\0\0\0\x05I";
/// What it answers to `SELECT 1`.
const ONE: &[u8] = b"T\0\0\0!\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0\
    D\0\0\0\x0b\0\x01\0\0\0\x011C\0\0\0\rSELECT 1\0Z\0\0\0\x05I";
const NO_DATABASE: &[u8] = b"R\0\0\0\x08\0\0\0\0E\0\0\0YSFATAL\0VFATAL\0C3D000\0Mdatabase \"none\" does not exist\0\
    Fpostinit.c\0L948\0RInitPostgres\0\0";
const ASKS_BY_SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0";
const ASKS_BY_MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05\x08x\xce\xbf";
const ASKS_IN_THE_CLEAR: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
const WRONG_PASSWORD: &[u8] = b"E\0\0\0fSFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"hashed\"\0\
    Fauth.c\0L334\0Rauth_failed\0\0";

/// A peer that says one of `answers` after each thing that it hears, then closes.
async fn scripted(answers: &'static [&'static [u8]]) -> Peer {
    Peer::new(move |mut stream, _| async move {
        for answer in answers {
            heard(&mut stream).await;
            let _ = stream.write_all(answer).await;
        }
        let _ = stream.shutdown().await;
        until_closed(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn what_a_postgresql_says_is_told_in_words() {
    let mut peers = Vec::new();
    let mut cases = Vec::new();
    let scripts: [(&str, &'static [&'static [u8]], &str); 14] = [
        ("u", &[LET_IN, ONE], "answers SELECT 1 in "),
        ("u:hunter2", &[ASKS_BY_MD5, LET_IN, ONE], "answers SELECT 1 in "),
        ("u", &[NO_DATABASE], "has no such database"),
        ("u:hunter2", &[ASKS_BY_MD5, WRONG_PASSWORD], "does not take the password"),
        ("u", &[ASKS_BY_MD5], "asks for a password"),
        ("u", &[ASKS_BY_SCRAM], "asks for a password"),
        ("u", &[ASKS_IN_THE_CLEAR], "asks for a password"),
        ("u", &[LET_IN, b"C\0\0\0\rSELECT 0\0Z\0\0\0\x05I"], "answered SELECT 1 with something else"),
        ("u", &[LET_IN], "closed the connection before it answered"),
        ("u", &[], "closed the connection before it answered"),
        ("u", &[b"HTTP/1.1 400 Bad Request\r\n\r\n"], "answered what is no PostgreSQL"),
        ("u", &[b"E\xff\xff\xff\xffSFATAL"], "answered what is no PostgreSQL"),
        ("u", &[b"E\0\0\0\x1fSFATAL\0VFATAL\0C42601\0M!"], "closed the connection before it answered"),
        ("u", &[b"E\0\0\0\x1dSFATAL\0VFATAL\0C42601\0M!\0\0"], "answered with the error 42601"),
    ];
    for (user, answers, how) in scripts {
        let peer = scripted(answers).await;
        cases.push((format!("postgres://{user}@{}/none", peer.address), how));
        peers.push(peer);
    }
    for (endless, how) in [
        // Messages that it may send at any time, without end.
        (Peer::endless(LET_IN, b"N\0\0\0\x15SNOTICE\0Mabc\0C0\0\0"), "answered without end"),
    ] {
        let peer = endless.await;
        cases.push((format!("postgres://u@{}/none", peer.address), how));
        peers.push(peer);
    }
    let running = run(cases.iter().enumerate().map(|(at, (probe, _))| component(&format!("c{at}"), probe, "")));
    for (at, (_, how)) in cases.iter().enumerate() {
        let id = format!("c{at}");
        running.until_told(&id, how).await;
    }
}

#[tokio::test]
async fn whoever_asks_for_the_password_in_the_clear_is_not_told_it() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let kept = told.clone();
    let peer = Peer::new(move |mut stream, _| {
        let kept = kept.clone();
        async move {
            heard(&mut stream).await;
            // Torn within what it asks for.
            let (head, kind) = ASKS_IN_THE_CLEAR.split_at(7);
            let _ = stream.write_all(head).await;
            tokio::task::yield_now().await;
            let _ = stream.write_all(kind).await;
            let said = heard(&mut stream).await;
            kept.lock().unwrap().extend(said);
            let _ = stream.write_all(&[LET_IN, ONE].concat()).await;
            until_closed(&mut stream).await;
        }
    });
    let peer = peer.await;
    let running = run([component("a", &format!("postgres://u:hunter2@{}/", peer.address), "")]);
    running.until_told("a", "asks for the password in the clear, and is not told it").await;
    let told = told.lock().unwrap();
    assert!(told.is_empty(), "{}", String::from_utf8_lossy(&told));
}

/// A real PostgreSQL that runs until this is dropped.
struct Postgres {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As somebody else when this is root, for whom its programs do not run.
fn as_nobody(program: PathBuf, home: &Path) -> Command {
    const NOBODY: u32 = 65_534;
    let mut command = Command::new(program);
    command.current_dir(home).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::getuid().is_root() {
        chown(home, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL's programs: POSTGRES_BIN=/usr/lib/postgresql/15/bin"]
async fn a_real_postgresql_is_asked_as_whom_the_address_says() {
    let programs = PathBuf::from(std::env::var_os("POSTGRES_BIN").expect("POSTGRES_BIN names the folder"));
    let folder = tempfile::tempdir().unwrap();
    let (data, word) = (folder.path().join("data"), folder.path().join("word"));
    std::fs::write(&word, "open sesame\n").unwrap();
    let mut initdb = as_nobody(programs.join("initdb"), folder.path());
    initdb.arg("--pwfile").arg(&word).arg("-D").arg(&data);
    let made = initdb.args(["-U", "watcher", "--auth=scram-sha-256", "--no-sync"]).status().unwrap();
    assert!(made.success());
    let address = Nobody::new().address;
    let start = || {
        let mut postgres = as_nobody(programs.join("postgres"), folder.path());
        postgres.arg("-D").arg(&data).arg("-k").arg(&data).args(["-c", "listen_addresses=127.0.0.1", "-p"]);
        postgres.arg(address.port().to_string()).spawn().unwrap()
    };
    let mut postgres = Postgres { child: start(), _folder: tempfile::tempdir().unwrap() };
    let url = |user: &str, database: &str| format!("postgres://{user}@{address}/{database}");
    let running = run([
        component("well", &url("watcher:open%20sesame", "postgres"), ""),
        component("wrong-password", &url("watcher:sesame", "postgres"), ""),
        component("no-password", &url("watcher", "postgres"), ""),
        component("no-user", &url("other:x", "postgres"), ""),
        component("no-database", &url("watcher:open%20sesame", "none"), ""),
    ]);
    running.until_told("well", "answers SELECT 1 in ").await;
    running.until_told("wrong-password", "does not take the password").await;
    running.until_told("no-password", "asks for a password").await;
    running.until_told("no-user", "does not take the password").await;
    running.until_told("no-database", "has no such database").await;
    postgres.child.kill().unwrap();
    postgres.child.wait().unwrap();
    running.until_told("well", "refused the connection").await;
    postgres.child = start();
    running.until_told("well", "answers SELECT 1 in ").await;
}
