//! What is no event and no frame is refused, and it is said where it is wrong.

mod reading;

use monkeytown_protocol::{Frame, Problem, PublishReceipt, limits::FILES_MAX};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A sound event of the type with `data`; `more` attributes end in a comma.
fn event(more: &str, event_type: &str, data: &str) -> String {
    format!(r#"{{"specversion":"1.0","id":"1","source":"/s",{more}"type":"{event_type}","data":{data}}}"#)
}

fn assert_refused_at(pointer: &str, json: &str) {
    let refusal = reading::event(json).expect_err(json);
    assert_eq!(refusal.pointer, pointer, "{json} was refused: {}", refusal.message);
    assert!(!refusal.message.is_empty());
}

#[test]
fn a_malformed_envelope_is_refused_where_it_is_wrong() {
    let known = "monkeytown.entity.deleted";
    let data = r#"{"id":"a"}"#;
    assert!(reading::event(&event("", known, data)).is_ok(), "the table's events differ in one thing from a sound one");
    let long = "x".repeat(513);
    let too_long_id = "x".repeat(257);
    for (pointer, json) in [
        ("", "{".to_owned()),
        ("", "nothing".to_owned()),
        ("", "null".to_owned()),
        ("", format!("{} {{}}", event("", known, data))),
        ("", format!(r#"["1.0","1","/s","{known}",null,null,null,null,null,null,{data}]"#)),
        ("", format!(r#"{{"specversion":"1.0","source":"/s","type":"{known}","data":{data}}}"#)),
        ("", format!(r#"{{"id":"1","source":"/s","type":"{known}","data":{data}}}"#)),
        ("/specversion", event("", known, data).replace("1.0", "0.3")),
        ("/specversion", event("", known, data).replace(r#""1.0""#, "1.0")),
        ("/id", event("", known, data).replace(r#""id":"1""#, r#""id":"""#)),
        ("/id", event("", known, data).replace(r#""id":"1""#, r#""id":7"#)),
        ("/id", event("", known, data).replace(r#""id":"1""#, r#""id":"a\u0007b""#)),
        ("/id", event("", known, data).replace(r#""id":"1""#, &format!(r#""id":"{too_long_id}""#))),
        ("", event(r#""id":"2","#, known, data)),
        ("/source", event("", known, data).replace("/s", "")),
        ("/type", event("", "", data)),
        ("/type", event("", &long, data)),
        ("/time", event(r#""time":"yesterday","#, known, data)),
        ("/time", event(r#""time":1768737600,"#, known, data)),
        ("/recordedtime", event(r#""recordedtime":"2026-02-30T00:00:00Z","#, known, data)),
        ("/subject", event(&format!(r#""subject":"{long}","#), known, data)),
        ("/traceparent", event(&format!(r#""traceparent":"{long}","#), known, data)),
        ("/causationid", event(&format!(r#""causationid":"{long}","#), known, data)),
        ("/datacontenttype", event(r#""datacontenttype":"text/xml","#, known, data)),
        ("/data", event("", known, "null")),
        ("/data", event("", known, data).replace(r#","data":{"id":"a"}"#, "")),
    ] {
        assert_refused_at(pointer, &json);
    }
}

#[test]
fn malformed_data_is_refused_where_it_is_wrong() {
    let flow = |more: &str| format!(r#"{{"id":"f","source":"a","target":"b",{more}"kind":"message"}}"#);
    let long = "x".repeat(2_049);
    for (pointer, event_type, data) in [
        ("/data", "entity.created", r#"{"id":"a"}"#.to_owned()),
        ("/data", "entity.status_changed", r#"{"id":"a"}"#.to_owned()),
        ("/data", "entity.metrics_updated", r#"{"id":"a"}"#.to_owned()),
        ("/data", "entity.updated", r#"{"activity":"sleeping"}"#.to_owned()),
        ("/data", "entity.deleted", r#"["a"]"#.to_owned()),
        ("/data", "entity.deleted", r#""a""#.to_owned()),
        ("/data/id", "entity.updated", r#"{"id":""}"#.to_owned()),
        ("/data/id", "entity.updated", r#"{"id":null}"#.to_owned()),
        ("/data/kind", "entity.created", r#"{"id":"a","kind":"monkey"}"#.to_owned()),
        ("/data/status", "entity.status_changed", r#"{"id":"a","status":"sleeping"}"#.to_owned()),
        ("/data/label", "entity.updated", format!(r#"{{"id":"a","label":"{long}"}}"#)),
        ("/data/activity", "entity.updated", r#"{"id":"a","activity":["b"]}"#.to_owned()),
        ("/data/progress", "entity.updated", r#"{"id":"a","progress":1.5}"#.to_owned()),
        ("/data/progress", "entity.updated", r#"{"id":"a","progress":"half"}"#.to_owned()),
        ("/data/metrics/load", "entity.updated", r#"{"id":"a","metrics":{"load":-0.1}}"#.to_owned()),
        ("/data/metrics/connections", "entity.updated", r#"{"id":"a","metrics":{"connections":-1}}"#.to_owned()),
        ("/data/metrics/connections", "entity.updated", r#"{"id":"a","metrics":{"connections":1.5}}"#.to_owned()),
        ("/data/metrics", "entity.updated", r#"{"id":"a","metrics":[0.5,0.5,3]}"#.to_owned()),
        ("/data/domain", "entity.updated", r#"{"id":"a","domain":["web/src/",168]}"#.to_owned()),
        ("/data/parent", "entity.updated", r#"{"id":"a","parent":""}"#.to_owned()),
        ("/data/url", "entity.updated", r#"{"id":"a","url":"javascript:alert(1)"}"#.to_owned()),
        ("/data/url", "entity.updated", r#"{"id":"a","url":"http://example.org"}"#.to_owned()),
        ("/data/domain", "entity.updated", r#"{"id":"a","domain":{"path":"web/src/"}}"#.to_owned()),
        ("/data/domain/files", "entity.updated", r#"{"id":"a","domain":{"path":"w/","files":4294967296}}"#.to_owned()),
        ("/data/files", "entity.updated", format!(r#"{{"id":"a","files":{}}}"#, json!(vec!["a"; FILES_MAX + 1]))),
        ("/data/files/1", "entity.updated", r#"{"id":"a","files":["a",7]}"#.to_owned()),
        ("/data/files", "entity.updated", r#"{"id":"a","files":"a"}"#.to_owned()),
        ("/data", "flow.created", r#"{"id":"f","source":"a","kind":"message"}"#.to_owned()),
        ("/data", "flow.complete", flow(r#""status":"active","#)),
        ("/data", "flow.failed", flow(r#""status":"complete","#)),
        ("/data/status", "flow.created", flow(r#""status":"lost","#)),
        ("/data/kind", "flow.created", flow("").replace("message", "bananas")),
        ("/data/progress", "flow.progress", flow(r#""progress":2,"#)),
        ("/data/reason", "flow.failed", flow(r#""reason":{},"#)),
        ("/data", "seed.planted", r#"{"id":"s"}"#.to_owned()),
        ("/data", "seed.planted", r#"{"id":"s","type":"query","status":"growing"}"#.to_owned()),
        ("/data/type", "seed.planted", r#"{"id":"s","type":"wish"}"#.to_owned()),
        ("/data/progress", "seed.progress", r#"{"id":"s","type":"query","progress":-1}"#.to_owned()),
        ("/data/result", "seed.complete", r#"{"id":"s","type":"query","result":"ftp://x"}"#.to_owned()),
        ("/data/load", "system.metrics", r#"{"load":86}"#.to_owned()),
        ("/data/active_agents", "system.metrics", r#"{"active_agents":-6}"#.to_owned()),
        ("/data", "system.alert", r#"{"id":"a","severity":"critical"}"#.to_owned()),
        ("/data/severity", "system.alert", r#"{"id":"a","severity":"loud","message":"m"}"#.to_owned()),
        ("/data/resolved", "system.alert", r#"{"id":"a","severity":"info","message":"m","resolved":"no"}"#.to_owned()),
        ("/data/health", "system.health_changed", r#"{"health":"fine"}"#.to_owned()),
        ("/data/level", "log.line", r#"{"entity":"a","level":"trace","message":"m"}"#.to_owned()),
        ("/data", "log.line", r#"{"entity":"a","level":"info"}"#.to_owned()),
    ] {
        assert_refused_at(pointer, &event("", &format!("monkeytown.{event_type}"), &data));
    }
}

#[test]
fn an_event_of_somebody_elses_type_is_never_refused_for_its_data() {
    for data in ["null", "7", "[1]", r#""text""#, r#"{"id":7,"status":{}}"#] {
        for name in ["org.example.other", "monkeytown.banana.peeled"] {
            let read = reading::event(&event(r#""datacontenttype":"text/plain","#, name, data));
            assert_eq!(read.expect(data).payload.type_name(), name);
        }
    }
}

fn read_frame(json: &str) -> Result<Frame<Value, Value>, reading::Refusal> {
    reading::value(json)
}

#[test]
fn a_malformed_frame_is_refused_by_what_it_lacks() {
    let hello = include_str!("golden/frames/hello_with_snapshot.json");
    let heartbeat = include_str!("golden/frames/heartbeat_with_clock.json");
    let events = |first: &str, last: &str, events: &str| {
        format!(r#"{{"kind":"events","epoch":"k3","first":{first},"last":{last},"events":{events}}}"#)
    };
    assert!(
        read_frame(hello).is_ok() && read_frame(heartbeat).is_ok() && read_frame(&events("3", "4", "[{}]")).is_ok()
    );
    for (said, json) in [
        ("invalid type: sequence", r#"["bye"]"#.to_owned()),
        ("EOF", hello.replacen('}', "", 1)),
        ("missing field `kind`", "{}".to_owned()),
        ("unknown kind \"welcome\"", hello.replace(r#""hello""#, r#""welcome""#)),
        ("duplicate field `head`", hello.replacen(r#""head""#, r#""head": 1, "head""#, 1)),
        ("\"head\"", hello.replace(r#""head": 41,"#, "")),
        ("\"head\"", hello.replace(r#""head": 41"#, r#""head": -2"#)),
        ("invalid value", hello.replace(r#""head": 41"#, r#""head": 18446744073709551615"#)),
        ("a cursor is", hello.replace("k3_A-9:41", "k3_A-9:-2")),
        ("a cursor is", hello.replace("\"epoch\": \"k3_A-9\"", "\"epoch\": \"k 3\"")),
        ("an offset is", hello.replace(r#""offset": 41"#, r#""offset": -2"#)),
        ("\"recovered\"", hello.replace("\"recovered\": false,", "")),
        ("\"clock_rate\"", hello.replace("3600.0", "-1")),
        ("\"clock_rate\"", hello.replace("3600.0", "null")),
        ("out of range", hello.replace("3600.0", "1e999")),
        ("expected value", hello.replace("3600.0", "NaN")),
        ("unknown variant", hello.replace("\"git\"", "\"invented\"")),
        ("\"epoch\"", events("3", "4", "[]").replace(r#""epoch":"k3","#, "")),
        ("\"first\"", events("null", "4", "[]")),
        ("\"last\"", events("4", "3", "[]")),
        ("invalid value", events("-1", "3", "[]")),
        ("\"events\"", events("3", "3", "null")),
        ("\"events\"", events("3", "4", "[{},{},{}]")),
        ("\"offset\"", r#"{"kind":"caught_up"}"#.to_owned()),
        ("\"offset\"", r#"{"kind":"caught_up","offset":-2}"#.to_owned()),
        ("\"server_time\"", r#"{"kind":"heartbeat","head":3}"#.to_owned()),
        ("\"head\"", heartbeat.replace("1044", "-2")),
        ("\"clock_rate\"", heartbeat.replace("3600.0", "-0.5")),
        ("expected value", heartbeat.replace("3600.0", "NaN")),
        ("\"reason\"", r#"{"kind":"bye","reconnect_after_ms":1}"#.to_owned()),
        ("\"reconnect_after_ms\"", r#"{"kind":"bye","reason":"r"}"#.to_owned()),
        ("invalid value", r#"{"kind":"bye","reason":"r","reconnect_after_ms":-1}"#.to_owned()),
    ] {
        let refusal = read_frame(&json).expect_err(&json);
        assert!(refusal.message.contains(said), "{json} was refused: {}", refusal.message);
    }
}

#[test]
fn the_whole_range_of_offsets_may_be_covered() {
    let frame = r#"{"kind":"events","epoch":"k3","first":0,"last":18446744073709551615,"events":[{},{}]}"#;
    assert!(read_frame(frame).is_ok());
}

#[test]
fn a_malformed_answer_to_a_publisher_is_refused() {
    let problem = include_str!("golden/problems/malformed_event.json");
    assert!(reading::value::<Problem>(&problem.replace("422", "70000")).is_err());
    assert!(reading::value::<Problem>(&problem.replace("\"detail\"", "\"details\"")).is_err());
    let receipt = include_str!("golden/problems/receipt.json");
    assert!(reading::value::<PublishReceipt>(&receipt.replace("1045", "-1")).is_err());
    assert!(reading::value::<PublishReceipt>(&receipt.replace("k3_A-9", "")).is_err());
}
