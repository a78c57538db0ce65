//! Log lines: JSON on stdout, one object a line (`limits.md`, "Logs"). Who logs must put no token and no payload in.
//!
//! The first line says where the server listens. What is said before that, as by sources that are opened, follows it.
//!
//! The fields `trace_id`, `span_id` and `witness_id` of an event or of the spans around it have places of their own;
//! all others are `context`.

use crate::time;
use monkeytown_protocol::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, filter_fn},
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

const SERVICE: &str = "event-stream";
/// The target of the one line that is written at every level: where the server listens.
const LISTENING: &str = "monkeytown_stream::listening";
/// Fields with a place of their own.
const IDS: [&str; 3] = ["trace_id", "span_id", "witness_id"];

/// Lines that wait for the first; what is said beyond them is counted.
const WAITING_MAX: usize = 1_000;

/// Writes log lines of `level` and graver to stdout, from [`listening`] on.
///
/// # Errors
/// When somebody else in this process already does.
pub fn start(level: Level) -> Result<(), TryInitError> {
    let wanted = move |metadata: &Metadata<'_>| {
        let ours = metadata.target().starts_with("monkeytown");
        let level = if ours { level } else { level.min(Level::WARN) };
        metadata.target() == LISTENING || metadata.is_span() || *metadata.level() <= level
    };
    let layer = JsonLines::to(io::stdout());
    tracing_subscriber::registry()
        .with(layer.with_filter(filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG)))
        .try_init()
}

/// The first line: where the server listens, written at every level. Lines that were logged before follow it.
pub fn listening(address: std::net::SocketAddr) {
    tracing::info!(target: LISTENING, address = %address, "listening");
}

/// Fields of a span or an event.
#[derive(Default)]
struct Fields {
    message: Option<String>,
    ids: Map<String, Value>,
    context: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if name == "message" {
            self.message = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        } else if IDS.contains(&name) {
            self.ids.insert(name.to_owned(), value);
        } else {
            self.context.insert(name.to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }
}

struct JsonLines {
    out: Mutex<Out>,
}

struct Out {
    to: Box<dyn Write + Send>,
    /// What waits for the first line; none once that is written.
    waiting: Option<Waiting>,
}

#[derive(Default)]
struct Waiting {
    lines: Vec<String>,
    left_out: usize,
}

impl JsonLines {
    fn to(out: impl Write + Send + 'static) -> Self {
        Self { out: Mutex::new(Out { to: Box::new(out), waiting: Some(Waiting::default()) }) }
    }
}

impl Out {
    /// Writes `line`, which may be the `first`, or has it wait.
    fn take(&mut self, line: String, first: bool) -> io::Result<()> {
        if let Some(waiting) = self.waiting.as_mut().filter(|_| !first) {
            if waiting.lines.len() < WAITING_MAX {
                waiting.lines.push(line);
            } else {
                waiting.left_out += 1;
            }
            return Ok(());
        }
        self.to.write_all(line.as_bytes())?;
        if let Some(Waiting { lines, left_out }) = self.waiting.take() {
            for line in lines {
                self.to.write_all(line.as_bytes())?;
            }
            if left_out > 0 {
                let message = Some(format!("{left_out} lines that came before the first are left out"));
                let said = Fields { message, ..Fields::default() };
                self.to.write_all(self::line(Level::WARN, &said).as_bytes())?;
            }
        }
        self.to.flush()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for JsonLines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                said.ids.extend(fields.ids.clone());
                said.context.extend(fields.context.clone());
            }
        }
        event.record(&mut said);
        let line = line(*event.metadata().level(), &said);
        // A reader of the log that has gone must not take the server with it.
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.take(line, event.metadata().target() == LISTENING);
    }
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    level: String,
    service: &'static str,
    message: &'a str,
    trace_id: Option<&'a Value>,
    span_id: Option<&'a Value>,
    witness_id: Option<&'a Value>,
    context: &'a Map<String, Value>,
}

fn line(level: Level, said: &Fields) -> String {
    let line = Line {
        timestamp: time::now(),
        level: level.as_str().to_ascii_lowercase(),
        service: SERVICE,
        message: said.message.as_deref().unwrap_or_default(),
        trace_id: said.ids.get("trace_id"),
        span_id: said.ids.get("span_id"),
        witness_id: said.ids.get("witness_id"),
        context: &said.context,
    };
    let json = serde_json::to_string(&line).expect("a line has string keys and finite numbers");
    // JSON lets DEL and the C1 controls through; a terminal would act on them.
    let mut line: String =
        json.chars().map(|c| if c.is_control() { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() }).collect();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_hostile_word_stays_on_its_line_and_in_its_place() {
        let kept = Kept::default();
        let layer = JsonLines::to(kept.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let span = tracing::info_span!("subscriber", witness_id = "w1");
            let _entered = span.enter();
            tracing::warn!(reason = "a\nb\u{9b}31m\u{7f}", count = 3, "it\u{1b}[0m happened");
            listening(([127, 0, 0, 1], 80).into());
        });
        let text = String::from_utf8(kept.0.lock().expect("not poisoned").clone()).expect("text");
        assert_eq!(text.chars().filter(|c| c.is_control()).collect::<String>(), "\n\n");
        let line: Value = serde_json::from_str(text.lines().nth(1).expect("a second line")).expect("JSON");
        assert_eq!(line.get("message"), Some(&Value::from("it\u{1b}[0m happened")));
        assert_eq!(line.get("level"), Some(&Value::from("warn")));
        assert_eq!(line.get("witness_id"), Some(&Value::from("w1")));
        assert_eq!(line.get("trace_id"), Some(&Value::Null));
        assert_eq!(line.get("context"), Some(&serde_json::json!({"reason": "a\nb\u{9b}31m\u{7f}", "count": 3})));
    }

    #[test]
    fn what_is_said_before_the_first_line_follows_it_within_bounds() {
        let kept = Kept::default();
        let layer = JsonLines::to(kept.clone());
        let text = || String::from_utf8(kept.0.lock().expect("not poisoned").clone()).expect("text");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for _ in 0..WAITING_MAX + 5 {
                tracing::info!("early");
            }
            assert_eq!(text(), "");
            listening(([127, 0, 0, 1], 80).into());
            tracing::info!("late");
        });
        let text = text();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let said: Vec<&str> = lines.iter().filter_map(|line| line.get("message")?.as_str()).collect();
        assert_eq!(said.len(), WAITING_MAX + 3);
        assert_eq!(said.get(..2), Some(&["listening", "early"][..]));
        assert_eq!(said.get(WAITING_MAX + 1..), Some(&["5 lines that came before the first are left out", "late"][..]));
    }
}
