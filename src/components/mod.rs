//! What is seen: one component a file. A component reads signals and nothing else: no socket, no clock, no storage.

mod agent_card;
mod announcer;
mod connection_panel;
mod flow_key;
mod flow_list;
mod foot;
mod ghost_column;
mod glyph;
mod mask;
mod notice;
mod system_pulse;
mod terrarium;
mod wordmark;

pub use agent_card::AgentCard;
pub use announcer::Announcer;
pub use connection_panel::ConnectionPanel;
pub use flow_key::FlowKey;
pub use flow_list::FlowList;
pub use foot::Foot;
pub use ghost_column::GhostColumn;
pub use glyph::{BeadGlyph, StatusGlyph};
pub use mask::Mask;
pub use notice::Notice;
pub use system_pulse::SystemPulse;
pub use terrarium::Terrarium;
pub use wordmark::Wordmark;
