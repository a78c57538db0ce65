//! The event stream server: sources append to one log, subscribers read it by cursor.
//!
//! `sources → log → subscribers`: a source knows only how to append, a subscriber is a cursor over the log.
//! The listener and the shutdown are passed in, so that whoever starts a server owns its port and its lifetime.

pub mod config;
#[doc(hidden)]
pub mod conformance;
#[doc(hidden)]
pub mod fuzzing;
pub mod log;
pub mod logging;
pub mod metrics;
pub mod open_files;
pub mod server;
pub mod sources;

mod accept;
mod address;
mod answers;
mod api;
mod body;
mod connection;
mod crowd;
mod door;
mod fanout;
mod headers;
mod health;
mod hooks;
mod inlet;
mod origin;
mod outlet;
mod pool;
mod problem;
mod publish;
mod random;
mod recent;
mod rest;
mod rewind;
mod routes;
mod site;
mod sse;
mod subscribers;
mod subscription;
pub mod time;
mod trace_context;
mod vitals;
mod written;
mod ws;

pub use address::{TrustedProxies, TrustedProxy, TrustedProxyError};
pub use config::{Config, ConfigError, Invocation};
pub use hooks::{SecretError, WebhookOptions, WebhookSecret};
pub use log::{
    Entry, Joined, JournalError, Log, RedisError, RedisPatience, RedisUrl, RedisUrlError, Restored, RingBounds,
};
pub use metrics::{Metrics, Origin};
pub use origin::AllowedOrigin;
pub use publish::{TokenError, Tokens};
pub use server::{Options, ServeError, Server, Timing, TokensHandle};
pub use time::now;
pub use written::WrittenError;
