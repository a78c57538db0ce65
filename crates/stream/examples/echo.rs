//! Echoes WebSocket messages with the stream's socket code, for `cargo xtask test autobahn`. Says on stdout where.

use std::{error::Error, io::Write};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;
    match monkeytown_stream::conformance::echo(listener).await? {}
}
