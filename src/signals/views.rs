//! What components read, as it is shown. Plain values: who writes them is the signals' matter, what they look like the
//! components'.

use crate::{ingest::Counters, transport::ConnectionState};
use monkeytown_civilization::{Depth, Entity, HistoryItem, HistoryKind, Line, MarkKind, Outcome, Pulse, Totals, Trend};
use monkeytown_protocol::{
    EntityId, Epoch, FlowId, FlowKind, FlowStatus, HttpsUrl, Offset, SourceKind, Text, Timestamp,
};
use std::rc::Rc;

/// A piece of an agent's recent work, below its card.
#[derive(Debug, Clone, PartialEq)]
pub struct Bead {
    /// A commit (filled, round) or a pull request (diamond).
    pub kind: HistoryKind,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
    /// The short form of its id: `a3f9c21`, `#42`.
    pub short: String,
    /// Its subject or title.
    pub label: Text,
    /// Where it is to be seen.
    pub url: Option<HttpsUrl>,
}

/// An agent as its card shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// Who it is.
    pub id: EntityId,
    /// What the fold says.
    pub entity: Entity,
    /// Its recent work, newest first.
    pub beads: Vec<Bead>,
    /// How many of its children are done, of how many; `None` without children.
    pub children: Option<(u32, u32)>,
    /// What it and another disagree on, in words.
    pub contradiction: Option<String>,
    /// With whom, and on what; told of one of the two.
    pub dispute: Option<(EntityId, String)>,
    /// Whether the filter leaves it out.
    pub dim: bool,
}

impl AgentView {
    pub(super) fn new(id: EntityId, entity: Entity) -> Self {
        Self { id, entity, beads: Vec::new(), children: None, contradiction: None, dispute: None, dim: false }
    }
}

/// A flow as the readable list tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRow {
    /// Its identity.
    pub id: FlowId,
    /// Where it comes from.
    pub source: EntityId,
    /// The name of that.
    pub source_name: Text,
    /// Where it goes.
    pub target: EntityId,
    /// The name of that.
    pub target_name: Text,
    /// What moves.
    pub kind: FlowKind,
    /// How far it has come.
    pub status: FlowStatus,
    /// Why it broke.
    pub reason: Option<Text>,
    /// When it leaves the stage, on the monotonic clock; `None` while it is under way.
    pub leaves_at: Option<f64>,
    /// Whether the filter leaves it out.
    pub dim: bool,
}

/// Flows that are not drawn one by one: those between the same two, or of the same source.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleRow {
    /// Where they come from; `None` for what is left of everybody.
    pub source: Option<EntityId>,
    /// Where they go; `None` for all the ways of one source.
    pub target: Option<EntityId>,
    /// From whom to whom, in words.
    pub between: String,
    /// What moves in most of them.
    pub kind: FlowKind,
    /// How many they are.
    pub count: usize,
    /// How many of them the filter leaves out.
    pub dim: usize,
}

/// What tells a bundle from others: its source and its target.
pub type BundleName = (Option<EntityId>, Option<EntityId>);

/// Flows of an opened bundle that are told one by one.
pub const BUNDLE_TOLD_MAX: usize = 100;

/// The flows to be seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowsView {
    /// Those drawn.
    pub drawn: Vec<FlowRow>,
    /// The others, bundled; their counts add up to those not drawn.
    pub bundles: Vec<BundleRow>,
    /// Whether there are, or were just now, too many to be drawn one by one.
    pub storm: bool,
    /// The bundle that the witness has opened.
    pub open: Option<BundleName>,
    /// Its flows, to be told one by one; what is left of them where it is a bundle no longer.
    pub opened: Vec<FlowRow>,
}

impl FlowsView {
    /// How many are not drawn one by one.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.bundles.iter().map(|bundle| bundle.count).sum()
    }
}

/// What was settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GhostsView {
    /// The newest.
    pub items: Vec<Rc<HistoryItem>>,
    /// The newest of all, looked for or not.
    pub newest: Option<Rc<HistoryItem>>,
    /// How many match what is looked for.
    pub matching: usize,
    /// How many the fold holds in all.
    pub held: usize,
}

/// How the connection stands, as the panel shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectionView {
    /// The transport's word.
    pub state: ConnectionState,
    /// Whether a stream has greeted this page since it opened.
    pub greeted: bool,
    /// When what is shown was stored, by the witness's clock, if it comes from storage; or when its newest event
    /// happened, if it stood beside the page.
    pub stored_at: Option<Timestamp>,
    /// Whether it stood beside the page.
    pub beside: bool,
    /// Since when no stream is heard, by the witness's clock.
    pub away_since: Option<Timestamp>,
    /// The stream's present history.
    pub epoch: Option<Epoch>,
    /// Newest offset applied.
    pub offset: Option<Offset>,
    /// What came in.
    pub counters: Counters,
    /// Deliveries that wait to be applied, in bytes.
    pub waiting_bytes: usize,
    /// Whether what arrives is replay.
    pub replaying: bool,
    /// The stream's address, as the witness would write it.
    pub address: String,
    /// Whether the address bar named it.
    pub chosen_by_address: bool,
    /// Whether something happened that is only in a summary: the stream could not continue where the page stood.
    pub summarised: bool,
    /// When the stream's heartbeat was heard last, on the monotonic clock.
    pub heartbeat_at: Option<f64>,
    /// About how far behind the stream the page is, in milliseconds.
    pub behind_millis: Option<u32>,
    /// Something the page could not do and the witness should know.
    pub remark: Option<String>,
    /// The gravest alert that nobody has resolved, in its source's words, and how many others there are.
    pub alert: Option<(String, usize)>,
}

impl ConnectionView {
    /// Whether every event up to now was applied, as far as the page can know.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.counters.holes == 0 && !self.summarised
    }

    /// Whether events arrive as they happen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

/// The clocks that the page shows or measures by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// The page's time, the source's own: every age is measured against it.
    pub now: Timestamp,
    /// How fast that runs.
    pub rate: f64,
    /// The witness's own clock, for what was stored.
    pub wall: Timestamp,
    /// Milliseconds since the page opened, for waits.
    pub monotonic: f64,
    /// The source's time at present, also while the past is shown.
    pub present: Timestamp,
    /// The oldest moment that the stream is known to hold.
    pub earliest: Option<Timestamp>,
    /// While the past is shown: the offset of the event that comes next.
    pub next: Option<Offset>,
}

/// How the whole is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Entities that the fold holds.
    pub entity_count: usize,
    /// The pulse; `None` before anything is known.
    pub pulse: Option<Pulse>,
    /// Counts of the whole history.
    pub totals: Totals,
    /// When the newest event happened.
    pub last_time: Option<Timestamp>,
    /// Where the events come from.
    pub source: Option<SourceKind>,
}

/// The last hour, and what the time axis shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HourView {
    /// Events in each half minute, oldest first.
    pub bins: Vec<u32>,
    /// How far back the axis goes.
    pub depth: Depth,
    /// The same in milliseconds.
    pub span: i64,
    /// Events in each bin of the axis, oldest first.
    pub axis: Vec<u32>,
    /// The last minute against the hour.
    pub trend: Trend,
    /// What was opened, settled or broken, and how long ago.
    pub marks: Vec<(MarkKind, i64)>,
    /// From when to when no stream was heard, in milliseconds ago.
    pub gaps: Vec<(i64, i64)>,
    /// When each agent was at work.
    pub lanes: Vec<LaneView>,
    /// What is not told here for want of room, in words; empty while everything is.
    pub untold: String,
}

/// A lane of the actogram.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneView {
    /// Whose it is.
    pub id: EntityId,
    /// The name of that.
    pub name: Text,
    /// In which bins of the axis it was at work, oldest first.
    pub bins: Vec<bool>,
}

/// Something that passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    /// Tells it from others.
    pub number: u64,
    /// Whom it is about.
    pub id: EntityId,
    /// What happened.
    pub what: String,
    /// Where.
    pub place: String,
    /// Why.
    pub why: String,
    /// When it goes, on the monotonic clock.
    pub until_millis: f64,
    /// Since when somebody is at it: it is pointed at or has the focus.
    pub held_since: Option<f64>,
}

/// A tab of the detail panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// How it is.
    #[default]
    Status,
    /// What it says.
    Logs,
    /// With whom it works.
    Connections,
    /// What it has done.
    History,
}

/// A side of the sheet on which the witness acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sheet {
    /// Seeds: the form, and those that are planted.
    Seeds,
    /// What this browser keeps.
    Kept,
}

/// Which moment the page shows, and whether time runs on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The present.
    #[default]
    Following,
    /// The present as it was when the page was paused, while events go on being applied.
    Held,
    /// What it showed before, until the moment that was asked for is there.
    Going,
    /// A moment of the past.
    Paused,
    /// The past, running.
    Replaying,
}

impl Mode {
    /// Whether nothing moves.
    #[must_use]
    pub fn is_still(self) -> bool {
        !matches!(self, Self::Following | Self::Replaying)
    }
}

/// What the witness looks at, and how. Lives as long as the page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gaze {
    /// Whose detail panel is open.
    pub entity: Option<EntityId>,
    /// Its tab.
    pub tab: Tab,
    /// Whether its raw event is shown.
    pub raw: bool,
    /// The text of the filter (`filter::Filter`).
    pub query: String,
    /// Whether of a log only the lines are shown that the filter takes.
    pub sifted: bool,
    /// What is open of what the witness does and keeps.
    pub sheet: Option<Sheet>,
    /// Which moment the page shows.
    pub mode: Mode,
    /// Events that had been applied when it left the present.
    pub left_at: u64,
    /// Whether a replay leaves out what is idle.
    pub skips: bool,
    /// Why the past does not go on, or cannot be gone to.
    pub stuck: String,
    /// Whether those without room in the field are listed.
    pub everyone: bool,
    /// On a narrow screen: whether history stands in the place of the agents.
    pub history: bool,
    /// How far back the axis goes.
    pub depth: Depth,
    /// Whether all flows are told one by one.
    pub listed: bool,
    /// The bundle whose flows are told one by one: its source and its target.
    pub bundle: Option<BundleName>,
    /// Whether the proof of the connection is shown.
    pub proof: bool,
    /// Breaks that the witness has put aside: whose, and since when. The next break of the same is another.
    pub ignored: Vec<(EntityId, Timestamp)>,
}

impl Gaze {
    /// Whether the break of this agent has been put aside.
    #[must_use]
    pub fn ignores(&self, agent: &AgentView) -> bool {
        self.ignored.iter().any(|(id, since)| *id == agent.id && *since == agent.entity.since)
    }

    /// Closes what opened last.
    pub fn close_last(&mut self) {
        if self.sheet.is_some() {
            self.sheet = None;
        } else if self.proof {
            self.proof = false;
        } else if self.raw {
            self.raw = false;
        } else if self.entity.is_some() {
            self.entity = None;
        } else if self.bundle.is_some() {
            self.bundle = None;
        } else if self.listed {
            self.listed = false;
        } else {
            self.everyone = false;
        }
    }
}

/// What the filter finds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SoughtView {
    /// Whether there is one that leaves anything out.
    pub is_on: bool,
    /// What makes no sense in it, in words; empty when all does.
    pub fault: String,
    /// How much it takes, in words.
    pub told: String,
    /// In whose logs it takes how many lines, with their names: as many as there is room for.
    pub logs: Vec<(EntityId, String, usize)>,
    /// Keys of the witness's seeds that it leaves out.
    pub seeds_out: Vec<String>,
}

/// Somebody looked at closely.
#[derive(Debug, Clone, PartialEq)]
pub struct DetailView {
    /// Who it is.
    pub id: EntityId,
    /// What the fold says of it; the last that was known when it is gone.
    pub entity: Entity,
    /// Whether the fold holds it no longer.
    pub gone: bool,
    /// The flows that it has a part in.
    pub flows: Vec<FlowRow>,
    /// What it has done, newest first.
    pub history: Vec<Rc<HistoryItem>>,
    /// How many log lines the page holds of it, and how many older ones it holds no longer.
    pub log_counts: (usize, u64),
    /// Its log lines, oldest first, when they are looked at.
    pub log: Vec<Line>,
    /// Which of those the filter takes, counted from its first ever; in order.
    pub found: Vec<u64>,
    /// In which half hours of six days it was at work, oldest first.
    pub days: Vec<bool>,
    /// When asked for: its newest event as it came, empty when the page no longer holds it.
    pub raw: Option<String>,
}
