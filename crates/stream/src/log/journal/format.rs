//! What lies in a segment: its head, then records, each the events that were written together. Pure: bytes in, bytes out.
//!
//! A segment's head holds the epoch and the state before its first event, so that older segments can go. A record is
//! written and synced before the next one is begun, so only the last can be torn; whatever else does not check out is
//! damage, and refused. A torn record ends with the file, or has lost a piece that the disk reads as zeros.
//!
//! All numbers are little-endian. Checksums are CRC-32.

use monkeytown_protocol::{Epoch, Offset, Timestamp};
use std::iter;

const MAGIC: [u8; 8] = *b"MKTWJRNL";
/// The format that is written, and the newest that is read.
pub(super) const VERSION: u32 = 1;
/// Magic, version, lengths of epoch and state, first offset, newest `recordedtime`.
const SEGMENT_HEAD_BYTES: usize = 36;
/// Length of the body, number of events, first offset, checksum of the body, checksum of what stands before.
const RECORD_HEAD_BYTES: usize = 24;
const CHECKSUM_BYTES: usize = 4;
/// The pieces in which disks write; a lost one is all zeros.
const SECTOR_BYTES: usize = 512;
/// Fewer zeros than these are no lost piece: numbers hold some, the text of events none.
const LOST_BYTES_LEAST: usize = 16;

/// What a segment begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHead<'a> {
    pub(super) epoch: Epoch,
    /// The offset of its first event.
    pub(super) first: Offset,
    /// The newest `recordedtime` before it.
    pub(super) recorded: Timestamp,
    /// The state before it, as JSON.
    pub(super) state: &'a [u8],
}

/// Why bytes are no journal that can be continued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Damage {
    #[error("it is of format {0}, and this version reads no newer one than {VERSION}")]
    Newer(u32),
    #[error("its head is damaged")]
    Head,
    #[error("the record at byte {0} is damaged")]
    Record(usize),
    #[error("the record at byte {at} holds event {found} where {expected} must follow")]
    Order { at: usize, found: u64, expected: u64 },
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// Events, as JSON, and where the record after them begins.
    Record { events: Vec<&'a [u8]>, end: usize },
    /// Nothing; the segment is whole.
    End,
    /// A record whose writing was interrupted. It was never acknowledged, and nothing follows it.
    Torn,
}

/// The bytes that a segment begins with.
pub(super) fn segment_head(head: &SegmentHead<'_>) -> Vec<u8> {
    let epoch = head.epoch.as_str().as_bytes();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(length(epoch.len()).to_le_bytes());
    bytes.extend(length(head.state.len()).to_le_bytes());
    bytes.extend(head.first.0.to_le_bytes());
    bytes.extend(head.recorded.millis().to_le_bytes());
    bytes.extend(epoch);
    bytes.extend(head.state);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// Reads what a segment begins with, and where its records do.
pub(super) fn read_segment_head(bytes: &[u8]) -> Result<(SegmentHead<'_>, usize), Damage> {
    let mut fields = Fields(bytes);
    if fields.take::<8>() != Some(MAGIC) {
        return Err(Damage::Head);
    }
    let version = fields.u32().ok_or(Damage::Head)?;
    if version > VERSION {
        return Err(Damage::Newer(version));
    }
    let head = (|| {
        let epoch_bytes = size(fields.u32()?)?;
        let state_bytes = size(fields.u32()?)?;
        let first = Offset(fields.u64()?);
        let recorded = Timestamp::from_millis(i64::from_le_bytes(fields.take()?));
        let end = SEGMENT_HEAD_BYTES.checked_add(epoch_bytes)?.checked_add(state_bytes)?;
        let checksum = Fields(bytes.get(end..)?).u32()?;
        let sound = version == VERSION && checksum == crc32fast::hash(bytes.get(..end)?);
        let (epoch, state) = bytes.get(SEGMENT_HEAD_BYTES..end)?.split_at_checked(epoch_bytes)?;
        let epoch = Epoch::new(std::str::from_utf8(epoch).ok()?).ok()?;
        sound.then_some((SegmentHead { epoch, first, recorded, state }, end + CHECKSUM_BYTES))
    })();
    head.ok_or(Damage::Head)
}

/// A record that is being put together: events that are written at once.
pub(super) struct RecordBuilder {
    bytes: Vec<u8>,
    events: u32,
    first: Offset,
}

impl RecordBuilder {
    pub(super) fn new(first: Offset) -> Self {
        Self { bytes: vec![0; RECORD_HEAD_BYTES], events: 0, first }
    }

    /// One event more, given in two pieces of its JSON.
    pub(super) fn push(&mut self, json: &[u8], end: &[u8]) {
        self.bytes.extend(length(json.len() + end.len()).to_le_bytes());
        self.bytes.extend_from_slice(json);
        self.bytes.extend_from_slice(end);
        self.events += 1;
    }

    pub(super) fn events(&self) -> u32 {
        self.events
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let body = self.bytes.get(RECORD_HEAD_BYTES..).unwrap_or_default();
        let mut head = length(body.len()).to_le_bytes().to_vec();
        head.extend(self.events.to_le_bytes());
        head.extend(self.first.0.to_le_bytes());
        head.extend(crc32fast::hash(body).to_le_bytes());
        head.extend(crc32fast::hash(&head).to_le_bytes());
        for (place, byte) in self.bytes.iter_mut().zip(head) {
            *place = byte;
        }
        self.bytes
    }
}

struct RecordHead {
    body_bytes: usize,
    events: u32,
    first: u64,
    checksum: u32,
}

fn record_head(bytes: &[u8]) -> Option<RecordHead> {
    let mut fields = Fields(bytes.get(..RECORD_HEAD_BYTES)?);
    let (body_bytes, events) = (size(fields.u32()?)?, fields.u32()?);
    let (first, checksum) = (fields.u64()?, fields.u32()?);
    let own = crc32fast::hash(bytes.get(..RECORD_HEAD_BYTES - CHECKSUM_BYTES)?);
    // A record of nothing is never written.
    (fields.u32()? == own && events > 0).then_some(RecordHead { body_bytes, events, first, checksum })
}

/// Reads the record of `segment` at `at`, whose first event must have the offset `expected`.
pub(super) fn read_record(segment: &[u8], at: usize, expected: Offset) -> Result<Next<'_>, Damage> {
    let rest = segment.get(at..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(Next::End);
    }
    if rest.len() < RECORD_HEAD_BYTES {
        return Ok(Next::Torn);
    }
    let Some(head) = record_head(rest) else {
        let followed = (1..rest.len()).any(|from| rest.get(from..).and_then(record_head).is_some());
        return if lost_a_piece(rest, at) && !followed { Ok(Next::Torn) } else { Err(Damage::Record(at)) };
    };
    if head.first != expected.0 {
        return Err(Damage::Order { at, found: head.first, expected: expected.0 });
    }
    let end = RECORD_HEAD_BYTES.saturating_add(head.body_bytes);
    let Some(body) = rest.get(RECORD_HEAD_BYTES..end) else { return Ok(Next::Torn) };
    if crc32fast::hash(body) != head.checksum {
        let last = rest.len() == end;
        return if last && lost_a_piece(rest, at) { Ok(Next::Torn) } else { Err(Damage::Record(at)) };
    }
    let mut left = body;
    let events: Vec<&[u8]> = iter::from_fn(|| {
        let (bytes, rest) = left.split_at_checked(4)?;
        let (event, rest) = rest.split_at_checked(size(Fields(bytes).u32()?)?)?;
        left = rest;
        Some(event)
    })
    .collect();
    let whole = left.is_empty() && u32::try_from(events.len()) == Ok(head.events);
    if whole { Ok(Next::Record { events, end: at + end }) } else { Err(Damage::Record(at)) }
}

/// Whether a piece that disks write at once is all zeros in `bytes`, which begin at `at`.
fn lost_a_piece(bytes: &[u8], at: usize) -> bool {
    let to_next = (SECTOR_BYTES - at % SECTOR_BYTES).min(bytes.len());
    let (first, others) = bytes.split_at(to_next);
    iter::once(first)
        .chain(others.chunks(SECTOR_BYTES))
        .any(|piece| piece.len() >= LOST_BYTES_LEAST && piece.iter().all(|byte| *byte == 0))
}

/// Numbers, from the front of bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

fn size(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("what is written at once is bounded far below 4 GiB")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head() -> SegmentHead<'static> {
        SegmentHead {
            epoch: Epoch::new("the-epoch").expect("an epoch"),
            first: Offset(7),
            recorded: Timestamp::from_millis(1_700_000_000_000),
            state: br#"{"totals":{}}"#,
        }
    }

    /// A segment, where each record ends, and the events up to there.
    fn segment(groups: &[Vec<usize>]) -> (Vec<u8>, Vec<(usize, Vec<String>)>) {
        let mut bytes = segment_head(&head());
        let (mut next, mut all, mut ends) = (7, Vec::new(), vec![(bytes.len(), Vec::new())]);
        for group in groups {
            let mut builder = RecordBuilder::new(Offset(next));
            for length in group {
                let json = format!("{{\"id\":\"{next}\",\"x\":\"{}\"", "y".repeat(*length));
                builder.push(json.as_bytes(), b"}");
                all.push(json + "}");
                next += 1;
            }
            bytes.extend(builder.finish());
            ends.push((bytes.len(), all.clone()));
        }
        (bytes, ends)
    }

    /// Everything in a segment, and whether its end was torn off.
    fn read(bytes: &[u8]) -> Result<(Vec<String>, bool), Damage> {
        let (found, mut at) = read_segment_head(bytes)?;
        if found != head() {
            return Ok((vec!["another head".to_owned()], false));
        }
        let mut all: Vec<String> = Vec::new();
        loop {
            match read_record(bytes, at, Offset(7 + all.len() as u64))? {
                Next::Record { events, end } => {
                    all.extend(events.into_iter().map(|event| String::from_utf8_lossy(event).into_owned()));
                    at = end;
                }
                Next::End => return Ok((all, false)),
                Next::Torn => return Ok((all, true)),
            }
        }
    }

    fn groups() -> impl Strategy<Value = Vec<Vec<usize>>> {
        proptest::collection::vec(proptest::collection::vec(0_usize..700, 1..4), 1..5)
    }

    #[test]
    fn any_byte_of_a_small_journal_flipped_in_any_bit_is_refused() {
        let (bytes, _) = segment(&[vec![3, 0], vec![20], vec![0, 40]]);
        for at in 0..bytes.len() {
            for flip in 1..=255_u8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                assert!(read(&damaged).is_err(), "byte {at}, {flip:#x}: {:?}", read(&damaged));
            }
        }
    }

    #[test]
    fn any_prefix_of_a_small_journal_is_cut_at_the_last_whole_record() {
        let (bytes, ends) = segment(&[vec![3, 0], vec![20], vec![0, 40]]);
        for length in 0..=bytes.len() {
            let whole = ends.iter().rev().find(|(end, _)| *end <= length);
            match (whole, read(&bytes[..length])) {
                (Some((end, events)), Ok((read, torn))) => assert_eq!((&read, torn), (events, *end != length)),
                (None, Err(Damage::Head)) => {}
                (_, other) => panic!("{length}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_newer_format_is_called_that() {
        let (mut bytes, _) = segment(&[vec![1]]);
        bytes[8] = 2;
        assert_eq!(read(&bytes), Err(Damage::Newer(2)));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(groups in groups()) {
            let (bytes, mut ends) = segment(&groups);
            prop_assert_eq!(read(&bytes), Ok((ends.pop().expect("the last").1, false)));
        }

        #[test]
        fn a_flipped_byte_is_refused_and_a_prefix_cut(groups in groups(), place in any::<proptest::sample::Index>(), flip in 1_u8..) {
            let (bytes, ends) = segment(&groups);
            let at = place.index(bytes.len());
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            prop_assert!(read(&damaged).is_err(), "byte {}", at);
            if let Some((_, events)) = ends.iter().rev().find(|(end, _)| *end <= at) {
                prop_assert_eq!(&read(&bytes[..at]).expect("a prefix").0, events);
            }
        }

        #[test]
        fn zeros_are_a_torn_end_in_the_last_record_and_damage_before_it(groups in groups(), place in any::<proptest::sample::Index>()) {
            let (bytes, ends) = segment(&groups);
            // From some sector on nothing was written, though the file has its length.
            let records = ends[0].0;
            let from = (records + place.index(bytes.len() - records)).next_multiple_of(SECTOR_BYTES);
            let before_last = ends[ends.len() - 2].0;
            if from + LOST_BYTES_LEAST <= bytes.len() {
                let mut zeroed = bytes.clone();
                let to = (from + SECTOR_BYTES).min(bytes.len());
                zeroed[from..to].fill(0);
                let read = read(&zeroed);
                if from >= before_last {
                    prop_assert_eq!(read, Ok((ends[ends.len() - 2].1.clone(), true)));
                } else {
                    // The last record may have lost its head with the sector, and is then lost with what is before it.
                    prop_assert!(read.is_err() || to > before_last, "{:?}", read);
                }
            }
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..400) {
            let _ = read_segment_head(&bytes);
            let _ = read_record(&bytes, at, Offset(0));
        }
    }
}
