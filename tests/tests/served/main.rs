//! What stands in front of witnesses where the page is not on a static host: the real nginx with the configuration that is
//! deployed, as the web image starts it, and the exchange of one release for another on one machine.

mod answers;
mod ears;
mod guarded;
mod listener;
mod machine;
mod page;
mod proxied;
mod secured;
mod starting;
mod switching;
mod web;
