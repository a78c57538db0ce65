//! The Git source, on repositories that the `git` command makes.

mod follow;
mod history;
mod seeds;
mod support;
