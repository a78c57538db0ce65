//! Binary content mode: attributes in `ce-` headers, the body is `data` (CloudEvents HTTP binding 1.0.2, section 3.1).
//!
//! Makes the JSON of the same event, so that there is one way in and one set of checks.

use super::decode::{DecodeError, is_json};
use axum::http::{HeaderMap, header};
use serde_json::value::RawValue;
use std::fmt::Write;

const PREFIX: &str = "ce-";

/// The event of a request, as the JSON format has it.
pub(super) fn assemble(headers: &HeaderMap, body: &[u8]) -> Result<String, DecodeError> {
    let mut json = String::from("{");
    for name in headers.keys() {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        let pointer = format!("/{attribute}");
        if matches!(attribute, "data" | "data_base64" | "datacontenttype") {
            return Err(DecodeError::invalid(pointer, "this is not sent as a ce- header in binary mode"));
        }
        let mut values = headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(DecodeError::invalid(pointer, "the header is given more than once"));
        };
        let value = decode_value(value.as_bytes())
            .ok_or_else(|| DecodeError::invalid(pointer, "the header is not percent-encoded UTF-8"))?;
        push(&mut json, attribute, &quoted(&value));
    }
    if !body.is_empty() {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.filter(|value| is_json(value)).ok_or(DecodeError::MediaType)?;
        push(&mut json, "datacontenttype", &quoted(content_type));
        let data: &RawValue = serde_json::from_slice(body)
            .map_err(|error| DecodeError::malformed("/data", format!("the body is not JSON: {error}")))?;
        push(&mut json, "data", data.get());
    }
    json.push('}');
    Ok(json)
}

fn push(json: &mut String, name: &str, value: &str) {
    let comma = if json.len() > 1 { "," } else { "" };
    write!(json, "{comma}{}:{value}", quoted(name)).expect("a String takes everything");
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is always JSON")
}

/// Undoes a header value's quoting and percent-encoding (section 3.1.3.2).
fn decode_value(value: &[u8]) -> Option<String> {
    let unquoted = match value {
        [b'"', inner @ .., b'"'] => {
            let mut plain = Vec::with_capacity(inner.len());
            let mut bytes = inner.iter();
            while let Some(byte) = bytes.next() {
                plain.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
            }
            plain
        }
        plain => plain.to_vec(),
    };
    let mut decoded = Vec::with_capacity(unquoted.len());
    let mut bytes = unquoted.into_iter();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        decoded.push(digit()? * 16 + digit()?);
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_values_are_decoded_as_the_binding_says() {
        for (value, plain) in [
            ("plain", Some("plain")),
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", Some("Euro € 😀")),
            (r#""a \"quoted\" word""#, Some(r#"a "quoted" word"#)),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode_value(value.as_bytes()).as_deref(), plain, "{value}");
        }
    }
}
