//! How events, receipts and problems look, in JSON Schema: from the shapes that the wire's own declarations tell.
//!
//! JSON Schema counts characters where the wire counts bytes of UTF-8, so every text also carries `x-maxBytes`.

use monkeytown_protocol::{
    EventType,
    limits::ID_MAX_BYTES,
    shape::{FieldShape, Shape},
};
use serde_json::{Map, Value, json};

/// No control characters, as Unicode has them.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";
/// `https://`, an authority without credentials, then anything; no blanks of any kind.
const HTTPS: &str = r"^https://[^/?#@\\\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+([/?#][^\u0000-\u0020\u007f-\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*)?$";
/// Longest attribute that is no id, in bytes.
const ATTRIBUTE_MAX_BYTES: usize = 512;
/// A media type that is JSON; capitals do as well.
const JSON_MEDIA: &str = r"^\s*(application/json|[^;]*\+json)\s*(;.*)?$";
const EPOCH: &str = "^[A-Za-z0-9_-]{1,64}$";

/// Every schema that is made here, by name.
pub(super) fn all() -> Vec<(String, Value)> {
    let known = EventType::known();
    let names: Vec<&str> = known.iter().map(|(_, name)| *name).collect();
    let any: Vec<Value> = names.iter().copied().chain(["OtherEvent"]).map(reference).collect();
    let mut schemas = vec![
        ("Envelope".to_owned(), envelope()),
        (
            "Event".to_owned(),
            json!({"description": "One event, of a type that is known here or of any other.", "oneOf": any}),
        ),
        (
            "OtherEvent".to_owned(),
            event(
                &json!({"type": {"not": {"enum": names}}}),
                &[],
                "Of somebody else's type: stored, delivered, not drawn.",
            ),
        ),
        ("Batch".to_owned(), json!({"description": "Events, in order.", "type": "array", "items": reference("Event")})),
        ("Problem".to_owned(), problem()),
        ("PublishReceipt".to_owned(), receipt()),
    ];
    for (event_type, name) in known {
        let data = event_type.data_shape().as_ref().map_or(json!(true), schema);
        let media = json!({"type": ["string", "null"], "pattern": JSON_MEDIA});
        let attributes = json!({"type": {"const": name}, "datacontenttype": media, "data": data});
        schemas.push(((*name).to_owned(), event(&attributes, &["data"], &format!("An event of the type `{name}`."))));
    }
    schemas
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An event: the envelope, and what its type adds.
fn event(properties: &Value, required: &[&str], description: &str) -> Value {
    json!({
        "description": description,
        "allOf": [reference("Envelope"), {"type": "object", "properties": properties, "required": required}],
    })
}

/// The attributes of CloudEvents 1.0, as they are taken here.
fn envelope() -> Value {
    let attribute = |least: usize| {
        json!({
            "type": ["string", "null"], "minLength": least, "maxLength": ATTRIBUTE_MAX_BYTES,
            "x-maxBytes": ATTRIBUTE_MAX_BYTES, "pattern": PLAIN.replace('+', "*"),
        })
    };
    let id = schema(&Shape::Id { max_bytes: ID_MAX_BYTES });
    let moment = json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "description": "The attributes of a CloudEvent (CloudEvents 1.0, JSON format). With `source`, `id` is the identity: \
            the same pair again changes nothing. Others than these are kept as they came.",
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": id,
            "source": id,
            "type": {
                "type": "string", "minLength": 1, "maxLength": ATTRIBUTE_MAX_BYTES, "x-maxBytes": ATTRIBUTE_MAX_BYTES,
                "pattern": PLAIN,
            },
            "time": moment,
            "recordedtime": moment,
            "subject": attribute(1),
            "datacontenttype": attribute(0),
            "traceparent": attribute(0),
            "causationid": attribute(0),
        },
        "patternProperties": {"^(?!data$)": {"type": ["string", "number", "boolean", "null"]}},
        "propertyNames": {"pattern": "^([a-z0-9]+|data_base64)$"},
        "maxProperties": 64,
    })
}

/// A shape, in JSON Schema.
fn schema(shape: &Shape) -> Value {
    match shape {
        Shape::Text { max_bytes } => json!({"type": "string", "maxLength": max_bytes, "x-maxBytes": max_bytes}),
        Shape::Id { max_bytes } => {
            json!({"type": "string", "minLength": 1, "maxLength": max_bytes, "x-maxBytes": max_bytes, "pattern": PLAIN})
        }
        Shape::Address { max_bytes } => {
            json!({"type": "string", "maxLength": max_bytes, "x-maxBytes": max_bytes, "pattern": HTTPS})
        }
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        Shape::Count { max } => json!({"type": "integer", "minimum": 0, "maximum": max}),
        Shape::Truth => json!({"type": "boolean"}),
        Shape::List { of, max } => json!({"type": "array", "maxItems": max, "items": schema(of)}),
        Shape::Record(fields) => record(fields),
        Shape::OrNull(shape) => or_null(schema(shape)),
    }
}

fn record(fields: &[FieldShape]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|field| (field.name.to_owned(), schema(&field.shape))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

fn or_null(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    if let Some(one) = schema.remove("type") {
        schema.insert("type".to_owned(), json!([one, "null"]));
    }
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema.into()
}

fn problem() -> Value {
    json!({
        "description": "Why a request is refused (RFC 9457).",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": false,
        "properties": {
            "type": {"type": "string", "description": "The kind; about:blank, as the status says it all."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "minLength": 1, "description": "What is wrong this time, and what can be done."},
            "pointer": {
                "type": "string", "pattern": "^(/.*)?$",
                "description": "Where in the request it is wrong, as a JSON pointer (RFC 6901).",
            },
            "earliest": {
                "type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19})$",
                "description": "The oldest moment that can be gone to, where one that is older was asked for.",
            },
        },
    })
}

fn receipt() -> Value {
    let offset = json!({"type": "integer", "minimum": 0});
    json!({
        "description": "The events are taken, and as durable as the stream was configured to make them.",
        "type": "object",
        "required": ["epoch", "first", "last", "offsets", "duplicates"],
        "additionalProperties": false,
        "properties": {
            "epoch": {"type": "string", "pattern": EPOCH, "description": "The history that they are in."},
            "first": offset,
            "last": offset,
            "offsets": {
                "type": "array", "items": offset, "minItems": 1,
                "description": "One for each event sent, in the order sent.",
            },
            "duplicates": {
                "type": "integer", "minimum": 0, "description": "How many of them the stream already had.",
            },
        },
    })
}
