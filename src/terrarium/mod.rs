//! The field: who sits where, which flows are seen and how they run, and the canvases on which they are drawn.
//!
//! Geometry itself is `monkeytown-terrain`'s. Knows nothing of signals; components bring what is to be drawn.

pub mod calm;
pub mod canvas;
pub mod ground;
pub mod occasion;
pub mod pace;
pub mod scene;
pub mod seating;
pub mod seats;
pub mod stage;
pub mod strand;
pub mod view;
pub mod way;
