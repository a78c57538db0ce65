//! Two numbers that outlive a visit: who this witness is, and which way to the stream worked last.

use super::{read, write};

const WITNESS: &str = "monkeytown.witness.v1";
const ROUTE: &str = "monkeytown.route.v1";
/// How long a way is remembered, in milliseconds: an hour. Long enough that nobody pays for the ways that fail at each
/// reload in an office that forbids sockets; short enough that the laptop at home in the evening starts with the best.
const ROUTE_MILLIS: f64 = 3_600_000.0;
/// Ways there are; a moment and a way are kept as one number.
const PLACES: u64 = 4;

/// The witness's random id, which never leaves this browser: it chooses the witness's stream. `random` is uniform in
/// 0..1; where nothing can be kept, each visit is another witness.
pub fn witness(random: impl Fn() -> f64) -> u64 {
    if let Some(known) = read(WITNESS).and_then(|kept| kept.parse().ok()) {
        return known;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 2^32")]
    let half = || (random() * 4_294_967_296.0) as u64;
    let made = half() << 32 | half();
    // Not kept, it is another the next time: nothing depends on it but which of equal streams is asked.
    let _ = write(WITNESS, &made.to_string());
    made
}

/// The place in the chain of the way that worked last, 0 to 3, if that was within the hour. `now` in milliseconds since
/// 1970.
pub fn route(now: f64) -> u64 {
    let kept: u64 = read(ROUTE).and_then(|kept| kept.parse().ok()).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact in f64")]
    let age = now - (kept / PLACES) as f64;
    if (0.0..ROUTE_MILLIS).contains(&age) { kept % PLACES } else { 0 }
}

/// Keeps the place in the chain of the way that works, 0 to 3.
pub fn keep_route(route: u64, now: f64) {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds since 1970")]
    let now = now as u64;
    // Not kept, the next visit starts with the best way.
    let _ = write(ROUTE, &(now * PLACES + route).to_string());
}
