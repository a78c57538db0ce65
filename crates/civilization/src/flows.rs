//! Flows: replaced by id; those that arrived or broke leave the open ones.

use crate::{
    Changes, Civilization, MarkKind,
    bounds::{FINISHED_FLOWS_MAX, FLOWS_MAX, Touched, make_room},
    state::count,
};
use monkeytown_protocol::record;
use monkeytown_protocol::{Flow, FlowStatus, Timestamp};
use serde::Serialize;

/// A flow under way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenFlow {
    /// What the newest event says of it.
    pub flow: Flow,
    /// When it was first heard of, by its source's clock.
    pub since: Timestamp,
    pub(crate) touched: u64,
}

record!(OpenFlow { flow, since, touched;  });

impl Touched for OpenFlow {
    fn touched(&self) -> u64 {
        self.touched
    }
}

/// A flow that arrived or broke.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FinishedFlow {
    /// What the last event said of it.
    pub flow: Flow,
    /// When it ended, by its source's clock.
    pub time: Timestamp,
}

record!(FinishedFlow { flow, time;  });

impl Civilization {
    pub(crate) fn apply_flow(&mut self, flow: Flow, time: Timestamp, changes: &mut Changes) {
        changes.flows.insert(flow.id.clone());
        let open = self.flows.remove(&flow.id);
        if flow.status.is_open() {
            if open.is_none() {
                let gone = make_room(&mut self.flows, FLOWS_MAX);
                count(&mut self.totals.forgotten, gone.len());
                changes.flows.extend(gone);
                self.finished_flows.retain(|finished| finished.flow.id != flow.id);
            }
            let since = open.map_or(time, |open| open.since);
            let touched = self.totals.events;
            self.flows.insert(flow.id.clone(), OpenFlow { flow, since, touched });
            return;
        }
        // The same end told twice is one end.
        if open.is_none()
            && let Some(known) = self.finished_flows.iter_mut().find(|finished| finished.flow.id == flow.id)
        {
            known.flow = flow;
            return;
        }
        match flow.status {
            FlowStatus::Error => {
                count(&mut self.totals.flows_broken, 1);
                self.marks.push(MarkKind::Broken, time, flow.source.clone());
            }
            _ => count(&mut self.totals.flows_arrived, 1),
        }
        if self.finished_flows.len() >= FINISHED_FLOWS_MAX {
            self.finished_flows.pop_front();
        }
        self.finished_flows.push_back(FinishedFlow { flow, time });
    }
}
