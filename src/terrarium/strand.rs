//! A flow, and a bundle of flows, as the scene holds them for the canvas.
//!
//! Plain values; knows nothing of how ways are found or drawn.

use super::way::Way;
use monkeytown_protocol::{FlowKind, FlowStatus, Text};
use monkeytown_terrain::Point;
use std::rc::Rc;

/// A flow to draw.
#[derive(Debug, Clone)]
pub struct Strand {
    /// What moves.
    pub kind: FlowKind,
    /// How far it has come.
    pub status: FlowStatus,
    /// Why it broke, where there is room to say so.
    pub reason: Option<Text>,
    /// The middle of the words that say why.
    pub reason_at: Point,
    /// When it leaves, on the monotonic clock.
    pub leaves_at: Option<f64>,
    /// Whether it is lit above the scrim: a flow of whom the witness looks at, or nobody is looked at.
    pub lit: bool,
    /// Whether the filter leaves it out.
    pub dim: bool,
    /// How far its particles are ahead of others', as a share of the way: those side by side do not march in step.
    pub ahead: f32,
    /// Its way.
    pub way: Rc<Way>,
}

/// Flows drawn as one ribbon.
#[derive(Debug, Clone)]
pub struct Ribbon {
    /// What moves in most of them.
    pub kind: FlowKind,
    /// How many they are.
    pub count: usize,
    /// Whether the filter leaves all of them out.
    pub dim: bool,
    /// Their way.
    pub way: Rc<Way>,
}
