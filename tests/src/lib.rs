//! The harness of the tests of the whole system: a real browser, a real stream, and a network between them that
//! fails on demand.
//!
//! Everything here waits for conditions, within [`wait::PATIENCE`]; nothing guesses how long something takes.

pub mod axe;
pub mod browser;
pub mod events;
pub mod firefox;
pub mod program;
pub mod proxy;
pub mod puppet;
pub mod repository;
pub mod script;
pub mod site;
pub mod storage;
pub mod stream;
pub mod wait;
pub mod words;
