//! Values as WebDriver `BiDi` writes them, and as JSON.

use serde_json::{Map, Value};

/// The JSON that a value of a page comes to; what JSON does not know is null.
pub(super) fn plain(remote: &Value) -> Value {
    let value = remote.get("value");
    match (remote.get("type").and_then(Value::as_str), value) {
        (Some("string" | "number" | "boolean"), Some(value)) => value.clone(),
        (Some("array"), Some(Value::Array(items))) => items.iter().map(plain).collect(),
        (Some("object"), Some(Value::Array(fields))) => {
            let fields = fields.iter().filter_map(|field| match field.as_array()?.as_slice() {
                [Value::String(name), value] => Some((name.clone(), plain(value))),
                _ => None,
            });
            Value::from(fields.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_of_a_page_comes_to_the_json_that_the_page_would_write() {
        let remote = json!({"type": "array", "value": [
            {"type": "string", "value": "a"}, {"type": "number", "value": 1.5}, {"type": "boolean", "value": true},
            {"type": "undefined"}, {"type": "null"}, {"type": "promise", "handle": "1"},
            {"type": "object", "value": [["b", {"type": "array", "value": []}]]},
        ]});
        assert_eq!(plain(&remote), json!(["a", 1.5, true, null, null, null, {"b": []}]));
    }
}
