//! The event stream server: sources append to one log, subscribers read it by cursor.
//!
//! `sources → log → subscribers`: a source knows only how to append, a subscriber is a cursor over the log.

pub mod sources;
