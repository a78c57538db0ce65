//! The stream as its subscribers, publishers and operators meet it: a real server on a port of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod admitting;
mod attacking;
mod authorizing;
mod cloud_events;
#[path = "../../examples/configuration.rs"]
mod configuration;
mod configured;
mod cutting;
mod documented;
#[path = "../documents/mod.rs"]
mod documents;
mod draining;
mod event_source;
mod generating;
mod harness;
mod journal;
mod measuring;
mod operating;
mod packing;
mod polling;
mod promised;
mod publishing;
mod racing;
mod resuming;
mod returning;
mod rewinding;
mod sent_events;
mod site;
mod speed;
mod starting;
mod subscribing;
mod vitals;
