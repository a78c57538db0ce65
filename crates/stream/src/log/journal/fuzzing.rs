//! Segments of the journal, for fuzzing: whatever lies on the disk is read to an end, and what was written is read again.

use super::format::{Next, RecordBuilder, SegmentHead, read_record, read_segment_head, segment_head};
use monkeytown_protocol::{Epoch, Offset, Timestamp};

/// A segment: as it is; or, after a first byte that is even, records of which the rest are events, one byte of the whole
/// changed. Of those nothing but what was written may be read.
pub fn segment(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    if kind % 2 == 1 {
        let _ = read(rest);
        return;
    }
    let Some((at, rest)) = rest.split_first_chunk::<2>() else { return };
    let epoch = Epoch::new("the-epoch").expect("an epoch");
    let mut written = segment_head(&SegmentHead { epoch, first: Offset(0), recorded: Timestamp::EPOCH, state: b"{}" });
    let mut events: Vec<&[u8]> = Vec::new();
    for group in rest.split(|byte| *byte == b'\n') {
        let mut record = RecordBuilder::new(Offset(events.len() as u64));
        for event in group.split(|byte| *byte == b'\t') {
            record.push(event, b"}");
            events.push(event);
        }
        written.extend(record.finish());
    }
    assert_eq!(read(&written).as_deref(), Some(closed(&events).as_slice()), "what was written is read");
    let at = usize::from(u16::from_le_bytes(*at)) % written.len();
    let flipped = kind | 1;
    if let Some(byte) = written.get_mut(at) {
        *byte ^= flipped;
    }
    // Damage is told, or the end is torn; neither may invent or change an event.
    if let Some(found) = read(&written) {
        assert!(closed(&events).starts_with(&found), "what was changed is not read as if it were not");
    }
}

fn closed(events: &[&[u8]]) -> Vec<Vec<u8>> {
    events.iter().map(|event| [event, b"}".as_slice()].concat()).collect()
}

/// Everything in a segment up to its end or to where it is torn; `None` when it is damaged.
fn read(segment: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (head, mut at) = read_segment_head(segment).ok()?;
    let (mut events, mut next) = (Vec::new(), head.first);
    loop {
        match read_record(segment, at, next).ok()? {
            Next::Record { events: found, end } => {
                assert!(end > at && end <= segment.len());
                next = Offset(next.0.checked_add(found.len() as u64)?);
                events.extend(found.into_iter().map(<[u8]>::to_vec));
                at = end;
            }
            Next::End | Next::Torn => return Some(events),
        }
    }
}
