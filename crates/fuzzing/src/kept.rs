//! What a witness keeps: lines of the browser's storage, which anything may have torn or edited, and files brought back,
//! which may be anybody's.

use monkeytown_keepsakes::{
    body::Body,
    ghosts, parcel,
    record::{Class, Record, words_of},
    seed::Seed,
};

const NOW_MILLIS: u64 = 1_768_737_600_000;

/// A record: a key and a line, parted by the first line feed; and the same as a record's body.
pub(crate) fn record(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (key, line) = text.split_once('\n').unwrap_or((text, ""));
    if let Some(Ok(record)) = Record::read(key, line) {
        assert_eq!(Record::read(&record.key(), &record.line()), Some(Ok(record)));
    }
    let _ = Body::read(line).written();
    for class in Class::ALL {
        let record = Record { class, id: key.to_owned(), changed_millis: NOW_MILLIS, body: line.to_owned() };
        assert_eq!(Record::read(&record.key(), &record.line()), Some(Ok(record.clone())), "a sound line is read");
        let _ = (words_of(&record), ghosts::from_record(&record, "town"));
        if let Some(seed) = Seed::from_record(&record) {
            let again = Seed::from_record(&seed.to_record(NOW_MILLIS));
            assert!(again.is_some(), "a seed that was written can be read");
            let _ =
                (seed.text(), seed.form.title(), seed.form.preview(), seed.issue_address("https://example.org/a/b"));
        }
    }
}

/// A file that is brought back: what is taken can be kept, and found again.
pub(crate) fn parcel(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(records) = parcel::unpack(text, NOW_MILLIS) else { return };
    for record in records {
        assert!(record.changed_millis <= NOW_MILLIS);
        assert_eq!(Record::read(&record.key(), &record.line()), Some(Ok(record)));
    }
}
