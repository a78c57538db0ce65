//! The page, as a person meets it: a real browser, the built site, a real stream.

mod access;
mod faults;
mod history;
mod nonsense;
mod publishing;
mod visiting;
