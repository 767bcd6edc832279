//! The one public object: a message goes in, tokens and connections are found, a receipt comes out.

mod build;
mod bulk;
mod export;
mod outbox;
mod running;
mod verify;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::address::MailboxOption;
use crate::call::{Call, Cancel};
use crate::config::{Load, Options, Settings, Surroundings};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::fork::ForkCell;
use crate::host::Host;
use crate::message::{Blob, Content, Defaults, Message, Rendered};
use crate::metrics::{self, Metrics};
use crate::receipt::{Envelope, Receipt, Timings};
use crate::retry::Policy;
use crate::sign_in::{Login, LoginRequest};
use crate::smtp::{self, Delivered, Route, Transaction};
use crate::token::TokenSource;

pub use self::bulk::{Bulk, Counts};
pub use self::export::prometheus;
pub use self::outbox::Kept;
use self::running::Running;
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
        let settings = Arc::new(Settings::resolve(options, host.spelling, around)?);
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

    /// Sends one message, and returns once the server answered for it.
    ///
    /// # Errors
    /// Only if nobody was accepted: any code of the table. `retryable` says whether the same call may
    /// be repeated; `delivery` says whether the message may have gone out all the same.
    pub async fn send(&self, message: &Message, call: Call) -> Result<Receipt> {
        let running = self.running();
        let ticket = running.enter()?;
        let cancel = call.cancel.child();
        let began = Instant::now();
        let send = async {
            let rendered = self.within(began, &call, &cancel, self.prepare(message)).await?;
            self.deliver(message, rendered, &call, &cancel, began).await
        };
        // `close` cancels what runs when its time is over.
        let result = tokio::select! {
            biased;
            result = send => result,
            () = forward(&ticket.ending, &cancel) => unreachable!("forwarding never ends"),
        };
        let name = |e: Error| e.with_message(message.message_id(), message.tag());
        let result = result.map_err(name);
        self.account_for(message, &result, cancel.is_cancelled());
        result
    }

    /// A message of fields, as [`Message::from_json`] reads them in the host's spelling; where they name no
    /// author, its Message-ID has the domain of this mailer's sender.
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub fn message(&self, fields: Value, blobs: Vec<Blob>) -> Result<Message> {
        Message::read(fields, blobs, self.inner.host.spelling, self.sender().as_ref())
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

    /// Refuses new sends with `closed`, waits at most `timeout` for running ones, then cancels them. A refresh token
    /// that was posted is waited for besides, for at most 30 seconds: what comes back for it must be kept. May be
    /// repeated.
    pub async fn close(&self, timeout: Duration) {
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

    /// Runs what comes before the first packet: a file may be slow to read.
    async fn within<T>(
        &self,
        began: Instant,
        call: &Call,
        cancel: &Cancel,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let timeout = call.timeout.or(self.inner.settings.timeout).unwrap_or(DEFAULT_TIMEOUT);
        tokio::select! {
            biased;
            done = work => done,
            () = cancel.cancelled() => Err(Cancel::error()),
            () = tokio::time::sleep_until(began + timeout) => {
                let text = "the call's time was up while the message was built";
                Err(Error::new(ErrorCode::TimedOut, text)
                    .with_hint("Check whether the disk with the attached files answers."))
            }
        }
    }

    async fn prepare(&self, message: &Message) -> Result<Rendered> {
        let settings = &self.inner.settings;
        let defaults = Defaults { from: self.sender(), files: &settings.files, spelling: settings.spelling };
        let mut rendered = message.render(defaults).await?;
        if let Some(dkim) = &settings.dkim {
            rendered = Message::signed(rendered, dkim.clone()).await?;
        }
        let (count, most) = (rendered.envelope.rcpt_to.len(), settings.preset.max_recipients);
        if count > most {
            return Err(Error::invalid_message(
                "to",
                format!("{count} recipients are too many: {} takes {most}", settings.preset.name),
            )
            .with_hint("Send several messages with fewer recipients each."));
        }
        if rendered.long_line {
            self.inner.host.events.emit(|| {
                Event::new("warning")
                    .with("message_id", message.message_id())
                    .with("code", "long_line")
                    .with("message", "a line is longer than 998 octets; some servers refuse or break it")
            });
        }
        Ok(rendered)
    }

    async fn deliver(
        &self,
        message: &Message,
        rendered: Rendered,
        call: &Call,
        cancel: &Cancel,
        began: Instant,
    ) -> Result<Receipt> {
        let settings = &self.inner.settings;
        let size = rendered.content.size().unwrap_or(LARGEST);
        let by_size = Duration::from_secs(size / SLOWEST_OCTETS_PER_SECOND);
        let timeout = call.timeout.or(settings.timeout).unwrap_or(DEFAULT_TIMEOUT + by_size);
        let deadline = began + timeout;
        let transaction = Transaction {
            envelope: Arc::new(rendered.envelope),
            body: rendered.content,
            smtputf8: rendered.smtputf8,
            eight_bit: rendered.eight_bit,
            partial: call.partial.unwrap_or(settings.partial),
            requests: rendered.requests,
        };
        let Some(route) = self.route() else {
            let bytes = self.within(began, call, cancel, whole(&transaction.body)).await;
            let bytes = bytes.map_err(|error| final_if_spent(error, &transaction.body))?;
            let delivered = self.running().outbox.keep(message, &transaction, bytes);
            return Ok(receipt(message, &transaction, delivered, 1, began));
        };
        let policy = Policy {
            attempts: settings.attempts,
            base_delay: settings.base_delay,
            max_delay: settings.max_delay,
        };
        let mut attempt = 1;
        loop {
            let error = match smtp::deliver(&route, transaction.clone(), deadline, cancel).await {
                Ok(delivered) => return Ok(receipt(message, &transaction, delivered, attempt, began)),
                Err(error) => final_if_spent(error.with_attempts(attempt), &transaction.body),
            };
            let remaining = deadline.saturating_duration_since(Instant::now());
            let Some(pause) = policy.pause(attempt, &error, remaining, random::unit()) else {
                return Err(error);
            };
            self.count(Metrics::retried);
            self.inner.host.events.emit(|| {
                Event::new("send.retrying")
                    .with("message_id", message.message_id())
                    .with("attempt", attempt)
                    .with("code", error.code().as_str())
                    .with("delay", pause.as_secs_f64())
            });
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => return Err(Cancel::error().with_attempts(attempt)),
            }
            attempt += 1;
        }
    }

    /// In the mailer's own numbers, and in the process's.
    fn count(&self, note: impl Fn(&Metrics)) {
        let running = self.running();
        note(&running.metrics);
        let shared = running.shared_metrics.get_or_init(|| {
            let settings = &self.inner.settings;
            let (smtp, username) = (&settings.smtp, settings.username.as_deref().unwrap_or_default());
            crate::metrics::numbers().of_mailbox(&metrics::MailboxLabel::new(&smtp.host, smtp.port, username))
        });
        if let Some(shared) = shared {
            note(shared);
        }
    }

    /// Counts the result and tells whoever listens.
    fn account_for(&self, message: &Message, result: &Result<Receipt>, cancelled: bool) {
        let events = &self.inner.host.events;
        let event =
            |name| Event::new(name).with("message_id", message.message_id()).with("tag", message.tag());
        match result {
            Ok(receipt) => {
                self.count(|metrics| metrics.sent(receipt));
                for rejection in &receipt.rejected {
                    events.emit(|| {
                        event("recipient.refused")
                            .with("address", rejection.address.as_str())
                            .with("code", rejection.code)
                            .with("reply", rejection.reply.to_string())
                    });
                }
                events.emit(|| {
                    event("send.done")
                        .with("accepted", receipt.accepted.len())
                        .with("rejected", receipt.rejected.len())
                        .with("size", receipt.size)
                        .with("attempts", receipt.attempts)
                        .with("connection", receipt.connection)
                });
            }
            Err(error) => {
                self.count(|metrics| metrics.failed(error));
                let uncertain = error.code() == ErrorCode::DeliveryUncertain;
                let cancelled = error.code() == ErrorCode::Cancelled || cancelled && uncertain;
                events.emit(|| {
                    event(if cancelled { "send.cancelled" } else { "send.failed" })
                        .with("code", error.code().as_str())
                        .with("delivery", serde_json::json!(error.delivery()))
                        .with("retryable", error.retryable())
                });
            }
        }
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

/// Forbids a retry if the body was a stream that is spent: the same call would have nothing to send.
fn final_if_spent(error: Error, body: &Content) -> Error {
    if !error.retryable() || !body.is_spent() {
        return error;
    }
    error
        .with_retryable(false)
        .with_hint("Nothing was delivered, but the stream was read. Open the stream again, then send again.")
}

async fn whole(content: &Content) -> Result<Bytes> {
    match content.in_memory() {
        Some(octets) => Ok(octets.clone()),
        None => content.clone().read().collect().await,
    }
}

fn receipt(
    message: &Message,
    transaction: &Transaction,
    delivered: Delivered,
    attempts: u32,
    began: Instant,
) -> Receipt {
    let mut timings = Timings::default();
    timings.0.insert("queue", delivered.queue_time);
    timings.0.insert("connect", delivered.connect_time);
    timings.0.insert("send", delivered.send_time);
    timings.0.insert("total", began.elapsed());
    Receipt {
        message_id: message.message_id().to_owned(),
        server_message_id: server_message_id(&delivered.reply.text),
        tag: message.tag().map(str::to_owned),
        accepted: delivered.accepted,
        rejected: delivered.rejected,
        reply: delivered.reply,
        envelope: Envelope::clone(&transaction.envelope),
        size: transaction.body.size_sent(),
        attempts,
        connection: delivered.connection,
        sent_at: SystemTime::now(),
        timings,
    }
}

/// The id in `OK <id@host> [Hostname=…]`, as Exchange writes it.
fn server_message_id(text: &str) -> Option<String> {
    let start = text.find('<')?;
    let end = start + text[start..].find('>')?;
    let id = &text[start..=end];
    (id.contains('@') && !id.contains(char::is_whitespace)).then(|| id.to_owned())
}

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);
const SLOWEST_OCTETS_PER_SECOND: u64 = 16 * 1024;
/// What a stream of unknown size is counted as: no provider takes more.
const LARGEST: u64 = 150 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_message_id_is_read_from_its_reply() {
        assert_eq!(
            server_message_id("OK <AB.CD@EUR.prod.outlook.com> [Hostname=X]").as_deref(),
            Some("<AB.CD@EUR.prod.outlook.com>")
        );
        assert_eq!(server_message_id("OK 1732 gsmtp"), None);
        assert_eq!(server_message_id("queued as <12>"), None);
    }
}
