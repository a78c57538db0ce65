//! `PING` in Redis' own protocol, after `AUTH` and `SELECT` where they are asked for.
//!
//! Three commands whose answers are one line each: a client library would bring its pools and its retries, which a probe
//! must not have.

use super::{super::target::Secret, Broken, Connection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Longest line of an answer, in bytes; ours are under ten, and an error's text may be longer.
const LINE_MAX_BYTES: usize = 1_024;
const PROTOCOL: &str = "Redis";

/// The first word of errors that have words here.
const ERRORS: [(&str, &str); 9] = [
    ("NOAUTH", "asks for a password"),
    ("WRONGPASS", "does not take the password"),
    ("NOPERM", "does not let this user ask"),
    ("LOADING", "is loading its data"),
    ("BUSY", "is busy with a script"),
    ("MASTERDOWN", "has lost its master"),
    ("MISCONF", "cannot write its data to the disk"),
    ("ERR", "answered with an error"),
    ("DENIED", "takes connections of its own machine only"),
];

pub(super) async fn ping(
    mut stream: impl Connection,
    user: Option<&str>,
    password: Option<&Secret>,
    database: Option<u32>,
) -> Result<(), Broken> {
    if let Some(password) = password {
        let words: Vec<&str> = ["AUTH"].into_iter().chain(user).chain([password.reveal()]).collect();
        ask(&mut stream, &words, "OK").await?;
    }
    if let Some(number) = database {
        ask(&mut stream, &["SELECT", &number.to_string()], "OK").await?;
    }
    ask(&mut stream, &["PING"], "PONG").await
}

/// Sends a command and reads whether its answer is `+answer`.
async fn ask(stream: &mut impl Connection, words: &[&str], answer: &str) -> Result<(), Broken> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    let gone = |error: &std::io::Error| Broken::of_talking(error);
    stream.write_all(command.as_bytes()).await.map_err(|error| gone(&error))?;
    stream.flush().await.map_err(|error| gone(&error))?;
    let line = line(stream).await?;
    match line.split_first() {
        Some((b'+', said)) if said == answer.as_bytes() => Ok(()),
        Some((b'-', said)) => Err(Broken::Said(error(said))),
        _ => Err(Broken::NotSpoken(PROTOCOL)),
    }
}

fn error(said: &[u8]) -> &'static str {
    let code = said.split(|byte| *byte == b' ').next().unwrap_or_default();
    let known = ERRORS.iter().find(|(known, _)| known.as_bytes() == code);
    known.map_or("answered with an error", |(_, words)| words)
}

/// One line without its end. Answers come one by one, so nothing of the next is read with it.
async fn line(stream: &mut impl Connection) -> Result<Vec<u8>, Broken> {
    let mut line = Vec::new();
    while line.len() < LINE_MAX_BYTES {
        let byte = stream.read_u8().await.map_err(|error| Broken::of_talking(&error))?;
        if byte == b'\n' {
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            return Ok(line);
        }
        // Of another protocol no line is waited for.
        if line.is_empty() && !matches!(byte, b'+' | b'-') {
            return Err(Broken::NotSpoken(PROTOCOL));
        }
        line.push(byte);
    }
    Err(Broken::NotSpoken(PROTOCOL))
}
