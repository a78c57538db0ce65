//! The page's reader of JSON against an independent one: the same texts are JSON, and they say the same.

use monkeytown_protocol::{Json, NotJson, json::DEPTH_MAX, limits::EVENT_MAX_BYTES};
use proptest::{prelude::*, sample::Index};
use serde::de::IgnoredAny;
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Fewer where a test has one thread and no optimizer.
const CASES: u32 = if cfg!(target_arch = "wasm32") { 256 } else { 1_024 };

/// Whether something in it is what a tree does not hold.
fn has_opaque(json: &Json<'_>) -> bool {
    match json {
        Json::Opaque => true,
        Json::List(items) => items.iter().any(has_opaque),
        Json::Object(members) => members.iter().any(|(_, value)| has_opaque(value)),
        _ => false,
    }
}

fn is_near(ours: f64, theirs: f64) -> bool {
    // The smallest floats have few digits.
    (ours - theirs).abs() <= theirs.abs() * 1e-14 + f64::MIN_POSITIVE * 1e-12
}

fn is_same(ours: &Json<'_>, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Whole(ours), Value::Number(theirs)) => theirs.as_u64() == Some(*ours),
        (Json::Negative(ours), Value::Number(theirs)) => *ours < 0 && theirs.as_i64() == Some(*ours),
        (Json::Fraction(ours), Value::Number(theirs)) => {
            theirs.is_f64() && theirs.as_f64().is_some_and(|theirs| is_near(*ours, theirs))
        }
        (Json::Text(ours), Value::String(theirs)) => *ours == **theirs,
        (Json::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            // They keep the last of a name.
            let last = |name: &str| ours.iter().rev().find(|(ours, _)| ours == name).map(|(_, value)| value);
            ours.iter().all(|(name, _)| theirs.contains_key(&**name))
                && theirs.iter().all(|(name, theirs)| last(name).is_some_and(|ours| is_same(ours, theirs)))
        }
        _ => false,
    }
}

fn assert_agreement(text: &str) {
    let ours = Json::parse(text);
    assert_eq!(ours.is_ok(), serde_json::from_str::<IgnoredAny>(text).is_ok(), "whether it is JSON: {text:?}");
    match (ours, serde_json::from_str::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => assert!(is_same(&ours, &theirs), "{text:?}: {ours:?} is not {theirs:?}"),
        (Ok(ours), Err(why)) => assert!(has_opaque(&ours), "{text:?} is {ours:?}, but {why}"),
        (Err(why), theirs) => assert!(theirs.is_err(), "{text:?}: {why:?}"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[a-c]{0,2}|\\PC{0,4}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Pieces of which most are almost JSON.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"a\":",
        "\"\\u00e9\"",
        "\\",
        "\\ud83d",
        "\\ude00",
        "\\u0000",
        "/",
        "true",
        "false",
        "null",
        "tru",
        "0",
        "00",
        "-",
        "-0",
        "1",
        "12",
        ".",
        ".5",
        "e",
        "E+3",
        "e-400",
        "1e400",
        " ",
        "\t",
        "\n",
        "\r",
        "\u{b}",
        "\u{1f}",
        "\u{feff}",
        "é",
        "😀",
        "NaN",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_json_says_the_same(value in value(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        assert_agreement(&text.expect("a value is JSON"));
    }

    #[test]
    fn json_with_a_changed_byte_or_a_lost_end_is_judged_the_same(
        value in value(), at in any::<Index>(), byte: u8, cut: bool
    ) {
        let mut bytes = value.to_string().into_bytes();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        assert_agreement(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_almost_json_is_judged_the_same(text in pieces()) {
        assert_agreement(&text);
    }

    #[test]
    fn strings_with_escapes_are_judged_the_same(
        inner in prop::collection::vec("\\\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\\\u[0-9a-g]{4}|\\\\[ -~]|[ -~]|\\PC", 0..8)
    ) {
        assert_agreement(&format!("\"{}\"", inner.concat()));
    }

    #[test]
    fn numbers_are_judged_the_same(text in "-?(0|[1-9][0-9]{0,25}|0[0-9])(\\.[0-9]{0,25})?([eE][+-]?[0-9]{0,3})?") {
        assert_agreement(&text);
    }

    #[test]
    fn arbitrary_text_is_judged_the_same(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        assert_agreement(&text);
        assert_agreement(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn integers_are_exact_to_their_ends() {
    for (text, value) in [
        ("0", Json::Whole(0)),
        ("9007199254740993", Json::Whole(9_007_199_254_740_993)),
        ("18446744073709551615", Json::Whole(u64::MAX)),
        ("-1", Json::Negative(-1)),
        ("-9223372036854775808", Json::Negative(i64::MIN)),
        ("18446744073709551616", Json::Fraction(18_446_744_073_709_551_616.0)),
        ("-9223372036854775809", Json::Fraction(-9_223_372_036_854_775_809.0)),
        ("1.0", Json::Fraction(1.0)),
        ("1e3", Json::Fraction(1_000.0)),
        ("0.1", Json::Fraction(0.1)),
        ("3600.5", Json::Fraction(3_600.5)),
        ("0e999999999999", Json::Fraction(0.0)),
        ("1e-999999999999", Json::Fraction(0.0)),
        ("1e999999999999", Json::Opaque),
    ] {
        assert_agreement(text);
        assert_eq!(Json::parse(text), Ok(value), "{text}");
    }
}

proptest! {
    #[test]
    fn shares_as_the_stream_writes_them_come_back_exactly(share in 0.0_f32..=1.0) {
        let text = serde_json::to_string(&share).expect("a share is JSON");
        let read = match Json::parse(&text) {
            Ok(Json::Fraction(read)) => read,
            other => panic!("{text}: {other:?}"),
        };
        #[expect(clippy::cast_possible_truncation, reason = "this is what a share is read as")]
        let narrowed = read as f32;
        prop_assert_eq!(narrowed.to_bits(), share.to_bits());
    }
}

#[test]
fn what_a_tree_does_not_hold_spoils_nothing_beside_it() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for strange in [r#""\ud800""#, r#""\udc00\ud800x""#, "1e999", "-1e999", r#"{"\ud800":1,"b":[2]}"#] {
        assert_eq!(Json::parse(strange), Ok(Json::Opaque), "{strange}");
    }
    for strange in [r#""\ud800""#, "1e999", r#"{"\ud800":[1,{}],"b":2}"#, &deep] {
        let text = format!(r#"{{"strange":{strange},"sound":[1]}}"#);
        match Json::parse(&text) {
            Ok(Json::Object(members)) => {
                assert_eq!(members.last(), Some(&("sound".into(), Json::List(vec![Json::Whole(1)]))), "{strange}");
            }
            other => panic!("{strange}: {other:?}"),
        }
    }
}

#[test]
fn pairs_of_surrogates_are_joined_from_end_to_end() {
    for high in ["D7FF", "d800", "DBFF", "dc00"] {
        for low in ["DBFF", "dc00", "DFFF", "e000"] {
            for text in [format!(r#""\u{high}\u{low}""#), format!(r#""a\u{high}""#), format!(r#""\u{low}b""#)] {
                assert_agreement(&text);
            }
        }
    }
    assert_eq!(Json::parse(r#""\uD83D\uDE00""#), Ok(Json::Text("😀".into())));
}

#[test]
fn nesting_is_held_refused_and_stopped_at_its_bounds() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [DEPTH_MAX, DEPTH_MAX + 1, EVENT_MAX_BYTES] {
        assert_agreement(&nested(depth));
        assert_eq!(has_opaque(&Json::parse(&nested(depth)).expect("brackets in pairs")), depth > DEPTH_MAX);
    }
    // Neither the stack nor the heap may pay for a million brackets.
    assert!(matches!(Json::parse(&nested(1_000_000)), Err(NotJson::Unexpected(_))));
    assert_eq!(Json::parse(&"{\"\":".repeat(100)), Err(NotJson::Ended));
}

#[test]
fn what_is_not_json_is_refused_where_it_is_wrong() {
    for (text, refusal) in [
        ("", NotJson::Ended),
        ("  ", NotJson::Ended),
        ("[1,", NotJson::Ended),
        ("\"abc", NotJson::Ended),
        ("[1 2]", NotJson::Unexpected(3)),
        ("{} {}", NotJson::Unexpected(3)),
        ("[1}", NotJson::Unexpected(2)),
        ("{1:2}", NotJson::Unexpected(1)),
        ("[01]", NotJson::Unexpected(2)),
        ("\"a\nb\"", NotJson::Unexpected(2)),
        ("[1]\0", NotJson::Unexpected(3)),
    ] {
        assert_eq!(Json::parse(text), Err(refusal), "{text:?}");
    }
}
