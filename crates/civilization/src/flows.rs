//! Flows: replaced by id; those that arrived or broke leave the open ones.

use crate::{
    Changes, Civilization, MarkKind,
    bounds::{
        FINISHED_FLOWS_MAX, FLOWS_BYTES_MAX, FLOWS_MAX, ITEM_BYTES, REASON_MAX_BYTES, Touched, bytes_of, make_room,
        shorten,
    },
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

impl OpenFlow {
    /// What it counts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let ids = [self.flow.id.as_str(), self.flow.source.as_str(), self.flow.target.as_str()];
        ITEM_BYTES / 2 + ids.into_iter().map(str::len).sum::<usize>() + bytes_of(self.flow.reason.as_ref())
    }
}

impl Civilization {
    pub(crate) fn apply_flow(&mut self, mut flow: Flow, time: Timestamp, changes: &mut Changes) {
        changes.flows.insert(flow.id.clone());
        shorten(&mut flow.reason, REASON_MAX_BYTES);
        let open = self.flows.remove(&flow.id);
        self.flow_bytes -= open.as_ref().map_or(0, OpenFlow::bytes);
        if flow.status.is_open() {
            if open.is_none() {
                self.forget_flows(FLOWS_MAX, changes);
                self.finished_flows.retain(|finished| finished.flow.id != flow.id);
            }
            let since = open.map_or(time, |open| open.since);
            let touched = self.totals.events;
            let open = OpenFlow { flow, since, touched };
            self.flow_bytes += open.bytes();
            self.flows.insert(open.flow.id.clone(), open);
            if self.flow_bytes > FLOWS_BYTES_MAX {
                self.forget_flows(self.flows.len(), changes);
            }
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

    /// Makes room for one more of `max` open flows.
    fn forget_flows(&mut self, max: usize, changes: &mut Changes) {
        let gone = make_room(&mut self.flows, max);
        if !gone.is_empty() {
            self.flow_bytes = self.flows.values().map(OpenFlow::bytes).sum();
            count(&mut self.totals.forgotten, gone.len());
            changes.flows.extend(gone);
        }
    }
}
