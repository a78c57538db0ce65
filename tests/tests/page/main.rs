//! The page, as a person meets it: a real browser, the built site, a real stream.

mod history;
mod publishing;
