//! The Git source, on repositories that the `git` command makes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected fails"
)]

mod follow;
mod history;
mod remote;
mod seeds;
mod served;
mod support;
