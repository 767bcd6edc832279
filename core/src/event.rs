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
    /// How loud it is.
    pub level: Level,
    /// The event's data: strings, numbers, booleans.
    pub fields: Map<String, Value>,
}

/// How loud an event is, for loggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For those who look for a fault.
    Debug,
    /// What happened.
    Info,
    /// What a person should look at.
    Warning,
}

/// A kind of event, for the documentation.
#[derive(Clone, Copy, Debug)]
pub struct EventKind {
    /// The event's name.
    pub name: &'static str,
    /// How loud it is.
    pub level: Level,
    /// The event's fields; durations are seconds.
    pub fields: &'static [&'static str],
    /// When it happens.
    pub meaning: &'static str,
}

/// Every kind of event.
pub const EVENTS: &[EventKind] = &[
    EventKind {
        name: "token.refreshed",
        level: Level::Info,
        fields: &["grant", "expires_in", "scopes", "request_id"],
        meaning: "The sign-in service gave a new token. Entra's own logs have the same `request_id`.",
    },
    EventKind {
        name: "token.refresh_failed",
        level: Level::Warning,
        fields: &["grant", "code", "message", "retryable"],
        meaning: "The sign-in service gave no token. mailbearer goes on with a token that is still valid.",
    },
    EventKind {
        name: "login.expiring",
        level: Level::Warning,
        fields: &["expires_in", "username", "hint"],
        meaning: "The service says that a person must sign in again within three days. Comes with each new token.",
    },
    EventKind {
        name: "credential.expiring",
        level: Level::Warning,
        fields: &["expires_in", "hint"],
        meaning: "The application's certificate ends within three weeks. Comes with each new token.",
    },
    EventKind {
        name: "login.required",
        level: Level::Warning,
        fields: &["code", "message", "hint"],
        meaning: "A person has to sign in, or to consent, again.",
    },
    EventKind {
        name: "smtp.connected",
        level: Level::Info,
        fields: &["host", "port", "connection", "tls"],
        meaning: "A connection was opened and signed in. Later events of this connection carry its number.",
    },
    EventKind {
        name: "smtp.closed",
        level: Level::Info,
        fields: &["host", "port", "connection", "reason"],
        meaning: "A connection was closed, by us or by the server.",
    },
    EventKind {
        name: "send.done",
        level: Level::Info,
        fields: &["message_id", "tag", "accepted", "rejected", "size", "attempts", "connection"],
        meaning: "The server took a message, for `accepted` recipients.",
    },
    EventKind {
        name: "recipient.refused",
        level: Level::Warning,
        fields: &["message_id", "tag", "address", "code", "reply"],
        meaning: "The server took a message, but not for this recipient.",
    },
    EventKind {
        name: "send.retrying",
        level: Level::Warning,
        fields: &["message_id", "attempt", "code", "delay"],
        meaning: "A try failed; another one follows after `delay`.",
    },
    EventKind {
        name: "send.failed",
        level: Level::Warning,
        fields: &["message_id", "tag", "code", "delivery", "retryable"],
        meaning: "A message was not sent. If `delivery` is `uncertain`, it may have gone out.",
    },
    EventKind {
        name: "send.cancelled",
        level: Level::Warning,
        fields: &["message_id", "tag", "code", "delivery", "retryable"],
        meaning: "The caller cancelled; `delivery` says whether the message may have gone out all the same.",
    },
    EventKind {
        name: "smtp.trace",
        level: Level::Debug,
        fields: &["connection", "direction", "line"],
        meaning: "With the option `trace`: one line of a connection, from the `client` or the `server`. Secrets and bodies are hidden.",
    },
    EventKind {
        name: "limit.waiting",
        level: Level::Info,
        fields: &["limit", "delay"],
        meaning: "A message waits because a limit is reached.",
    },
    EventKind {
        name: "warning",
        level: Level::Warning,
        fields: &["code", "message", "message_id"],
        meaning: "Something works, but somebody should look at it.",
    },
];

impl Event {
    /// An event without fields.
    pub fn new(name: &'static str) -> Self {
        let kind = EVENTS.iter().find(|kind| kind.name == name);
        debug_assert!(kind.is_some(), "{name} is in no table");
        Self { name, level: kind.map_or(Level::Info, |kind| kind.level), fields: Map::new() }
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
pub struct EventSink(Option<Arc<EventListener>>);

type EventListener = dyn Fn(&Event) + Send + Sync;

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
