//! What happened, as data. Each mailer has its own sink; nothing goes to a global logger.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

/// Something that happened. Fields never hold a token, secret, code or AUTH line.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Such as `token.refreshed`; the list stands in `docs/events.md`.
    pub name: &'static str,
    /// Its data: strings, numbers, booleans.
    pub fields: Map<String, Value>,
}

impl Event {
    /// An event without fields.
    pub fn new(name: &'static str) -> Self {
        Self { name, fields: Map::new() }
    }

    /// Adds a field.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(key.to_owned(), value.into());
        self
    }
}

/// Where events go. Called on the thread where they happen: it must be quick and must not block.
#[derive(Clone, Default)]
pub struct EventSink(Option<Arc<Listener>>);

type Listener = dyn Fn(&Event) + Send + Sync;

impl EventSink {
    /// A sink that calls `f`.
    pub fn new(f: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(f)))
    }

    /// Hands an event on; builds it only if somebody listens.
    pub fn emit(&self, event: impl FnOnce() -> Event) {
        if let Some(f) = &self.0 {
            f(&event());
        }
    }
}

impl fmt::Debug for EventSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "EventSink(..)" } else { "EventSink(none)" })
    }
}
