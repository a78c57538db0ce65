//! `cargo xtask test documents`: a stream's OpenAPI and AsyncAPI by the schemas that their own projects publish. That a
//! stream does what they say is for its own tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::run::{Optimised, build_stream};
use crate::tools;
use crate::workspace::Workspace;

/// The official schemas as npm has them, with what reads them: each package in one version, known by its hash.
const PACKAGE: &str = include_str!("../documents/package.json");
const LOCK: &str = include_str!("../documents/package-lock.json");
const SCRIPT: &str = include_str!("../documents/documents.mjs");
const PATIENCE: Duration = Duration::from_secs(30);

/// Holds both documents.
///
/// # Errors
/// When something cannot be installed or started, or a document is not what it should be.
pub(crate) fn documents(workspace: &Workspace) -> Result<()> {
    let folder = install(workspace)?;
    let stream = Stream::start(&build_stream(workspace, Optimised::Debug)?)?;
    let script = folder.join("documents.mjs");
    std::fs::write(&script, SCRIPT).with_context(|| format!("{} cannot be written", script.display()))?;
    let mut node = process::command(workspace, "node");
    node.arg(&script);
    for name in ["openapi", "asyncapi"] {
        let file = folder.join(format!("{name}.json"));
        let document = stream.asked(&format!("/api/{name}.json"))?;
        std::fs::write(&file, document).with_context(|| format!("{} cannot be written", file.display()))?;
        node.arg(file);
    }
    process::run("reading the documents", &mut node)
}

/// The folder with the packages.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    tools::ensure_node(workspace)?;
    let folder = workspace.tools().join("documents");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let (package, lock) = (folder.join("package.json"), folder.join("package-lock.json"));
    // npm writes this last.
    let is_whole = folder.join("node_modules/.package-lock.json").is_file();
    if is_whole && std::fs::read_to_string(&lock).is_ok_and(|told| told == LOCK) {
        return Ok(folder);
    }
    for (file, text) in [(package, PACKAGE), (lock, LOCK)] {
        std::fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))?;
    }
    let mut npm = process::command(workspace, "npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", "--prefix"]).arg(&folder);
    process::run("installing the schemas of API documents: a few seconds", &mut npm)?;
    Ok(folder)
}

/// A stream while it runs.
struct Stream {
    process: Child,
    address: String,
}

impl Stream {
    fn start(program: &Path) -> Result<Self> {
        let mut process = Command::new(program)
            .args(["--listen", "127.0.0.1:0", "--simulate", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let said = process.stdout.take().context("the stream has a stdout")?;
        let mut stream = Self { process, address: String::new() };
        let mut lines = BufReader::new(said);
        let mut line = String::new();
        lines.read_line(&mut line).context("the stream does not say where it is")?;
        let line: serde_json::Value = serde_json::from_str(&line).context("the stream's first line is not JSON")?;
        let address = line.pointer("/context/address").and_then(|address| address.as_str());
        stream.address = address.context("the stream's first line names no address")?.to_owned();
        // Whoever nobody reads would stand still when its pipe is full.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(stream)
    }

    /// What the stream has at `path`.
    fn asked(&self, path: &str) -> Result<Vec<u8>> {
        let mut connection = TcpStream::connect(&self.address).context("the stream is not where it says")?;
        connection.set_read_timeout(Some(PATIENCE))?;
        write!(connection, "GET {path} HTTP/1.0\r\nhost: {}\r\n\r\n", self.address)?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).with_context(|| format!("{path} is not answered"))?;
        body(&answer).with_context(|| format!("{path} is not answered with a document"))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It may have ended on its own; either way it is waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The body of an answer that is well.
fn body(answer: &[u8]) -> Option<Vec<u8>> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(answer.get(..end)?).ok()?;
    let well = head.split(' ').nth(1) == Some("200");
    well.then(|| answer.get(end + 4..).map(<[u8]>::to_vec)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_the_body_of_an_answer_that_is_well() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\na: b\r\n\r\n{}").as_deref(), Some(b"{}".as_slice()));
        assert_eq!(body(b"HTTP/1.0 404 Not Found\r\na: b\r\n\r\n{}"), None);
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n"), None);
    }
}
