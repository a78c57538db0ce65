//! What a witness keeps: seeds, notes, pins and the like; how it is written down, bounded, merged and taken away.
//!
//! Pure: time, randomness and the place where lines lie are arguments. Knows `protocol`'s reader of JSON and what events
//! report of a seed; nothing of browsers, or of what the page looks like.

pub mod parcel;
pub mod record;
pub mod seed;
pub mod store;
pub mod writing;

pub use parcel::{Preview, Unfit, pack, preview, unpack};
pub use record::{Class, Record, Unsound, units};
pub use seed::{Form, Seed, Stage};
pub use store::{Area, Aside, BUDGET_UNITS, Refused, Store};
pub use writing::Writing;
