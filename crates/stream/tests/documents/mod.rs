//! The documents of the API as a stream serves them, and whether what it says is what they say.

use jsonschema::{Keyword, ValidationError, Validator};
use monkeytown_stream::{Log, Metrics, Options, RingBounds, Server};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};
use tokio::net::TcpListener;

/// Longest frame that is looked at.
const LOOKED_AT_MAX_BYTES: usize = 64 * 1024;
/// Events of one frame or batch that are looked at.
const LOOKED_AT_MAX: usize = 4;

/// Both documents, and the schemas of both.
pub(crate) struct Documents {
    pub(crate) openapi: Value,
    pub(crate) asyncapi: Value,
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Text counted in bytes, which JSON Schema cannot.
struct MaxBytes(usize);

impl<'i> Keyword<'i> for MaxBytes {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom("has too many bytes")) }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        instance.as_str().is_none_or(|text| text.len() <= self.0)
    }
}

impl Documents {
    /// The documents, asked for once of a stream of their own.
    pub(crate) fn get() -> &'static Self {
        static DOCUMENTS: OnceLock<Documents> = OnceLock::new();
        DOCUMENTS.get_or_init(|| std::thread::spawn(Self::asked).join().expect("the documents are served"))
    }

    fn asked() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let [openapi, asyncapi] = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let base = format!("http://{}", listener.local_addr().unwrap());
            let metrics = Metrics::new();
            let log = Log::new(RingBounds { max_events: 1, max_bytes: 1 }, metrics.clone());
            tokio::spawn(Server::new(log, metrics, Options::default()).serve(listener, std::future::pending()));
            let mut documents = [Value::Null, Value::Null];
            for (document, name) in documents.iter_mut().zip(["openapi", "asyncapi"]) {
                let answer = reqwest::get(format!("{base}/api/{name}.json")).await.unwrap();
                assert_eq!((answer.status().as_u16(), &answer.headers()["content-type"]), (200, &json_type()));
                *document = answer.json().await.unwrap();
            }
            documents
        });
        // One names the other by the address that it has beside it.
        let here = |document: &Value| -> Map<String, Value> {
            let text = document["components"]["schemas"].to_string().replace("./openapi.json#", "#");
            serde_json::from_str(&text).unwrap()
        };
        let mut schemas = here(&openapi);
        for (name, schema) in here(&asyncapi) {
            assert!(schemas.insert(name.clone(), schema).is_none(), "both documents have a schema {name}");
        }
        let components = json!({"schemas": schemas});
        Self { openapi, asyncapi, components, validators: Mutex::default() }
    }

    /// The schema called `name`, of either document.
    pub(crate) fn schema(&self, name: &str) -> &Value {
        let schema = &self.components["schemas"][name];
        assert!(!schema.is_null(), "no schema is called {name}");
        schema
    }

    /// What tells what `schema` takes.
    pub(crate) fn validator(&self, schema: &Value) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let make = || {
            let mut whole = schema.clone();
            whole["components"] = self.components.clone();
            let validator = jsonschema::options()
                .with_draft(jsonschema::Draft::Draft202012)
                .should_validate_formats(true)
                .with_keyword("x-maxBytes", |_, value: &Value, _| {
                    let most = value.as_u64().and_then(|most| usize::try_from(most).ok());
                    most.map(|most| Box::new(MaxBytes(most)) as Box<dyn for<'i> Keyword<'i>>)
                        .ok_or_else(|| ValidationError::custom("x-maxBytes is a number of bytes"))
                })
                .build(&whole);
            Arc::new(validator.unwrap_or_else(|error| panic!("{schema}: {error}")))
        };
        Arc::clone(validators.entry(schema.to_string()).or_insert_with(make))
    }

    /// The schema called `name`, as one refers to it.
    pub(crate) fn named(name: &str) -> Value {
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    /// Holds `value` against `schema`.
    pub(crate) fn hold(&self, schema: &Value, value: &Value, what: &str) {
        let validator = self.validator(schema);
        let wrong: Vec<String> =
            validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{what} is not what the document says: {wrong:#?}\n{value}");
    }

    /// Holds a frame against the schema of its kind, which both channels of frames must name. Of many events the first are
    /// looked at, and long frames not at all: tests of load have hundreds of thousands, and read as fast as they can.
    pub(crate) fn hold_frame(&self, text: &str) {
        if text.len() > LOOKED_AT_MAX_BYTES {
            return;
        }
        let mut frame: Value =
            serde_json::from_str(text).unwrap_or_else(|why| panic!("a frame is JSON: {why}\n{text}"));
        if let Some(events) = frame.get_mut("events").and_then(Value::as_array_mut) {
            events.truncate(LOOKED_AT_MAX);
        }
        let kind = frame["kind"].as_str().unwrap_or_default();
        for channel in ["frames", "sentEvents"] {
            let message = &self.asyncapi["channels"][channel]["messages"][kind]["$ref"];
            assert_eq!(message, &json!(format!("#/components/messages/{kind}")), "{channel} does not know {kind}");
        }
        self.hold(&self.asyncapi["components"]["messages"][kind]["payload"], &frame, kind);
    }

    /// Holds one message of `cloudevents.json` against that of its type.
    pub(crate) fn hold_event(&self, event: &Value) {
        let messages = &self.asyncapi["channels"]["cloudEvents"]["messages"];
        let name = event["type"].as_str().unwrap_or_default();
        let name = if messages[name].is_null() { "other" } else { name };
        let payload = self.asyncapi["components"]["messages"][name]["payload"].to_string();
        self.hold(&serde_json::from_str(&payload.replace("./openapi.json#", "#")).unwrap(), event, name);
    }

    /// Holds a close code against those of the channel.
    pub(crate) fn hold_close(&self, code: u16) {
        let known = &self.asyncapi["channels"]["frames"]["x-close-codes"][code.to_string()];
        // 1000 and what is none: the answer to a client that closes, and a connection that broke.
        assert!(known.is_string() || [0, 1000, 1005].contains(&code), "the close code {code} is not in the document");
    }

    /// Holds an answer against the document, and gives it back whole. What does not end is looked at by its head alone.
    pub(crate) async fn hold_answer(&self, method: &str, answer: reqwest::Response) -> reqwest::Response {
        let path = answer.url().path().to_owned();
        let operations = &self.openapi["paths"][&path];
        let status = answer.status().as_u16();
        if operations.is_null() || status == 405 {
            return answer;
        }
        let what = format!("{method} {path}, {status}");
        let told = &operations[method]["responses"][status.to_string()];
        assert!(told.is_object(), "{what} is not in the document");
        for name in answer.headers().keys() {
            let ours = name.as_str().starts_with("monkeytown-");
            let ours = ours || ["retry-after", "www-authenticate", "link", "etag"].contains(&name.as_str());
            let headers = told["headers"].as_object();
            let is_told = headers.is_some_and(|told| told.keys().any(|told| told.eq_ignore_ascii_case(name.as_str())));
            assert!(!ours || is_told, "{what} has {name}, which is not in the document");
        }
        let essence = |media: &str| media.split(';').next().unwrap_or_default().trim().to_owned();
        let media = answer.headers().get("content-type").map(|media| essence(media.to_str().unwrap()));
        let Some(media) = media else {
            assert!(told.get("content").is_none(), "{what} has no content, against the document");
            return answer;
        };
        let contents = told["content"].as_object().unwrap_or_else(|| panic!("{what}: {media} is not in the document"));
        let content = contents.iter().find(|(name, _)| essence(name) == media);
        let (_, content) = content.unwrap_or_else(|| panic!("{what}: {media} is not in the document"));
        if media == "text/event-stream" {
            return answer;
        }
        let (version, headers) = (answer.version(), answer.headers().clone());
        let body = answer.bytes().await.unwrap();
        if media.ends_with("json") {
            let mut value: Value = serde_json::from_slice(&body).unwrap_or_else(|why| panic!("{what}: {why}"));
            if let Some(events) = value.as_array_mut() {
                events.truncate(LOOKED_AT_MAX);
            }
            self.hold(&content["schema"], &value, &what);
        }
        let mut whole = axum::http::Response::new(reqwest::Body::from(body));
        *whole.status_mut() = axum::http::StatusCode::from_u16(status).unwrap();
        *whole.version_mut() = version;
        *whole.headers_mut() = headers;
        reqwest::Response::from(whole)
    }
}

fn json_type() -> reqwest::header::HeaderValue {
    reqwest::header::HeaderValue::from_static("application/json")
}
