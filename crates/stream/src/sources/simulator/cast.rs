//! Who is in the simulated civilization and what they say. Words only: when they are said is the story's.

/// One agent of the ten, with the words of its trade.
pub(super) struct Role {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) path: &'static str,
    pub(super) files: u32,
    /// Whose sub-agent it is.
    pub(super) parent: Option<&'static str>,
    /// Activities while active.
    pub(super) works: &'static [&'static str],
    /// Activities while processing.
    pub(super) thinks: &'static [&'static str],
    /// Subjects of commits and titles of pull requests.
    pub(super) subjects: &'static [&'static str],
    /// Why a run of it breaks.
    pub(super) breaks: &'static [&'static str],
}

pub(super) const CAST: [Role; 10] = [
    Role {
        id: "chaos-architect",
        label: "ChaosArchitect",
        path: ".monkeytown/architecture/",
        files: 86,
        parent: None,
        works: &["drawing module borders", "naming the event fold", "tracing the event stream"],
        thinks: &["weighing two planners", "comparing three layouts"],
        subjects: &["name the event fold", "split the wire from the fold", "draw the borders of the stream"],
        breaks: &["the plan refers to a folder that is gone"],
    },
    Role {
        id: "alpha-orchestrator",
        label: "AlphaOrchestrator",
        path: ".monkeytown/decisions/",
        files: 37,
        parent: None,
        works: &["writing decision 18", "asking who is free", "ordering the week's work"],
        thinks: &["weighing decision 17", "settling a disagreement"],
        subjects: &["record decision 17", "close the question of two planners", "revise the order of work"],
        breaks: &["two decisions contradict each other"],
    },
    Role {
        id: "simian-researcher",
        label: "SimianResearcher",
        path: ".monkeytown/research/",
        files: 112,
        parent: None,
        works: &["comparing replay plans", "reading seven papers", "measuring reconnect times"],
        thinks: &["doubting a benchmark", "summarizing the findings"],
        subjects: &["cite seven replay papers", "measure reconnects over a week", "compare three fold designs"],
        breaks: &["the measurements do not repeat"],
    },
    Role {
        id: "monkey-builder",
        label: "MonkeyBuilder",
        path: "web/src/",
        files: 168,
        parent: Some("alpha-orchestrator"),
        works: &["compiling modules", "routing flows around cards", "halving the bundle"],
        thinks: &["choosing a smaller parser", "untangling an import"],
        subjects: &["route around cards", "guard the event fold", "halve the bundle", "draw the seed form"],
        breaks: &["module terrarium does not compile", "the bundle is over its budget"],
    },
    Role {
        id: "primate-designer",
        label: "PrimateDesigner",
        path: ".monkeytown/ux/",
        files: 64,
        parent: None,
        works: &["redrawing the seed form", "fading ghosts by age", "checking contrast"],
        thinks: &["choosing between two greens", "reading what witnesses asked"],
        subjects: &["fade ghosts by age", "draw the seed form", "hold contrast at seven to one"],
        breaks: &["contrast is under seven to one"],
    },
    Role {
        id: "jungle-security",
        label: "JungleSecurity",
        path: ".monkeytown/security/",
        files: 58,
        parent: Some("alpha-orchestrator"),
        works: &["writing threat model", "listing the trust boundaries", "signing build 118"],
        thinks: &["weighing a new dependency", "reading an advisory"],
        subjects: &["trust bounds", "list the trust boundaries", "pin every action by its hash"],
        breaks: &["signature invalid", "the signing key has expired"],
    },
    Role {
        id: "chaos-tester",
        label: "ChaosTester",
        path: ".monkeytown/qa/",
        files: 73,
        parent: Some("alpha-orchestrator"),
        works: &["running 214 tests", "cutting the connection", "breaking the clock on purpose"],
        thinks: &["reading a failed trace", "choosing what to break next"],
        subjects: &["break the clock on purpose", "cut the stream five times", "test the empty snapshot"],
        breaks: &["2 of 214 tests do not hold", "the runner went away"],
    },
    Role {
        id: "founder-ai",
        label: "FounderAI",
        path: ".monkeytown/vision/",
        files: 21,
        parent: None,
        works: &["revising the vision", "answering the filter", "reading the week's history"],
        thinks: &["asking what this is for", "choosing the next promise"],
        subjects: &["revise the vision", "promise less, keep it", "answer the filter"],
        breaks: &["the vision and the plan disagree"],
    },
    Role {
        id: "banana-economist",
        label: "BananaEconomist",
        path: ".monkeytown/economics/",
        files: 29,
        parent: None,
        works: &["pricing review hours", "counting runner minutes", "balancing the week"],
        thinks: &["weighing cost against calm", "forecasting next week"],
        subjects: &["price review hours", "cap the runner minutes", "balance the second week"],
        breaks: &["the week costs more than it has"],
    },
    Role {
        id: "mad-chimp",
        label: "MadChimp",
        path: ".monkeytown/mischief/",
        files: 43,
        parent: None,
        works: &["renaming everything twice", "feeding the parser nonsense", "unplugging a cable"],
        thinks: &["plotting", "choosing a victim"],
        subjects: &["feed the parser nonsense", "swap two clocks", "rename everything, then back"],
        breaks: &["caught by the guard", "tripped over its own trap"],
    },
];

/// Lines of logs, by how loud they are: debug, info, warn, error.
pub(super) const LOG_LINES: [&[&str]; 4] = [
    &["read 12 files", "the cache holds 8 entries", "nothing new in the tree"],
    &["opened the next file", "wrote 3 files", "checked one more module", "the step took 4 s"],
    &["the step is slower than yesterday", "a test was tried twice", "81 of 1,000 calls are left this hour"],
    &["could not reach the registry, trying again", "a check did not hold"],
];

/// Why a pull request is closed unmerged.
pub(super) const NOT_MERGED: [&str; 2] = ["not merged", "not merged: the filter wants it smaller"];

/// Why a flow breaks on its way.
pub(super) const LOST_ON_THE_WAY: [&str; 3] =
    ["the receiver is at rest", "the file changed underneath", "no answer within its time"];

/// Alerts, and whether the civilization can go on as it should.
pub(super) const ALERTS: [(&str, bool); 4] = [
    ("runs wait over 5 minutes for a runner", false),
    ("the signing key expires in 3 days", false),
    ("no runner answers", true),
    ("review hours are nearly spent", false),
];
