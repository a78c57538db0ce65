//! What comes in, and what it comes to.

use super::*;

struct Page {
    ingest: Ingest,
    state: Civilization,
}

impl Page {
    fn greeted() -> Self {
        let mut page = Self { ingest: Ingest::default(), state: Civilization::default() };
        let hello = page.frame(
            r#"{"kind":"hello","epoch":"e","head":-1,"from":"e:-1","recovered":true,"heartbeat_ms":25000,
            "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
            "version":"0.1.0","source_kind":"git"}"#,
        );
        assert!(matches!(hello, Intake::Greeted { loss: Loss::Nothing, .. }), "{hello:?}");
        page
    }

    fn frame(&mut self, text: &str) -> Intake {
        let now = Timestamp::from_millis(0);
        self.ingest.take(text, &mut self.state, &mut Changes::default(), now)
    }

    fn events(&mut self, first: u64, ids: &[&str]) -> Intake {
        let events: Vec<String> = ids.iter().map(|id| agent(id)).collect();
        let last = first + ids.len() as u64 - 1;
        let events = events.join(",");
        self.frame(&format!(r#"{{"kind":"events","epoch":"e","first":{first},"last":{last},"events":[{events}]}}"#))
    }

    fn offset(&self) -> Option<Offset> {
        self.ingest.position().and_then(|position| position.after)
    }
}

fn agent(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/test","type":"monkeytown.entity.created",
        "time":"2026-01-18T12:00:00Z","data":{{"id":"{id}","kind":"agent"}}}}"#
    )
}

#[test]
fn events_are_applied_in_order_and_counted() {
    let mut page = Page::greeted();
    assert_eq!(page.events(0, &["a", "b"]), Intake::Taken);
    assert_eq!(page.state.entities().len(), 2);
    assert_eq!((page.offset(), page.ingest.counters().received), (Some(Offset(1)), 2));
}

#[test]
fn an_event_that_comes_again_is_dropped_and_counted() {
    let mut page = Page::greeted();
    page.events(0, &["a", "b"]);
    page.events(1, &["b", "c"]);
    page.events(0, &["a"]);
    page.events(3, &["a"]);
    let counters = page.ingest.counters();
    assert_eq!((counters.received, counters.duplicates, page.offset()), (3, 3, Some(Offset(3))));
}

#[test]
fn offsets_that_cannot_be_are_refused_and_those_that_follow_are_applied() {
    let mut page = Page::greeted();
    for (first, last) in [("0", "18446744073709551615"), ("5", "2")] {
        let frame = format!(r#"{{"kind":"events","epoch":"e","first":{first},"last":{last},"events":[]}}"#);
        assert_eq!(page.frame(&frame), Intake::Unreadable, "{first}..={last}");
    }
    assert_eq!(page.events(0, &["a"]), Intake::Taken);
    assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(0)), 0));
}

#[test]
fn a_frame_after_a_gap_is_not_applied() {
    let mut page = Page::greeted();
    page.events(0, &["a"]);
    assert_eq!(page.events(2, &["c"]), Intake::Gap);
    assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(0)), 0));
}

#[test]
fn events_of_another_epoch_are_never_applied() {
    let mut page = Page::greeted();
    let frame = format!(r#"{{"kind":"events","epoch":"other","first":0,"last":0,"events":[{}]}}"#, agent("a"));
    assert_eq!(page.frame(&frame), Intake::Gap);
}

#[test]
fn a_malformed_event_costs_itself_and_not_its_frame() {
    let mut page = Page::greeted();
    let frame = format!(
        r#"{{"kind":"events","epoch":"e","first":0,"last":2,"events":[{},{{"specversion":"0.3"}},{}]}}"#,
        agent("a"),
        agent("b")
    );
    assert_eq!(page.frame(&frame), Intake::Taken);
    let counters = page.ingest.counters();
    assert_eq!((counters.received, counters.unreadable, counters.holes), (2, 1, 1));
}

#[test]
fn what_an_event_carries_beside_costs_nobody_a_frame() {
    let deep = format!("{}{}", "[".repeat(8_000), "]".repeat(8_000));
    for (number, strange) in [r#""\ud800""#, "1e999", &deep].into_iter().enumerate() {
        let mut page = Page::greeted();
        let with_extension = agent("a").replacen('{', &format!(r#"{{"extension":{strange},"#), 1);
        let asked_for = agent("b").replace(r#""kind":"agent""#, &format!(r#""kind":{strange}"#));
        let events = [with_extension, asked_for, agent("c")].join(",");
        let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":2,"events":[{events}]}}"#);
        assert_eq!(page.frame(&frame), Intake::Taken, "{number}");
        let counters = page.ingest.counters();
        assert_eq!((counters.received, counters.unreadable, counters.holes), (2, 1, 1), "{number}");
        let why = counters.last_unreadable.as_deref().unwrap_or_default();
        assert!(why.contains("event b") && why.contains("`kind`"), "{why}");
    }
}

#[test]
fn malformed_frames_are_counted_and_never_fatal() {
    let mut page = Page::greeted();
    for text in ["", "{", "[]", "null", r#"{"kind":"unheard"}"#, r#"{"kind":"events","first":1}"#] {
        assert_eq!(page.frame(text), Intake::Unreadable, "{text}");
    }
    assert_eq!(page.ingest.counters().unreadable, 6);
    assert_eq!(page.events(0, &["a"]), Intake::Taken);
}

#[test]
fn a_frame_that_twice_brings_less_than_it_covers_leaves_holes() {
    let mut page = Page::greeted();
    let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":4,"events":[{}]}}"#, agent("a"));
    assert_eq!(page.frame(&frame), Intake::Gap);
    assert_eq!(page.frame(&frame), Intake::Taken);
    assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(4)), 4));
}

#[test]
fn a_lost_tail_is_noticed_by_the_second_heartbeat() {
    let mut page = Page::greeted();
    page.events(0, &["a"]);
    let heartbeat = r#"{"kind":"heartbeat","head":5,"server_time":"2026-01-18T12:00:00Z"}"#;
    assert!(matches!(page.frame(heartbeat), Intake::Heartbeat { .. }));
    assert_eq!(page.frame(heartbeat), Intake::Gap);
}

#[test]
fn a_stream_that_falls_behind_this_page_is_asked_anew() {
    let mut page = Page::greeted();
    page.events(0, &["a", "b"]);
    let behind = r#"{"kind":"heartbeat","head":0,"server_time":"2026-01-18T12:00:00Z"}"#;
    assert!(matches!(page.frame(behind), Intake::Heartbeat { .. }));
    assert_eq!(page.frame(behind), Intake::Gap);
}

#[test]
fn a_page_that_knows_nothing_does_not_join_in_the_middle() {
    let mut page = Page { ingest: Ingest::default(), state: Civilization::default() };
    let hello = r#"{"kind":"hello","epoch":"e","head":9,"from":"e:7","recovered":true,"heartbeat_ms":25000,
        "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
        "version":"0.1.0","source_kind":"git"}"#;
    assert_eq!(page.frame(hello), Intake::Gap);
}

#[test]
fn a_heartbeat_ahead_of_events_on_their_way_is_no_gap() {
    let mut page = Page::greeted();
    let ahead = r#"{"kind":"heartbeat","head":1,"server_time":"2026-01-18T12:00:00Z"}"#;
    page.frame(ahead);
    page.events(0, &["a"]);
    assert!(matches!(page.frame(ahead), Intake::Heartbeat { .. }));
}

#[test]
fn a_stream_that_does_not_continue_the_state_is_not_joined() {
    let mut page = Page::greeted();
    page.events(0, &["a"]);
    let hello = r#"{"kind":"hello","epoch":"e","head":9,"from":"e:7","recovered":true,"heartbeat_ms":25000,
        "server_time":"2026-01-18T12:00:00.000Z","clock":"2026-01-18T12:00:00.000Z","clock_rate":1,
        "version":"0.1.0","source_kind":"git"}"#;
    assert_eq!(page.frame(hello), Intake::Gap);
}

#[test]
fn what_is_only_in_the_summary_is_counted() {
    let mut page = Page::greeted();
    page.events(0, &["a", "b"]);
    let hello = |epoch: &str| {
        format!(
            r#"{{"kind":"hello","epoch":"{epoch}","head":90,"from":"{epoch}:81","recovered":false,
            "snapshot":{{"epoch":"{epoch}","offset":81,"state":{{}}}},"heartbeat_ms":25000,
            "server_time":"2026-01-18T12:00:00Z","clock":"2026-01-18T12:00:00Z","clock_rate":1,"version":"",
            "source_kind":"git"}}"#
        )
    };
    let Intake::Greeted { terms, loss, replaced } = page.frame(&hello("e")) else { panic!("a hello") };
    assert_eq!((loss, replaced.is_some(), terms.behind), (Loss::Events(80), true, 9));
    assert!(matches!(page.frame(&hello("f")), Intake::Greeted { loss: Loss::Epoch, .. }));
    assert_eq!((page.offset(), page.ingest.counters().holes), (Some(Offset(81)), 0));
}
