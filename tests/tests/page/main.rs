//! The page, as a person meets it: a real browser, the built site, a real stream.

mod faults;
mod history;
mod nonsense;
mod publishing;
mod visiting;
