//! What the towns of the pictures are told: who lives there, what settled, what flows, each with its age. The figures
//! are those of the drawn design, so that a picture can be set beside it. Knows no page and no browser.

use monkeytown_protocol::Timestamp;
use serde_json::{Value, json};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Since when the agents are there.
const ARRIVED: i64 = 6 * DAY;

/// Something that happened: how many milliseconds ago, of what type, and its data.
struct Fact {
    age_millis: i64,
    kind: &'static str,
    data: Value,
}

/// What happened in a town.
#[derive(Default)]
pub(crate) struct Town {
    facts: Vec<Fact>,
}

struct Resident {
    id: &'static str,
    label: &'static str,
    path: &'static str,
    files: u32,
    status: &'static str,
    since_millis: i64,
    activity: Option<&'static str>,
    progress: Option<f64>,
    /// How long it rests when the whole town does.
    rest_minutes: i64,
}

const RESIDENTS: [Resident; 10] = [
    Resident {
        id: "chaos-architect",
        label: "ChaosArchitect",
        path: ".monkeytown/architecture/",
        files: 86,
        status: "active",
        since_millis: 4 * MINUTE,
        activity: Some("reviewing pull request 42"),
        progress: None,
        rest_minutes: 51,
    },
    Resident {
        id: "alpha-orchestrator",
        label: "AlphaOrchestrator",
        path: ".monkeytown/decisions/",
        files: 37,
        status: "processing",
        since_millis: 2 * MINUTE,
        activity: Some("weighing decision 17"),
        progress: None,
        rest_minutes: 55,
    },
    Resident {
        id: "simian-researcher",
        label: "SimianResearcher",
        path: ".monkeytown/research/",
        files: 112,
        status: "active",
        since_millis: 11 * MINUTE,
        activity: Some("comparing replay plans"),
        progress: None,
        rest_minutes: 61,
    },
    Resident {
        id: "monkey-builder",
        label: "MonkeyBuilder",
        path: "web/src/",
        files: 168,
        status: "active",
        since_millis: 3 * MINUTE,
        activity: Some("compiling modules"),
        progress: Some(0.62),
        rest_minutes: 43,
    },
    Resident {
        id: "primate-designer",
        label: "PrimateDesigner",
        path: ".monkeytown/ux/",
        files: 64,
        status: "complete",
        since_millis: 38 * SECOND,
        activity: Some("settled pull request 41"),
        progress: None,
        rest_minutes: 42,
    },
    Resident {
        id: "jungle-security",
        label: "JungleSecurity",
        path: ".monkeytown/security/",
        files: 58,
        status: "active",
        since_millis: 9 * MINUTE,
        activity: Some("writing threat model"),
        progress: Some(0.34),
        rest_minutes: 47,
    },
    Resident {
        id: "chaos-tester",
        label: "ChaosTester",
        path: ".monkeytown/qa/",
        files: 73,
        status: "processing",
        since_millis: MINUTE,
        activity: Some("running 214 tests"),
        progress: Some(0.71),
        rest_minutes: 44,
    },
    Resident {
        id: "founder-ai",
        label: "FounderAI",
        path: ".monkeytown/vision/",
        files: 21,
        status: "idle",
        since_millis: 14 * MINUTE,
        activity: None,
        progress: None,
        rest_minutes: 64,
    },
    Resident {
        id: "banana-economist",
        label: "BananaEconomist",
        path: ".monkeytown/economics/",
        files: 29,
        status: "idle",
        since_millis: 22 * MINUTE,
        activity: Some("waiting for review"),
        progress: None,
        rest_minutes: 66,
    },
    Resident {
        id: "mad-chimp",
        label: "MadChimp",
        path: ".monkeytown/mischief/",
        files: 43,
        status: "idle",
        since_millis: 31 * MINUTE,
        activity: None,
        progress: None,
        rest_minutes: 70,
    },
];

/// Who did it, its id, its title, how many milliseconds ago.
const SETTLED: [(&str, &str, &str, i64); 15] = [
    ("primate-designer", "pull:41", "fade ghosts by age", 38 * SECOND),
    ("monkey-builder", "commit:a3f9c21", "route flows around cards", 41 * SECOND),
    ("jungle-security", "commit:c81f0be", "list the trust boundaries", 2 * MINUTE),
    ("simian-researcher", "commit:b07e4aa", "cite seven replay papers", 3 * MINUTE),
    ("chaos-architect", "commit:3f9c21d", "name the event fold", 6 * MINUTE),
    ("founder-ai", "commit:e41d7c0", "revise the vision", 14 * MINUTE),
    ("banana-economist", "pull:40", "price review hours", 22 * MINUTE),
    ("chaos-tester", "commit:70aa9e2", "break the clock on purpose", 31 * MINUTE),
    ("chaos-tester", "commit:5be20f8", "run 209 tests, all held", 44 * MINUTE),
    ("alpha-orchestrator", "pull:39", "settle decision 16", 2 * HOUR),
    ("monkey-builder", "commit:19c0d3b", "halve the bundle", 3 * HOUR),
    ("primate-designer", "commit:f6027ae", "draw the seed form", 5 * HOUR),
    ("jungle-security", "commit:8ad4411", "close two open ports", 7 * HOUR),
    ("simian-researcher", "commit:d20b66f", "survey event logs", 8 * HOUR),
    ("alpha-orchestrator", "pull:38", "settle decision 15", 9 * HOUR),
];

/// Source, target, kind, status, progress.
const FLOWS: [(&str, &str, &str, &str, f64); 11] = [
    ("chaos-architect", "alpha-orchestrator", "message", "active", 0.5),
    ("chaos-architect", "monkey-builder", "contract", "active", 0.6),
    ("jungle-security", "chaos-architect", "signal", "active", 0.4),
    ("jungle-security", "monkey-builder", "message", "active", 0.3),
    ("monkey-builder", "chaos-tester", "resource", "active", 0.7),
    ("simian-researcher", "alpha-orchestrator", "resource", "active", 0.5),
    ("simian-researcher", "primate-designer", "message", "active", 0.9),
    ("monkey-builder", "primate-designer", "contract", "active", 0.95),
    ("jungle-security", "founder-ai", "message", "pending", 0.0),
    ("banana-economist", "monkey-builder", "contract", "pending", 0.0),
    ("chaos-tester", "mad-chimp", "signal", "pending", 0.0),
];

const KINDS: [&str; 4] = ["message", "resource", "contract", "signal"];

/// An even spread of whole numbers that is the same everywhere (the finisher of splitmix64).
fn scattered(number: u64) -> u64 {
    let mixed = (number.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn one_of<T>(list: &[T], number: u64) -> &T {
    let place = usize::try_from(scattered(number) % list.len() as u64).unwrap_or_default();
    list.get(place).expect("the remainder is a place in the list")
}

/// A commit's id at the length that Git gives it; another id as it is.
fn whole(id: &str) -> String {
    if id.starts_with("commit:") { format!("{id}{:033x}", scattered(id.len() as u64)) } else { id.to_owned() }
}

impl Town {
    /// The town of the drawn design.
    pub(crate) fn awake() -> Self {
        let mut town = Self::default();
        for one in &RESIDENTS {
            town.settle_in(one);
            if one.status == "idle" {
                town.work_until(one, one.since_millis);
            }
            let share = |turn: u32| (30 + scattered(one.files.into()).rotate_left(8 * turn) % 70) as f64 / 100.0;
            let metrics = json!({"efficiency": share(0), "load": share(1), "connections": 1 + one.files % 5});
            let mut now = json!({"id": one.id, "status": one.status, "activity": one.activity, "metrics": metrics});
            if let Some((progress, now)) = one.progress.zip(now.as_object_mut()) {
                now.insert("progress".to_owned(), progress.into());
            }
            town.tell(one.since_millis, "monkeytown.entity.status_changed", now);
        }
        town.hour(0);
        town.history(0);
        let open = json!({
            "id": "pull:42", "kind": "contract", "label": "guard the event fold", "status": "processing",
            "activity": "waiting for review", "parent": "monkey-builder",
        });
        town.tell(5 * MINUTE, "monkeytown.entity.created", open);
        for (place, (source, target, kind, status, progress)) in FLOWS.iter().enumerate() {
            town.flow(&format!("flow-{place}"), (source, target), kind, (status, *progress));
        }
        town.tell(5 * SECOND, "monkeytown.system.metrics", json!({"contracts_settled": 318}));
        town
    }

    /// The same town, everyone at rest.
    pub(crate) fn asleep() -> Self {
        let mut town = Self::default();
        for one in &RESIDENTS {
            town.settle_in(one);
            town.work_until(one, one.rest_minutes * MINUTE);
            let data = json!({"id": one.id, "status": "idle", "activity": null, "progress": null});
            town.tell(one.rest_minutes * MINUTE, "monkeytown.entity.status_changed", data);
        }
        town.hour(42 * MINUTE);
        town.history(41 * MINUTE);
        town
    }

    /// The same town after an agent and a flow have broken.
    pub(crate) fn broken() -> Self {
        let mut town = Self::awake();
        let data = json!({
            "id": "jungle-security", "status": "error", "reason": "signature invalid", "progress": null,
            "activity": "was signing build 118 for ChaosTester. the key expired 5m ago.",
        });
        town.tell(SECOND, "monkeytown.entity.status_changed", data);
        let lost = json!({
            "id": "flow-lost", "source": "jungle-security", "target": "chaos-tester", "kind": "message",
            "status": "active", "progress": 0.55,
        });
        town.tell(SECOND, "monkeytown.flow.started", lost.clone());
        let mut failed = lost;
        if let Some(fields) = failed.as_object_mut() {
            fields.insert("status".to_owned(), "error".into());
            fields.insert("reason".to_owned(), "signature invalid".into());
        }
        town.tell(0, "monkeytown.flow.failed", failed);
        let alert = json!({"id": "key", "severity": "warning", "message": "the signing key has expired"});
        town.tell(0, "monkeytown.system.alert", alert);
        town
    }

    /// The same town with `flows` more flows under way.
    pub(crate) fn with_flows(mut self, flows: u64) -> Self {
        for number in 0..flows {
            let source = one_of(&RESIDENTS, number);
            let others: Vec<&Resident> = RESIDENTS.iter().filter(|other| other.id != source.id).collect();
            let target = one_of(&others, number + 7_919);
            let state = if number % 5 == 0 { ("pending", 0.0) } else { ("active", 0.5) };
            let kind = one_of(&KINDS, number + 104_729);
            self.flow(&format!("storm-{number}"), (source.id, target.id), kind, state);
        }
        self
    }

    /// A town of 300 agents: a fifth of them awake, half of them with a parent, 40 flows among them.
    pub(crate) fn crowded() -> Self {
        const AGENTS: u64 = 300;
        let mut town = Self::default();
        for number in 0..AGENTS {
            let status = match number % 15 {
                0 | 7 => "active",
                3 => "processing",
                11 if number % 4 == 0 => "error",
                _ => "idle",
            };
            let files = scattered(number) % 200;
            let mut data = json!({
                "id": format!("agent-{number}"), "kind": "agent", "label": format!("Agent{number}"), "status": status,
                "activity": if status == "idle" { Value::Null } else { "laying stones".into() },
                "reason": if status == "error" { "out of stones".into() } else { Value::Null },
                "domain": {"path": format!("fields/{number}/"), "files": files},
            });
            if let Some(fields) = data.as_object_mut().filter(|_| number % 2 == 1) {
                fields.insert("parent".to_owned(), format!("agent-{}", number / 20 * 20).into());
            }
            let age = i64::try_from(scattered(number + 1) % 3_600).unwrap_or_default() * SECOND;
            town.tell(age, "monkeytown.entity.created", data);
        }
        for number in 0..40 {
            let (source, target) = (scattered(number) % AGENTS, scattered(number + 500) % AGENTS);
            let ends = (format!("agent-{source}"), format!("agent-{target}"));
            let kind = *one_of(&KINDS, number);
            town.flow(&format!("flow-{number}"), (&ends.0, &ends.1), kind, ("active", 0.5));
        }
        town.hour(0);
        town
    }

    /// The same town, its agents named and at work in every way that breaks a line.
    pub(crate) fn strangely_named() -> Self {
        let mut town = Self::awake();
        let long = "a name of two hundred characters that goes on about everything it ever did ".repeat(3);
        let unbroken = "Supercalifragilistic".repeat(10);
        let long: String = long.chars().take(200).collect();
        let names: [(&str, &str); 10] = [
            ("מהנדס הכאוס של העיר", "בודק בקשת משיכה 42 ב־web/src/"),
            ("مهندس الفوضى العظيم", "يراجع طلب السحب ٤٢"),
            ("🐒🍌👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈", "🛠️ compiling 🧱 modules 🧪"),
            (&long, &long),
            (&unbroken, &unbroken),
            ("建筑师・カオス・혼돈의 건축가", "正在审查第四十二号合并请求"),
            ("Z̷̗͠a̸͎̐l̵̰̈́g̶̢̛o̴̤͝ M̵̬̊o̷̘͌n̴̰̈k̶̻̀ë̸͖́y̵̛͇", "s̷t̷r̷i̷k̷i̷n̷g̷ ̷o̷u̷t̷"),
            ("\u{202e}desrever\u{202c} forwards", "\u{202e}gnikrow won"),
            ("<b>bold</b> & \"quoted\"", "<img src=x onerror=alert(1)>"),
            ("ﷺ a", "\u{2003}\u{2003}indented\u{200b}\u{200d}zero\u{feff}width"),
        ];
        for (one, (label, activity)) in RESIDENTS.iter().zip(names) {
            let data = json!({"id": one.id, "label": label, "activity": activity});
            town.tell(30 * SECOND, "monkeytown.entity.updated", data);
        }
        for (place, (label, _)) in names.iter().enumerate() {
            let data = json!({
                "id": whole(&format!("commit:0{place}face0")), "kind": "transaction", "label": label, "status": "complete",
                "parent": one_of(&RESIDENTS, place as u64).id,
            });
            town.tell(20 * SECOND, "monkeytown.entity.created", data);
        }
        town
    }

    /// All of it, oldest first, as a publisher writes it at `now`.
    pub(crate) fn events(mut self, now: Timestamp) -> Vec<Value> {
        self.facts.sort_by_key(|fact| std::cmp::Reverse(fact.age_millis));
        let event = |(number, fact): (usize, Fact)| {
            json!({
                "specversion": "1.0", "id": format!("picture-{number}"), "source": "/pictures", "type": fact.kind,
                "time": now.plus_millis(-fact.age_millis), "data": fact.data,
            })
        };
        self.facts.into_iter().enumerate().map(event).collect()
    }

    fn tell(&mut self, age_millis: i64, kind: &'static str, data: Value) {
        self.facts.push(Fact { age_millis, kind, data });
    }

    fn settle_in(&mut self, one: &Resident) {
        let data = json!({
            "id": one.id, "kind": "agent", "label": one.label, "status": "idle",
            "domain": {"path": one.path, "files": one.files},
        });
        self.tell(ARRIVED, "monkeytown.entity.created", data);
        // Some runs a day, at hours of its own.
        for day in 0..6 {
            for run in 0..4_u64 {
                let number = scattered(u64::from(one.files) * 97 + day * 4 + run);
                let begun = i64::try_from(day).unwrap_or_default() * DAY
                    + i64::try_from(number % 86_400).unwrap_or_default() * SECOND;
                let long = i64::try_from(20 + (number >> 32) % 160).unwrap_or_default() * MINUTE;
                if begun - long < 2 * HOUR || begun > ARRIVED {
                    continue;
                }
                let work = json!({"id": one.id, "status": "active", "activity": "reading the week's history"});
                self.tell(begun, "monkeytown.entity.status_changed", work);
                let rest = json!({"id": one.id, "status": "idle", "activity": null});
                self.tell(begun - long, "monkeytown.entity.status_changed", rest);
            }
        }
    }

    /// A run that ended so long ago: who has never worked has rested since it came.
    fn work_until(&mut self, one: &Resident, age_millis: i64) {
        let data = json!({"id": one.id, "status": "active", "activity": "reading the week's history"});
        self.tell(age_millis + 5 * MINUTE, "monkeytown.entity.status_changed", data);
    }

    fn flow(&mut self, id: &str, (source, target): (&str, &str), kind: &str, (status, progress): (&str, f64)) {
        let verb = if status == "pending" { "monkeytown.flow.created" } else { "monkeytown.flow.started" };
        let data = json!({
            "id": id, "source": source, "target": target, "kind": kind, "status": status, "progress": progress,
        });
        self.tell(10 * SECOND, verb, data);
    }

    /// What settled, `later_millis` longer ago than listed.
    fn history(&mut self, later_millis: i64) {
        for (agent, id, label, age) in SETTLED {
            let kind = if id.starts_with("pull") { "contract" } else { "transaction" };
            let data = json!({"id": whole(id), "kind": kind, "label": label, "status": "complete", "parent": agent});
            self.tell(age + later_millis, "monkeytown.entity.created", data);
        }
        let data = json!({
            "id": "pull:37", "kind": "contract", "label": "rename everything, then back", "status": "error",
            "reason": "not merged", "parent": "mad-chimp",
        });
        self.tell(45 * MINUTE + later_millis, "monkeytown.entity.created", data);
    }

    /// Lines of logs, more and fewer of them through the hour, up to `until_millis` ago.
    fn hour(&mut self, until_millis: i64) {
        const BIN_MILLIS: i64 = 30 * SECOND;
        for bin in until_millis / BIN_MILLIS..120 {
            let number = u64::try_from(bin).unwrap_or_default();
            let lines = 1 + scattered(number / 9) % 5 + scattered(number) % 3;
            for line in 0..lines {
                let one = one_of(&RESIDENTS, number * 31 + line);
                let data = json!({"entity": one.id, "level": "info", "message": format!("wrote {lines} files")});
                let within = i64::try_from(scattered(number * 17 + line) % 30_000).unwrap_or_default();
                self.tell(bin * BIN_MILLIS + within, "monkeytown.log.line", data);
            }
        }
    }
}
