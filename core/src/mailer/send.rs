//! One message on its way: prepared, delivered, tried again, accounted for.

use super::{DEFAULT_TIMEOUT, Mailer, forward, whole};
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::call::{Call, Cancel};
use crate::crypto::random;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::message::{Content, Defaults, Message, Rendered};
use crate::metrics::{self, Metrics};
use crate::receipt::{Envelope, Receipt, Timings};
use crate::retry::Policy;
use crate::smtp::{self, Delivered, Transaction};

impl Mailer {
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
        self.account_for(message.message_id(), message.tag(), result.as_ref(), cancel.is_cancelled());
        result
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

    pub(super) async fn prepare(&self, message: &Message) -> Result<Rendered> {
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
            fallback: rendered.fallback,
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

    /// Counts and tells a message that could not be made of what the caller gave: it was to be sent, and failed.
    pub fn refuse(&self, error: Error) -> Error {
        self.account_for(error.message_id().unwrap_or_default(), error.tag(), Err(&error), false);
        error
    }

    /// Counts the result and tells whoever listens.
    fn account_for(
        &self,
        message_id: &str,
        tag: Option<&str>,
        result: std::result::Result<&Receipt, &Error>,
        cancelled: bool,
    ) {
        let events = &self.inner.host.events;
        let event = |name| Event::new(name).with("message_id", message_id).with("tag", tag);
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

/// Forbids a retry if the body was a stream that is spent: the same call would have nothing to send.
fn final_if_spent(error: Error, body: &Content) -> Error {
    if !error.retryable() || !body.is_spent() {
        return error;
    }
    error
        .with_retryable(false)
        .with_hint("Nothing was delivered, but the stream was read. Open the stream again, then send again.")
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
