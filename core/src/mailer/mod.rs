//! The one public object: a message goes in, tokens and connections are found, a receipt comes out.

mod build;
mod bulk;
mod export;
mod outbox;
mod running;
mod send;
mod shared_bulk;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::address::MailboxOption;
use crate::call::{Call, Cancel};
use crate::config::{self, Load, Options, Settings, Surroundings};
use crate::error::{Error, ErrorCode, Result};
use crate::fork::ForkCell;
use crate::host::Host;
use crate::message::{Blob, Content, Message};
use crate::sign_in::{Login, LoginRequest};
use crate::smtp::{self, Route};
use crate::token::TokenSource;

pub use self::bulk::{Bulk, Counts};
pub use self::export::prometheus;
pub use self::outbox::Kept;
use self::running::Running;
pub use self::shared_bulk::SharedBulk;
pub use self::verify::VerifyRequest;

/// Sends mail. Cheap to clone; clones share everything. Safe to use from many threads, from several
/// runtimes, and in forked children.
#[derive(Clone)]
pub struct Mailer {
    inner: Arc<MailerParts>,
}

struct MailerParts {
    settings: Arc<Settings>,
    host: Host,
    /// Absent for `provider = "memory"` without `auth`.
    tokens: Option<TokenSource>,
    running: ForkCell<Running>,
}

impl Mailer {
    /// Checks `options`; touches no network.
    ///
    /// # Errors
    /// `config_invalid`, naming the option and the cure.
    pub fn new(options: Options, host: Host) -> Result<Self> {
        let around = Surroundings::of(&host);
        let settings = Settings::resolve(options, host.spelling, around)
            .map_err(|error| config::spelled(error, host.spelling))?;
        let settings = Arc::new(settings);
        let tokens = match settings.auth {
            Some(_) => Some(TokenSource::with_settings(settings.clone(), host.clone())?),
            None => None,
        };
        Ok(Self { inner: Arc::new(MailerParts { settings, host, tokens, running: ForkCell::new() }) })
    }

    /// From options as JSON, in the host's spelling.
    ///
    /// # Errors
    /// `config_invalid`, naming the option by its full path.
    pub fn from_json(options: Value, host: Host) -> Result<Self> {
        let load = Load { overrides: options, ..Load::default() };
        let (options, _) = load.read(&host)?;
        Self::new(options, host)
    }

    /// From a file, the environment and the caller's own options.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn load(load: Load, mut host: Host) -> Result<Self> {
        let (options, persistent) = load.read(&host)?;
        host.persistent |= persistent;
        Self::new(options, host)
    }

    /// A message of fields, as [`Message::from_json`] reads them in the host's spelling; where they name no
    /// author, its Message-ID has the domain of this mailer's sender.
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub fn message(&self, fields: Value, blobs: Vec<Blob>) -> Result<Message> {
        // The tag comes back with the error, unless it may be what is wrong.
        let tag = fields.get("tag").and_then(Value::as_str).filter(|tag| !tag.contains(char::is_control));
        let tag = tag.map(str::to_owned);
        Message::read(fields, blobs, self.inner.host.spelling, self.sender().as_ref())
            .map_err(|error| error.with_message("", tag.as_deref()))
    }

    /// The octets that would be sent.
    ///
    /// # Errors
    /// `message_invalid`, also for a message with a stream, which could not be sent afterwards;
    /// `attachment_unreadable`.
    pub async fn render(&self, message: &Message) -> Result<Bytes> {
        Ok(self.preview(message).await?.bytes)
    }

    /// What [`send`](Self::send) would send, and to whom; nothing is sent.
    ///
    /// # Errors
    /// Those of [`render`](Self::render).
    pub async fn preview(&self, message: &Message) -> Result<Kept> {
        let _ticket = self.running().enter()?;
        let rendered = self.prepare(message).await?;
        let (content, envelope) = (rendered.content, rendered.envelope);
        let bytes = match content.in_memory() {
            Some(octets) => octets.clone(),
            None => {
                let loaded = tokio::task::spawn_blocking(move || content.load()).await;
                loaded.map_err(|e| {
                    Error::new(ErrorCode::Internal, format!("cannot build the message: {e}"))
                })??
            }
        };
        let tag = message.tag().map(str::to_owned);
        Ok(Kept { message_id: message.message_id().to_owned(), tag, envelope, bytes })
    }

    /// Begins a bulk send: see [`Bulk`].
    ///
    /// # Errors
    /// `closed`.
    pub fn bulk(&self, call: Call, runtime: tokio::runtime::Handle) -> Result<Bulk> {
        self.running().enter()?;
        Ok(Bulk::new(self.clone(), call, runtime))
    }

    /// Fetches the token and opens a connection ahead of need.
    ///
    /// # Errors
    /// Those of `send`, up to AUTH.
    pub async fn warm(&self, call: Call) -> Result<()> {
        let ticket = self.running().enter()?;
        let Some(route) = self.route() else { return Ok(()) };
        let timeout = call.timeout.or(self.inner.settings.timeout).unwrap_or(DEFAULT_TIMEOUT);
        let cancel = call.cancel.child();
        tokio::select! {
            biased;
            warmed = smtp::warm(&route, Instant::now() + timeout, &cancel) => warmed,
            () = forward(&ticket.ending, &cancel) => unreachable!("forwarding never ends"),
        }
    }

    /// A mailer for another mailbox that shares tokens, connections and store with this one.
    ///
    /// # Errors
    /// `config_invalid` if `username` is no address.
    pub fn for_mailbox(&self, username: &str, from: Option<MailboxOption>) -> Result<Self> {
        let settings = Arc::new(self.inner.settings.for_mailbox(username, from)?);
        let tokens = self.inner.tokens.as_ref().map(|tokens| tokens.for_mailbox(settings.clone()));
        let host = self.inner.host.clone();
        Ok(Self { inner: Arc::new(MailerParts { settings, host, tokens, running: ForkCell::new() }) })
    }

    /// The token half.
    ///
    /// # Errors
    /// `config_invalid` for `provider = "memory"` without `auth`.
    pub fn tokens(&self) -> Result<&TokenSource> {
        self.inner.tokens.as_ref().ok_or_else(|| {
            Error::config("auth", "this mailer has no tokens")
                .with_hint("Provider `memory` sends nothing; give it `auth` to use its tokens.")
        })
    }

    /// Begins a sign-in: see [`TokenSource::login`].
    ///
    /// # Errors
    /// Those of [`TokenSource::login`].
    pub async fn login(&self, request: LoginRequest) -> Result<Login> {
        self.tokens()?.login(request).await
    }

    /// Goes on with a sign-in that another process began.
    ///
    /// # Errors
    /// `login_invalid`.
    pub fn resume_login(&self, saved: &str) -> Result<Login> {
        self.tokens()?.resume_login(saved)
    }

    /// What `provider = "memory"` kept of the last 1,000 messages, oldest first; empty for others.
    pub fn outbox(&self) -> Vec<Kept> {
        self.running().outbox.all()
    }

    /// The mailer's numbers as data: counters since it was made, `seconds` by stage; beside them how its mailbox
    /// and its tokens stand in this process, whichever mailer used them (`docs/monitoring.md`).
    pub fn metrics(&self) -> Value {
        let (running, settings) = (self.running(), &self.inner.settings);
        let pool = self.route().map(|route| smtp::numbers(&route)).unwrap_or_default();
        let mut all = running.metrics.to_json();
        let tokens = self.inner.tokens.as_ref().and_then(TokenSource::numbers);
        for (name, value) in [
            ("in_flight", json!(running.in_flight())),
            ("connections_open", json!(pool.open)),
            ("connections_idle", json!(pool.idle)),
            ("connections_limit", json!(settings.smtp.max_connections)),
            ("waiting", json!(pool.waiting)),
            ("messages_last_minute", json!(pool.messages_last_minute)),
            ("messages_per_minute_limit", json!(settings.smtp.messages_per_minute)),
            ("recipients_of_a_day", json!(pool.recipients_last_day)),
            ("recipients_of_a_day_limit", json!(settings.preset.recipients_of_a_day)),
            ("paused", json!(pool.paused.map(|left| left.as_secs_f64()))),
            ("tokens", tokens.unwrap_or(Value::Null)),
        ] {
            all.insert(name.to_owned(), value);
        }
        Value::Object(all)
    }

    /// Tells the numbers of this process, those of other mailers too, to an OpenTelemetry collector (OTLP/HTTP,
    /// JSON), once: call it every minute or so. `endpoint` is its base URL; absent, the variable
    /// `OTEL_EXPORTER_OTLP_ENDPOINT` says it, else it is `http://localhost:4318`. `OTEL_EXPORTER_OTLP_HEADERS`,
    /// `…_TIMEOUT`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` count too; `tls` and `http.proxy` are this
    /// mailer's.
    ///
    /// # Errors
    /// `config_invalid` naming the variable; `connect_failed`; `certificate_invalid`; `cancelled`, `timed_out`.
    pub async fn export_metrics(&self, endpoint: Option<&str>, call: Call) -> Result<()> {
        let told = export::export(&self.inner.settings, endpoint);
        call.within(Some(DEFAULT_TIMEOUT), "the collector did not answer", told).await
    }

    /// Refuses new sends with `closed`, waits at most `timeout` (default 30 s) for running ones, then cancels them. A refresh token
    /// that was posted is waited for besides, for at most 30 seconds: what comes back for it must be kept. May be
    /// repeated.
    pub async fn close(&self, timeout: impl Into<Option<Duration>>) {
        let timeout = timeout.into().unwrap_or(CLOSING_TIME);
        self.running().end(timeout).await;
        if let Some(tokens) = &self.inner.tokens {
            tokens.settled().await;
        }
        if let Some(route) = self.route() {
            smtp::close_idle(&route).await;
        }
    }

    /// The options, as they were understood.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    fn running(&self) -> &Running {
        self.inner.running.get(Running::begin)
    }

    fn route(&self) -> Option<Route> {
        let settings = &self.inner.settings;
        if settings.preset.name == "memory" {
            return None;
        }
        Some(Route {
            settings: settings.smtp.clone(),
            roots: settings.roots.clone(),
            username: settings.username.clone(),
            tokens: self.inner.tokens.clone()?,
            events: self.inner.host.events.clone(),
        })
    }

    /// The sender of messages that name no author: `from`, else the mailbox, else the account that is signed in.
    pub fn sender(&self) -> Option<MailboxOption> {
        let settings = &self.inner.settings;
        let account = || self.inner.tokens.as_ref()?.account().map(|account| account.username);
        settings.from.clone().or_else(|| {
            let address = settings.username.clone().or_else(account)?;
            Some(MailboxOption { name: None, address })
        })
    }
}

impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailer")
            .field("provider", &self.inner.settings.preset.name)
            .field("username", &self.inner.settings.username)
            .finish_non_exhaustive()
    }
}

/// Passes the mailer's ending on to one send, for ever.
async fn forward(ending: &Cancel, cancel: &Cancel) {
    ending.cancelled().await;
    cancel.cancel();
    std::future::pending::<()>().await;
}

async fn whole(content: &Content) -> Result<Bytes> {
    match content.in_memory() {
        Some(octets) => Ok(octets.clone()),
        None => content.clone().read().collect().await,
    }
}

/// What `close` waits for running sends.
const CLOSING_TIME: Duration = Duration::from_secs(30);

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
