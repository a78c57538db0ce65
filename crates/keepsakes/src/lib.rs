//! What a witness keeps: seeds, notes, pins, ghosts and the like; how it is written down, bounded, merged and taken away.
//!
//! Pure: time, randomness and the place where lines lie are arguments. Knows `protocol`'s reader of JSON, what events
//! report of a seed, and what the fold calls history; nothing of browsers, or of what the page looks like.

pub mod body;
pub mod form;
pub mod ghosts;
pub mod parcel;
pub mod record;
pub mod seed;
pub mod store;
pub mod writing;

pub use body::Body;
pub use form::Form;
pub use parcel::{Preview, Unfit, pack, preview, unpack};
pub use record::{Class, Record, Unsound, units};
pub use seed::{Seed, Stage};
pub use store::{Area, Aside, BUDGET_UNITS, Refused, Store};
pub use writing::Writing;
