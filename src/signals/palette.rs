//! The palette as components read it: whether it is open, what is typed, what fits.
//!
//! Knows nothing of what a choice does.

use monkeytown_protocol::EntityId;

/// Which dialog is open over the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// None.
    #[default]
    Nothing,
    /// The palette.
    Palette,
    /// The list of keys.
    Keys,
}

/// What can be chosen.
#[derive(Debug)]
pub enum Choice {
    /// A line of the table of commands.
    Command(usize),
    /// Somebody to look at.
    Somebody(EntityId),
    /// Words to look for.
    Find(String),
}

/// A line of the palette.
#[derive(Debug)]
pub struct Offer {
    /// What it does.
    pub choice: Choice,
    /// The same in words.
    pub name: String,
    /// What stands beside it: its key, or how it is.
    pub beside: &'static str,
    /// Of somebody: the status.
    pub status: &'static str,
}

/// The palette.
#[derive(Debug, Default)]
pub struct Palette {
    /// What is open.
    pub over: Over,
    /// What is typed.
    pub typed: String,
    /// What fits best, in order.
    pub offers: Vec<Offer>,
    /// How many fit in all.
    pub fitting: usize,
    /// Which of those shown is chosen by Enter.
    pub at: usize,
}
