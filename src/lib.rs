//! The witness client: a page that subscribes to an event stream and shows what it tells.
//!
//! One direction: `transport → ingest → civilization → signals → components`. A person's intent goes back by
//! callback. Each effect lives in one place: sockets and requests in [`transport`], `LocalStorage` in
//! [`storage`], time and frames in [`clock`], what the browser does in its own time in [`hands`].

pub mod address;
pub mod app;
pub mod clock;
pub mod commands;
pub mod components;
pub mod config;
pub mod course;
pub mod dom;
pub mod filter;
pub mod fuzzy;
pub mod hands;
pub mod ingest;
pub mod intent;
pub mod session;
pub mod sigil;
pub mod signals;
pub mod storage;
pub mod tabs;
pub mod terrarium;
pub mod transport;
pub mod voice;
