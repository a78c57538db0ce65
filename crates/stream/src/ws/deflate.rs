//! Compressed messages (`permessage-deflate`, RFC 7692): what is agreed on, and how a text is packed.
//!
//! No message leans on an earlier one (`server_no_context_takeover`), so one packing serves everybody who stands at the
//! same place. Nothing is unpacked: what subscribers say is counted and not read (`inlet`).

use axum::http::{HeaderMap, HeaderValue, header};
use flate2::{Compress, Compression, FlushCompress, Status};
use std::cell::RefCell;

const NAME: &str = "permessage-deflate";
/// The window that is always used, as the power of two that the extension counts by.
const WINDOW_BITS: &str = "15";
/// Texts shorter than this are sent as they are: they fit into a packet anyway.
const WORTH_BYTES: usize = 1_024;
/// What a packing ends with, and the receiver adds again (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// How hard it is tried. The next lower makes frames a third larger and is half as quick again; higher ones cost twice the
/// time for a tenth to a fifth.
const LEVEL: u32 = 2;
/// What is made room for at a time.
const ROOM_BYTES: usize = 16 * 1024;

thread_local! {
    // Its tables are larger than most of what it packs.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(LEVEL), false));
}

/// The answer to the first offer that can be taken; `None` when nothing is compressed.
pub(super) fn answer(headers: &HeaderMap) -> Option<HeaderValue> {
    let told = headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|value| value.to_str().ok());
    let offer = told.flat_map(|value| value.split(',')).find_map(taken)?;
    Some(match offer {
        Offer::Plain => {
            HeaderValue::from_static("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        }
        Offer::WithWindow => HeaderValue::from_static(
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15",
        ),
    })
}

/// An offer that can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offer {
    Plain,
    /// It wants to be told how large the window is.
    WithWindow,
}

/// Whether the offer can be taken (section 7.1): what is not known, said twice, or out of range declines it.
fn taken(offer: &str) -> Option<Offer> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next()? != NAME {
        return None;
    }
    let (mut taken, mut seen) = (Offer::Plain, Vec::new());
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
            // What the client's window is matters to nobody: nothing is unpacked.
            ("client_max_window_bits", Some("8" | "9" | "10" | "11" | "12" | "13" | "14" | "15")) => {}
            // A smaller window than ours cannot be promised.
            ("server_max_window_bits", Some(WINDOW_BITS)) => taken = Offer::WithWindow,
            _ => return None,
        }
    }
    Some(taken)
}

/// Packs `text` behind what `into` holds; `false`, and nothing added, when that is not worth it.
pub(super) fn pack(text: &[u8], into: &mut Vec<u8>) -> bool {
    if text.len() < WORTH_BYTES {
        return false;
    }
    let start = into.len();
    PACKER.with_borrow_mut(|packer| {
        packer.reset();
        loop {
            let read = usize::try_from(packer.total_in()).unwrap_or(usize::MAX);
            let rest = text.get(read..).unwrap_or_default();
            into.reserve(ROOM_BYTES);
            let status = packer.compress_vec(rest, into, FlushCompress::Sync);
            let status = status.expect("a packer that was begun anew takes any text");
            // Room is left only when all has been written.
            if status != Status::Ok || into.len() < into.capacity() {
                break;
            }
        }
    });
    if into.ends_with(&TAIL) {
        into.truncate(into.len() - TAIL.len());
    }
    let shrunk = into.len() - start < text.len();
    if !shrunk {
        into.truncate(start);
    }
    shrunk
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Decompress, FlushDecompress};

    fn offered(offers: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(header::SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer));
        }
        answer(&headers).map(|value| value.to_str().expect("text").to_owned())
    }

    #[test]
    fn what_browsers_offer_is_taken_and_no_context_is_kept_on_either_side() {
        let plain = Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover".to_owned());
        for offer in [
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate",
            "x-webkit-deflate-frame, permessage-deflate; client_max_window_bits=\"10\"",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        ] {
            assert_eq!(offered(&[offer]), plain, "{offer}");
        }
        assert_eq!(offered(&["foo", "permessage-deflate"]), plain, "offers may come in several headers");
        let windowed = offered(&["permessage-deflate; server_max_window_bits=15"]);
        assert!(windowed.is_some_and(|answer| answer.ends_with("; server_max_window_bits=15")));
    }

    #[test]
    fn what_cannot_be_kept_is_not_agreed_on() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=16",
            "permessage-deflate; client_max_window_bits; client_max_window_bits",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; unheard_of",
            "permessage-deflate;",
        ] {
            assert_eq!(offered(&[offer]), None, "{offer:?}");
        }
        assert_eq!(offered(&[]), None);
    }

    fn unpacked(packed: &[u8]) -> Vec<u8> {
        let mut whole = packed.to_vec();
        whole.extend(TAIL);
        let mut text = Vec::with_capacity(20_000_000);
        let mut inflater = Decompress::new(false);
        inflater.decompress_vec(&whole, &mut text, FlushDecompress::Sync).expect("deflate");
        text
    }

    #[test]
    fn every_length_comes_back_and_leans_on_nothing_before_it() {
        // Not alike enough to fit into the first piece of room, and longer than several.
        let mut random = fastrand::Rng::with_seed(7);
        for length in [WORTH_BYTES, 5_000, ROOM_BYTES, ROOM_BYTES * 2 + 1, 3_000_000] {
            let text: Vec<u8> =
                std::iter::repeat_with(|| random.choice(*b"abcdefgh{}\",:").expect("letters")).take(length).collect();
            let mut packed = vec![9, 9];
            assert!(pack(&text, &mut packed), "{length}");
            assert!(unpacked(packed.get(2..).expect("what was there stays")) == text, "{length}");
        }
    }

    #[test]
    fn what_is_short_or_does_not_shrink_is_sent_as_it_is() {
        assert!(!pack(&[b'x'; WORTH_BYTES - 1], &mut Vec::new()));
        let mut random = fastrand::Rng::with_seed(7);
        let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(50_000).collect();
        assert!(!pack(&noise, &mut Vec::new()));
    }
}
