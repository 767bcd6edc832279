//! The mailer: what a program makes once and sends with.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use mailbearer::config::MailboxOption;
use mailbearer::{ErrorCode, LoginRequest, Result, VerifyRequest};

use crate::call::Call;
use crate::config::Config;
use crate::error::Error;
use crate::event::Events;
use crate::ffi::{self, SignalsBlocked};
use crate::login::Login;
use crate::message::Message;
use crate::outbox::Outbox;
use crate::receipt::Receipt;
use crate::report::Report;
use crate::result::{ResultFn, SendResult};
use crate::status::Status;
use crate::stream::Gates;
use crate::tokens::Tokens;
use crate::{blocking, own_callback, returns};

/// Sends mail: it gets tokens, keeps connections open and tries again where that is safe. Make one when the
/// program starts, and keep it.
///
/// Threads: every function that takes it as `const` may be called by many threads at once.
/// Processes: a forked child may use it; the child opens connections of its own.
#[derive(Clone)]
pub struct Mailer {
    mailer: mailbearer::Mailer,
    events: Arc<Events>,
}

/// Your function that brings the next message of mailbearer_mailer_send_many(), on the thread that called it.
/// Return 1 with a message in `*out`, 0 when there are no more, less than 0 to stop with `cancelled`.
/// The library owns the message in `*out` from then on: do not free it.
pub type NextFn = Option<extern "C" fn(userdata: *mut c_void, out: *mut *mut Message) -> c_int>;

/// mailbearer_mailer_new() checks the options and makes a mailer; it opens no connection.
/// Owner: free *mailer with mailbearer_mailer_free(). The config stays yours and may be freed at once.
/// Threads: many at once. Errors: `config_invalid`, with the option and the nearest right name.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_new(
    config: *const Config,
    mailer: *mut *mut Mailer,
    err: *mut *mut Error,
) -> Status {
    returns::give(mailer, "mailer", err, || {
        // It may start a thread.
        let _blocked = SignalsBlocked::new();
        let (options, host, events) = ffi::object(config, "config")?.read()?;
        Ok(Mailer { mailer: mailbearer::Mailer::from_json(options, host)?, events })
    })
}

/// mailbearer_mailer_send() sends one message and returns when the server has answered for it.
/// It fails only if the server took nobody; the receipt names the recipients that it refused.
/// Without a time limit in `call` it takes 5 minutes at most, and longer for large messages.
///
/// Owner: free *receipt with mailbearer_receipt_free(). The message stays yours and may be sent again.
/// Threads: many at once, with the same message too.
/// Errors: any code. mailbearer_error_retryable() says whether you may repeat the same call;
/// mailbearer_error_delivery_uncertain() says that the message may have arrived although the call failed.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_send(
    mailer: *const Mailer,
    message: *const Message,
    call: *mut Call,
    receipt: *mut *mut Receipt,
    err: *mut *mut Error,
) -> Status {
    returns::give(receipt, "receipt", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let mailer = this.mailer.clone();
        let message = this.message(message)?.map_err(|error| mailer.refuse(error))?;
        let call = Call::of(call);
        blocking::run(&this.events, async move { mailer.send(&message, call).await }).map(Receipt::new)
    })
}

/// mailbearer_mailer_send_many() sends many messages side by side. It calls `next` for each message when it is
/// needed and `result` once for each message; memory stays flat. `result` may be NULL.
/// The time limit of `call` is for each message; cancelling `call` ends the messages under way and stops.
///
/// Owner: the messages belong to the library; `userdata` is yours and must live until the call returns.
/// Threads: many at once. Both functions run on the thread that called.
/// Returns: 0 if every message was tried; what became of each is told to `result` alone.
/// Errors: what would fail every message (100s, 300s, `auth_rejected`, `smtp_auth_disabled`), after each message
/// that `next` brought was reported; `cancelled` if `next` returned less than 0 or the call was cancelled.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_send_many(
    mailer: *const Mailer,
    next: NextFn,
    result: ResultFn,
    userdata: *mut c_void,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        // A callback may free the mailer.
        let this = ffi::object(mailer, "mailer")?.clone();
        let next = next.ok_or_else(|| ffi::is_null("next"))?;
        let owner = [this.events.owner().clone()];
        let pull = || {
            let mut message = std::ptr::null_mut();
            match own_callback::run(&owner, || next(userdata, &mut message)) {
                0 => Ok(None),
                1 => ffi::own(message, "out").map(Some),
                _ => Err(mailbearer::Error::new(ErrorCode::Cancelled, "the source of messages stopped")),
            }
        };
        let tell = |told: SendResult| {
            result.is_none_or(|result| own_callback::run(&owner, || result(userdata, &told)) == 0)
        };
        this.send_many(pull, tell, Call::of(call))
    })
}

/// mailbearer_mailer_warm() gets the token and opens a connection, so that the first send need not wait for them.
/// Threads: many at once. Errors: those of mailbearer_mailer_send() up to the sign-in at the mail server.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_warm(
    mailer: *const Mailer,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let (mailer, call) = (this.mailer.clone(), Call::of(call));
        blocking::run(&this.events, async move { mailer.warm(call).await })
    })
}

/// mailbearer_mailer_login() begins a sign-in of a person, for the grants `authorization_code` and `device_code`.
/// `method` is one of them; NULL is the configured one. `login_hint` is the account to offer, or NULL.
/// With a `redirect_uri` end it by mailbearer_login_finish(), with NULL by mailbearer_login_wait().
///
/// Owner: free *login with mailbearer_login_free(). The texts are copied.
/// Threads: many at once.
/// Errors: `config_invalid` if nobody needs to sign in; what the sign-in service refuses (300s, 600s).
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_login(
    mailer: *const Mailer,
    method: *const c_char,
    redirect_uri: *const c_char,
    login_hint: *const c_char,
    call: *mut Call,
    login: *mut *mut Login,
    err: *mut *mut Error,
) -> Status {
    returns::give(login, "login", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let text = |pointer, name| Ok(ffi::optional_text(pointer, name)?.map(str::to_owned));
        let request = LoginRequest {
            method: text(method, "method")?,
            redirect_uri: text(redirect_uri, "redirect_uri")?,
            login_hint: text(login_hint, "login_hint")?,
            call: Call::of(call),
            ..LoginRequest::default()
        };
        let (mailer, events) = (this.mailer.clone(), this.events.clone());
        let login = blocking::run(&events, async move { mailer.login(request).await })?;
        Ok(Login::new(login, events))
    })
}

/// mailbearer_mailer_resume_login() goes on with a sign-in that another process saved by mailbearer_login_save().
/// Owner: free *login with mailbearer_login_free(). `saved` is copied.
/// Threads: many at once. Errors: `login_invalid` for a text that is too old, was used before or was changed.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_resume_login(
    mailer: *const Mailer,
    saved: *const c_char,
    login: *mut *mut Login,
    err: *mut *mut Error,
) -> Status {
    returns::give(login, "login", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let login = this.mailer.resume_login(ffi::text(saved, "saved")?)?;
        Ok(Login::new(login, this.events.clone()))
    })
}

/// mailbearer_mailer_verify() checks the whole way: DNS, TCP, TLS, greeting, token, claims, AUTH, MAIL FROM.
/// It sends nothing, unless `send_to` is an address: then it sends one real message there, which is the only
/// proof of SendAs and of a quota that is not used up. `send_to` may be NULL.
///
/// Owner: free *report with mailbearer_report_free(). Threads: many at once.
/// Returns: 0 and a report whenever the way was walked; mailbearer_report_ok() says whether every link held.
/// Errors: `cancelled`, `closed`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_verify(
    mailer: *const Mailer,
    send_to: *const c_char,
    call: *mut Call,
    report: *mut *mut Report,
    err: *mut *mut Error,
) -> Status {
    returns::give(report, "report", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let send_to = ffi::optional_text(send_to, "send_to")?.map(str::to_owned);
        let request = VerifyRequest { send_to, always_report: true, call: Call::of(call) };
        let mailer = this.mailer.clone();
        blocking::run(&this.events, async move { mailer.verify(request).await }).map(Report)
    })
}

/// mailbearer_mailer_tokens() gives the mailer's token source, for programs that speak IMAP beside.
/// Owner: free *tokens with mailbearer_tokens_free(); mailer and token source may be freed in any order.
/// Threads: many at once. Errors: `config_invalid` for a mailer without `auth`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_tokens(
    mailer: *const Mailer,
    tokens: *mut *mut Tokens,
    err: *mut *mut Error,
) -> Status {
    returns::give(tokens, "tokens", err, || {
        let this = ffi::object(mailer, "mailer")?;
        Ok(Tokens { source: this.mailer.tokens()?.clone(), events: this.events.clone() })
    })
}

/// mailbearer_mailer_render() gives the octets that mailbearer_mailer_send() would send. They do not end in a NUL.
/// Owner: free *bytes with mailbearer_bytes_free() and the number in *length.
/// Threads: many at once. Errors: `message_invalid`, `attachment_unreadable`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_render(
    mailer: *const Mailer,
    message: *const Message,
    bytes: *mut *mut u8,
    length: *mut usize,
    err: *mut *mut Error,
) -> Status {
    returns::give_bytes(bytes, length, err, || {
        let this = ffi::object(mailer, "mailer")?;
        let (message, mailer) = (this.message(message)??, this.mailer.clone());
        let content = blocking::run(&this.events, async move { mailer.render(&message).await })?;
        Ok(content.to_vec())
    })
}

/// mailbearer_mailer_for_mailbox() makes a mailer for another mailbox. It shares tokens, connections and store
/// with this one. `from` is its sender, such as `Orders <orders@example.com>`; NULL is the mailbox itself.
/// Owner: free the mailer that it returns with mailbearer_mailer_free(), in any order; NULL on failure.
/// Threads: many at once. Errors: `config_invalid` if `username` or `from` is no address.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_for_mailbox(
    mailer: *const Mailer,
    username: *const c_char,
    from: *const c_char,
    err: *mut *mut Error,
) -> *mut Mailer {
    returns::make(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let username = ffi::text(username, "username")?;
        let from = ffi::optional_text(from, "from")?;
        let from = from.map(|text| MailboxOption { name: None, address: text.to_owned() });
        let mailer = this.mailer.for_mailbox(username, from)?;
        Ok(Mailer { mailer, events: this.events.clone() })
    })
}

/// mailbearer_mailer_outbox() gives what a mailer with the provider `memory` kept of its last 1,000 messages, for
/// tests of your program; nothing for other providers.
/// Owner: free *outbox with mailbearer_outbox_free(). It never changes; ask again after the next send.
/// Threads: many at once. Errors: `config_invalid` for a NULL argument.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_outbox(
    mailer: *const Mailer,
    outbox: *mut *mut Outbox,
    err: *mut *mut Error,
) -> Status {
    returns::give(outbox, "outbox", err, || Ok(Outbox::new(ffi::object(mailer, "mailer")?.mailer.outbox())))
}

/// mailbearer_prometheus() gives the numbers of all mailers of this process, in Prometheus' text format 0.0.4.
/// Owner: free the text with mailbearer_string_free(). Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_prometheus() -> *mut c_char {
    ffi::value(std::ptr::null_mut(), || Ok(ffi::string(&mailbearer::prometheus())))
}

/// mailbearer_mailer_export_metrics() sends the numbers of all mailers of this process to an OpenTelemetry
/// collector (OTLP/HTTP, JSON), once. `endpoint` is its base URL; NULL is $OTEL_EXPORTER_OTLP_ENDPOINT, else
/// http://localhost:4318. Threads: many at once.
/// Errors: `config_invalid` with the variable's name, `connect_failed`, `certificate_invalid`, `timed_out`,
/// `cancelled`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_export_metrics(
    mailer: *const Mailer,
    endpoint: *const c_char,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let (mailer, call) = (this.mailer.clone(), Call::of(call));
        let endpoint = ffi::optional_text(endpoint, "endpoint")?.map(str::to_owned);
        blocking::run(&this.events, async move { mailer.export_metrics(endpoint.as_deref(), call).await })
    })
}

/// mailbearer_mailer_metrics_json() gives the mailer's numbers as JSON: what it has done since it was made, and
/// how its mailbox and its tokens stand now.
/// Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_metrics_json(mailer: *const Mailer) -> *mut c_char {
    ffi::value(std::ptr::null_mut(), || ffi::json(&ffi::object(mailer, "mailer")?.mailer.metrics()))
}

/// mailbearer_mailer_close() refuses new sends with `closed`, waits for the sends of other threads and then says
/// QUIT to the servers. When the time limit of `call` is over (NULL: 30 seconds) or `call` is cancelled, it
/// cancels those sends. If a refresh token is being renewed, it waits up to 30 seconds more, so that the new one
/// is kept. You may call it again.
///
/// Owner: the mailer stays yours; free it afterwards. Threads: any, but not in a callback of this mailer.
/// Errors: `config_invalid` for a NULL mailer, and in a callback of this mailer or of a message that it sends:
/// it would wait for that callback.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_close(
    mailer: *mut Mailer,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
        this.events.owner().may_wait("mailbearer_mailer_close")?;
        let (mailer, call) = (this.mailer.clone(), Call::of(call));
        let limit = call.timeout.unwrap_or(CLOSING_TIME);
        blocking::run(&this.events, async move {
            tokio::select! {
                () = mailer.close(limit) => {}
                () = call.cancel.cancelled() => mailer.close(Duration::ZERO).await,
            }
            Ok(())
        })
    })
}

/// mailbearer_mailer_free() frees the mailer; NULL is fine. Open connections are dropped without QUIT: call
/// mailbearer_mailer_close() first.
/// Threads: one, when no call uses the mailer any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_free(mailer: *mut Mailer) {
    ffi::free(mailer);
}

impl Mailer {
    /// Core's message of one of the caller's; the inner error is about the message, the outer one about the pointer.
    fn message(&self, message: *const Message) -> Result<Result<mailbearer::Message>> {
        let message = ffi::object(message, "message")?;
        message.sent_by(self.events.owner());
        Ok(message.build(&self.mailer))
    }

    /// Pulls, sends and tells, until the source ends or something stops it.
    fn send_many(
        &self,
        mut pull: impl FnMut() -> Result<Option<Box<Message>>>,
        mut tell: impl FnMut(SendResult) -> bool,
        call: mailbearer::Call,
    ) -> Result<()> {
        let cancel = call.cancel.clone();
        let handle = {
            let _blocked = SignalsBlocked::new();
            mailbearer::blocking::handle()?
        };
        let mut bulk = self.mailer.bulk(call, handle)?;
        let mut stopped = None;
        // Streams of messages that are gone to the mailer stay open until we return.
        let mut gates = Gates::default();
        loop {
            while bulk.has_room() {
                if cancel.is_cancelled() {
                    bulk.cancel();
                    break;
                }
                match pull() {
                    Ok(Some(mut message)) => {
                        message.sent_by(self.events.owner());
                        bulk.push(message.build(&self.mailer));
                        gates.add(message.take_gates());
                    }
                    Ok(None) => bulk.finish(),
                    Err(error) => {
                        stopped.get_or_insert(error);
                        bulk.cancel();
                    }
                }
            }
            let (back, answer) = blocking::run(&self.events, async move {
                let answer = bulk.next().await;
                Ok((bulk, answer))
            })?;
            bulk = back;
            match answer {
                Some(Ok(result)) => {
                    if !tell(SendResult::new(result)) {
                        bulk.cancel();
                    }
                }
                Some(Err(error)) => {
                    stopped.get_or_insert(error);
                }
                None if bulk.has_room() => {}
                None if cancel.is_cancelled() => return Err(stopped.unwrap_or_else(cancelled)),
                None => return stopped.map_or(Ok(()), Err),
            }
        }
    }
}

fn cancelled() -> mailbearer::Error {
    mailbearer::Error::new(ErrorCode::Cancelled, "the call was cancelled")
}

const CLOSING_TIME: Duration = Duration::from_secs(30);
