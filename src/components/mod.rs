//! What is seen: one component a file. A component reads signals and fills its markup, nothing else: no socket, no
//! storage, no fold.

use crate::signals::Signals;

mod agent_card;
mod announcer;
mod bundle_counts;
mod connection_panel;
mod crowd;
mod detail_panel;
mod drawer;
mod filter;
mod flow_list;
mod foot;
mod ghost_column;
mod holding;
mod looked_at;
mod mask;
mod note;
mod notice;
mod painter;
mod palette;
mod passing;
mod reading;
mod seed_form;
mod seed_list;
mod sheet;
mod silence;
mod system_pulse;
mod terrarium;
mod waking;
mod wordmark;

/// Brings the page's markup to life.
pub fn bind(signals: &Signals) {
    // Before all that opens: it closes first, and gives the focus back.
    palette::bind(signals);
    looked_at::bind(signals);
    wordmark::bind(signals);
    system_pulse::bind(signals);
    connection_panel::bind(signals);
    notice::bind(signals);
    flow_list::bind(signals);
    terrarium::bind(signals);
    ghost_column::bind(signals);
    filter::bind(signals);
    foot::bind(signals);
    detail_panel::bind(signals);
    note::bind(signals);
    seed_form::bind(signals);
    seed_list::bind(signals);
    sheet::bind(signals);
    passing::bind(signals);
    announcer::bind(signals);
}
