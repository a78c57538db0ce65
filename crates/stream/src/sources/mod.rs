//! Where events come from. A source knows how to append and to say what time its own clock shows; it knows
//! nothing of the log behind, of subscribers or of HTTP.

pub mod domains;
pub mod fleet;
pub mod git;
pub mod github;
pub mod simulator;

mod commit_message;
pub(crate) mod fuzzing;
mod seed_lines;

use monkeytown_protocol::{Event, SourceUri, Timestamp};

/// A source's own time: what its clock shows now, and how fast it runs against real time
/// (`states.md`, "Clocks"). Live sources run at 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceClock {
    /// What the source's clock shows at the moment this is said.
    pub shows: Timestamp,
    /// Seconds of the source's time in one real second; 0 while it stands still.
    pub rate: f64,
}

/// What a source may do.
pub trait Sink: Clone + Send + Sync + 'static {
    /// Appends events, all of them in this order, next to one another. An event whose `source` and `id` the
    /// stream already holds is left out. `recorded` is set by the stream.
    ///
    /// Ends when they are as durable as the stream is: where the disk is full, when it no longer is. A source that
    /// waits so loses nothing, and nothing piles up.
    fn append(&self, events: Vec<Event>) -> impl Future<Output = ()> + Send;

    /// Says what the source's clock shows from now on. Without it, the server's own clock at rate 1 holds.
    fn set_clock(&self, clock: SourceClock);
}

/// Longest address of a source that is made of a name, in bytes after escaping.
const SOURCE_MAX_BYTES: usize = 200;

/// `BEGINNING` and the name of what is told of, with what no URI may hold escaped (RFC 3986, section 2).
fn source_uri(beginning: &str, name: &str) -> SourceUri {
    let mut path = beginning.to_owned();
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let escaped = if plain { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        if path.len() + escaped.len() > SOURCE_MAX_BYTES {
            break;
        }
        path.push_str(&escaped);
    }
    SourceUri::new(&path).expect("printable and cut to size")
}
