//! Values made from a JSON Schema, as far as the documents of this stream use it; and values with one thing changed.

use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};

/// Values that `schema` takes. `components` is where its references lead.
pub(crate) fn values(schema: &Value, find: &impl Fn(&str) -> Value) -> BoxedStrategy<Value> {
    if let Some(reference) = schema["$ref"].as_str() {
        return values(&find(reference), find);
    }
    if let Some(any) = schema["oneOf"].as_array() {
        let any: Vec<_> = any.iter().map(|schema| values(schema, find)).collect();
        return proptest::strategy::Union::new(any).boxed();
    }
    if let Some(all) = schema["allOf"].as_array() {
        return values(&merged(all, find), find);
    }
    if let Some(only) = schema.get("const") {
        return Just(only.clone()).boxed();
    }
    if let Some(words) = schema["enum"].as_array() {
        return select(words.clone()).boxed();
    }
    if let Some(denied) = schema["not"]["enum"].as_array() {
        let denied = denied.clone();
        return "[a-z]{1,12}(\\.[a-z]{1,12}){1,3}"
            .prop_map(Value::from)
            .prop_filter("known", move |name| !denied.contains(name))
            .boxed();
    }
    match &schema["type"] {
        Value::Array(types) => {
            let any: Vec<_> = types
                .iter()
                .map(|one| {
                    let mut schema = schema.clone();
                    schema["type"] = one.clone();
                    values(&schema, find)
                })
                .collect();
            proptest::strategy::Union::new(any).boxed()
        }
        Value::String(one) => match one.as_str() {
            "null" => Just(Value::Null).boxed(),
            "boolean" => any::<bool>().prop_map(Value::from).boxed(),
            "integer" => {
                let most = schema["maximum"].as_u64().unwrap_or(u64::MAX);
                prop_oneof![0..=most, Just(most), Just(0)].prop_map(Value::from).boxed()
            }
            "number" => {
                if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("json")) {
                    return select(vec![
                        json!("application/json"),
                        json!("application/json; charset=utf-8"),
                        json!("application/geo+json"),
                    ])
                    .boxed();
                }
                let (least, most) =
                    (schema["minimum"].as_f64().unwrap_or(-1e9), schema["maximum"].as_f64().unwrap_or(1e9));
                prop_oneof![least..=most, Just(least), Just(most)].prop_map(|number| json!(number)).boxed()
            }
            "string" => texts(schema),
            "array" => {
                let most = schema["maxItems"].as_u64().map_or(4, |most| most.min(33));
                let sizes =
                    usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap()..=usize::try_from(most).unwrap();
                proptest::collection::vec(values(&schema["items"], find), sizes).prop_map(Value::from).boxed()
            }
            "object" => objects(schema, find),
            other => panic!("no values are made of type {other}"),
        },
        Value::Null => Just(json!({"anything": [1, null]})).boxed(),
        other => panic!("no values are made of {other}"),
    }
}

fn texts(schema: &Value) -> BoxedStrategy<Value> {
    if schema["format"] == "date-time" {
        let moments = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])";
        // At the edge of the years an offset leads out of them.
        return moments
            .prop_filter("an edge", |moment| !moment.starts_with("0000") && !moment.starts_with("9999"))
            .prop_map(Value::from)
            .boxed();
    }
    if schema["pattern"].as_str().is_some_and(|pattern| pattern.contains("json")) {
        return select(vec![
            json!("application/json"),
            json!("application/json; charset=utf-8"),
            json!("application/geo+json"),
        ])
        .boxed();
    }
    let (least, most) =
        (schema["minLength"].as_u64().unwrap_or(0), schema["x-maxBytes"].as_u64().expect("a bound of bytes"));
    if schema["pattern"].as_str().is_some_and(|pattern| pattern.starts_with("^https")) {
        return "https://[a-z0-9.]{1,20}(:[0-9]{1,4})?(/[a-zA-Z0-9%._~é-]{0,40}){0,3}(\\?[a-z=&]{0,20})?(#[a-z]{0,9})?"
            .prop_map(Value::from)
            .boxed();
    }
    let controls = if schema["pattern"].is_string() { "[^\\p{Cc}]" } else { "(?s:.)" };
    let short = format!("{controls}{{{least},24}}");
    // As long as may be: as many bytes as there are characters.
    let full = "x".repeat(usize::try_from(most).unwrap());
    prop_oneof![
        9 => proptest::string::string_regex(&short).expect("a pattern").prop_map(Value::from),
        1 => Just(Value::from(full)),
    ]
    .boxed()
}

fn objects(schema: &Value, find: &impl Fn(&str) -> Value) -> BoxedStrategy<Value> {
    let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let none = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&none);
    let fields: Vec<BoxedStrategy<Option<(String, Value)>>> = properties
        .iter()
        .map(|(name, schema)| {
            let name = name.clone();
            let is_needed = needed.contains(&name.as_str());
            let value = values(schema, find).prop_map(move |value| (name.clone(), value));
            if is_needed { value.prop_map(Some).boxed() } else { proptest::option::of(value).boxed() }
        })
        .collect();
    fields.prop_map(|fields| Value::Object(fields.into_iter().flatten().collect())).boxed()
}

/// Schemas that all hold, as one. What two say of a property, the later says.
fn merged(all: &[Value], find: &impl Fn(&str) -> Value) -> Value {
    let mut whole = json!({"type": "object", "properties": {}, "required": []});
    for schema in all {
        let schema = schema["$ref"].as_str().map_or_else(|| schema.clone(), find);
        let schema = schema["allOf"].as_array().map_or(schema.clone(), |all| merged(all, find));
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            whole["properties"][name] = property.clone();
        }
        let needed = schema["required"].as_array().cloned().unwrap_or_default();
        whole["required"].as_array_mut().expect("a list").extend(needed);
    }
    whole
}

/// Every place in `value`, as a JSON pointer.
pub(crate) fn places(value: &Value) -> Vec<String> {
    let mut places = vec![String::new()];
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        places.extend(places_under(&name, value));
    }
    places
}

fn places_under(name: &str, value: &Value) -> Vec<String> {
    places(value).into_iter().map(|place| format!("/{name}{place}")).collect()
}

/// One change at a place: something else there, or nothing.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Other(Value),
    Gone,
}

pub(crate) fn changes() -> impl Strategy<Value = Change> {
    let others = select(vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1.5),
        json!(7),
        json!(5_000_000_000_u64),
        json!(""),
        json!("x"),
        json!("a\u{1}b"),
        json!("http://example.org"),
        json!("https://user@example.org"),
        json!("2026-13-01T00:00:00Z"),
        json!("complete"),
        json!("x".repeat(257)),
        json!("é".repeat(200)),
        json!("x".repeat(513)),
        json!("x".repeat(2_049)),
        json!([]),
        json!([[]]),
        json!({}),
        json!(vec!["f"; 33]),
    ]);
    prop_oneof![4 => others.prop_map(Change::Other), 1 => Just(Change::Gone)]
}

/// `value` with `change` at `place`.
pub(crate) fn changed(mut value: Value, place: &str, change: Change) -> Value {
    match change {
        Change::Other(other) => {
            if let Some(found) = value.pointer_mut(place) {
                *found = other;
            }
        }
        Change::Gone => {
            let Some((parent, name)) = place.rsplit_once('/') else { return value };
            if let Some(fields) = value.pointer_mut(parent).and_then(Value::as_object_mut) {
                fields.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
        }
    }
    value
}
