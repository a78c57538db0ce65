//! What is drawn where: the seats of the agents, the flows on stage, and the canvas that draws them.
//!
//! [`layout`] and [`stage`] are pure; only [`canvas`] knows a browser.

pub mod canvas;
pub mod layout;
pub mod stage;
