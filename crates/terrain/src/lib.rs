//! The geometry of the terrarium: where agents sit, how flows run between them, where contours lie.
//!
//! Pure and deterministic: sizes, postures and links in, positions and lines out, the same everywhere and always.
//!
//! Absent here: browsers, canvases, the wire, the fold, clocks, identities beyond a number. Whoever draws says what a
//! number stands for; a budget of time comes in as a question ("is it over?").

mod contour;
mod geometry;
mod lattice;
mod layout;
mod order;
mod route;

pub use contour::{Contour, Ground, Hill, contours};
pub use geometry::{Point, Rect, Size};
pub use layout::{Arrangement, Body, Detail, Link, Posture, Technique, arrange};
pub use order::rising;
pub use route::{Bundle, Bundling, Node, Route, Wire, aside, bundle, gutter, route};
