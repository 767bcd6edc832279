//! The mailer: what a program makes once and sends with.

use std::ffi::{c_char, c_int, c_void};
use std::sync::Arc;
use std::time::Duration;

use mailbearer::{ErrorCode, LoginRequest, VerifyRequest};

use crate::call::Call;
use crate::config::Config;
use crate::error::Error;
use crate::event::Events;
use crate::ffi::{self, SignalsBlocked};
use crate::login::Login;
use crate::message::Message;
use crate::receipt::Receipt;
use crate::report::Report;
use crate::result::{Outcome, ResultFn};
use crate::status::Status;
use crate::stream::Gates;
use crate::tokens::Tokens;
use crate::{Result, blocking};

/// Sends mail: tokens, connections and retries are its business. Make one and keep it.
///
/// Threads: every function that takes it as `const` may be called by any number of threads at once.
/// Processes: it may be used on in a forked child, which opens connections of its own.
pub struct Mailer {
    mailer: mailbearer::Mailer,
    events: Arc<Events>,
}

/// Brings the next message of mailbearer_mailer_send_many, on the thread that called it. It returns 1 and
/// puts a message into `*out`, which belongs to the library from then on: do not free it. It returns 0 when
/// there is no more, and less than 0 to stop with `cancelled`, after what was started is reported. It must
/// not throw and must not longjmp.
pub type NextFn = Option<extern "C" fn(userdata: *mut c_void, out: *mut *mut Message) -> c_int>;

/// A mailer from options. Touches no network. On success `*mailer` is the caller's to free. The config
/// stays the caller's, and may be freed.
///
/// Errors: `config_invalid`, naming the option and the nearest right one.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_new(
    config: *const Config,
    mailer: *mut *mut Mailer,
    err: *mut *mut Error,
) -> Status {
    ffi::give(mailer, "mailer", err, || {
        // It may start a thread.
        let _blocked = SignalsBlocked::new();
        let (options, host, events) = ffi::object(config, "config")?.read()?;
        Ok(Mailer { mailer: mailbearer::Mailer::from_json(options, host)?, events })
    })
}

/// Sends one message, and returns once the server answered for it. `call` may be NULL: the default time
/// limit is 5 minutes and more for large messages. On success `*receipt` is the caller's to free; look at
/// its rejected recipients. It fails only if nobody was accepted.
///
/// Errors: any code. mailbearer_error_retryable says whether the same call may be repeated;
/// `delivery_uncertain` (mailbearer_error_delivery_uncertain) that the message may have gone out all the
/// same.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_send(
    mailer: *const Mailer,
    message: *const Message,
    call: *mut Call,
    receipt: *mut *mut Receipt,
    err: *mut *mut Error,
) -> Status {
    ffi::give(receipt, "receipt", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let message = ffi::object(message, "message")?.build(&this.mailer)?;
        let (mailer, call) = (this.mailer.clone(), Call::of(call));
        blocking::run(&this.events, async move { mailer.send(&message, call).await }).map(Receipt::new)
    })
}

/// Sends many messages side by side, with flat memory: pulls them with `next` as they are needed, and tells
/// `result` what became of each. Both are called on this thread, with `userdata`; `result` may be NULL. The
/// time limit of `call` is for each message; cancelling it ends the started ones and stops.
///
/// It returns 0 if every message that was pulled was tried, however they fared: their own failures are told
/// to `result` alone. What would fail every message (100s, 300s, `auth_rejected`, `smtp_auth_disabled`)
/// stops the pulling; each pulled message is reported first, then this error is returned. `cancelled` is
/// returned when `next` returned less than 0 or the call was cancelled.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_send_many(
    mailer: *const Mailer,
    next: NextFn,
    result: ResultFn,
    userdata: *mut c_void,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let next = next.ok_or_else(|| ffi::is_null("next"))?;
        let pull = || {
            let mut message = std::ptr::null_mut();
            match next(userdata, &mut message) {
                0 => Ok(None),
                1 => ffi::own(message, "out").map(Some),
                _ => Err(mailbearer::Error::new(ErrorCode::Cancelled, "the source of messages stopped")),
            }
        };
        let tell = |told: Outcome| result.is_none_or(|result| result(userdata, &told) == 0);
        this.send_many(pull, tell, Call::of(call))
    })
}

/// Begins a sign-in, for the grants `authorization_code` and `device_code`. `method` is one of them, or
/// NULL for the configured one. With a `redirect_uri` mailbearer_login_finish ends it, with NULL
/// mailbearer_login_wait does. On success `*login` is the caller's to free.
///
/// Errors: `config_invalid` if nobody needs to sign in; what the sign-in service refuses (300s, 600s).
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_login(
    mailer: *const Mailer,
    method: *const c_char,
    redirect_uri: *const c_char,
    call: *mut Call,
    login: *mut *mut Login,
    err: *mut *mut Error,
) -> Status {
    ffi::give(login, "login", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let request = LoginRequest {
            method: ffi::optional_text(method, "method")?.map(str::to_owned),
            redirect_uri: ffi::optional_text(redirect_uri, "redirect_uri")?.map(str::to_owned),
            call: Call::of(call),
            ..LoginRequest::default()
        };
        let mailer = this.mailer.clone();
        let login = blocking::run(&this.events, async move { mailer.login(request).await })?;
        Ok(Login::new(login, this.events.clone()))
    })
}

/// Goes on with a sign-in that another process began and saved with mailbearer_login_save. On success
/// `*login` is the caller's to free.
///
/// Errors: `login_invalid` for a text that is too old, was used before, or was tampered with.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_resume_login(
    mailer: *const Mailer,
    saved: *const c_char,
    login: *mut *mut Login,
    err: *mut *mut Error,
) -> Status {
    ffi::give(login, "login", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let login = this.mailer.resume_login(ffi::text(saved, "saved")?)?;
        Ok(Login::new(login, this.events.clone()))
    })
}

/// Walks the chain: DNS, TCP, TLS, greeting, token, claims, AUTH, MAIL FROM; sends nothing. It returns 0
/// and a report whenever the chain was walked: mailbearer_report_ok says whether every link held. On
/// success `*report` is the caller's to free.
///
/// Errors: `cancelled`, `closed`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_verify(
    mailer: *const Mailer,
    call: *mut Call,
    report: *mut *mut Report,
    err: *mut *mut Error,
) -> Status {
    ffi::give(report, "report", err, || {
        let this = ffi::object(mailer, "mailer")?;
        let request = VerifyRequest { send_to: None, always_report: true, call: Call::of(call) };
        let mailer = this.mailer.clone();
        blocking::run(&this.events, async move { mailer.verify(request).await }).map(Report)
    })
}

/// The mailer's token source. On success `*tokens` is the caller's to free; mailer and token source may be
/// freed in any order.
///
/// Errors: `config_invalid` for a mailer without `auth`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_tokens(
    mailer: *const Mailer,
    tokens: *mut *mut Tokens,
    err: *mut *mut Error,
) -> Status {
    ffi::give(tokens, "tokens", err, || {
        let this = ffi::object(mailer, "mailer")?;
        Ok(Tokens { source: this.mailer.tokens()?.clone(), events: this.events.clone() })
    })
}

/// The octets that would be sent. On success `*bytes` is the caller's to free, with mailbearer_bytes_free
/// and the number in `*length`. They do not end in a NUL.
///
/// Errors: `message_invalid`, `attachment_unreadable`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_render(
    mailer: *const Mailer,
    message: *const Message,
    bytes: *mut *mut u8,
    length: *mut usize,
    err: *mut *mut Error,
) -> Status {
    ffi::give_bytes(bytes, length, err, || {
        let this = ffi::object(mailer, "mailer")?;
        let message = ffi::object(message, "message")?.build(&this.mailer)?;
        let mailer = this.mailer.clone();
        let content = blocking::run(&this.events, async move { mailer.render(&message).await })?;
        Ok(content.to_vec())
    })
}

/// A mailer for another mailbox, which shares tokens, connections and store with this one. The caller
/// frees it with mailbearer_mailer_free, in any order; NULL on failure.
///
/// Errors: `config_invalid` if `username` is no address.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_for_mailbox(
    mailer: *const Mailer,
    username: *const c_char,
    err: *mut *mut Error,
) -> *mut Mailer {
    ffi::make(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let mailer = this.mailer.for_mailbox(ffi::text(username, "username")?, None)?;
        Ok(Mailer { mailer, events: this.events.clone() })
    })
}

/// This process's numbers, all mailers together, as Prometheus' text format 0.0.4. The caller frees it with
/// mailbearer_string_free.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_prometheus() -> *mut c_char {
    ffi::value(std::ptr::null_mut(), || Ok(ffi::string(&mailbearer::prometheus())))
}

/// Tells this process's numbers, those of other mailers too, to an OpenTelemetry collector (OTLP/HTTP, JSON),
/// once. `endpoint` is its base URL; NULL: $OTEL_EXPORTER_OTLP_ENDPOINT, else http://localhost:4318. `call`
/// may be NULL.
///
/// Errors: `config_invalid` naming the variable, `connect_failed`, `certificate_invalid`, `timed_out`,
/// `cancelled`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_export_metrics(
    mailer: *const Mailer,
    endpoint: *const c_char,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
        let (mailer, call) = (this.mailer.clone(), Call::of(call));
        let endpoint = ffi::optional_text(endpoint, "endpoint")?.map(str::to_owned);
        blocking::run(&this.events, async move { mailer.export_metrics(endpoint.as_deref(), call).await })
    })
}

/// The mailer's numbers as JSON: counters since it was made, and how its mailbox and tokens stand. The caller
/// frees it with mailbearer_string_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_metrics_json(mailer: *const Mailer) -> *mut c_char {
    ffi::value(std::ptr::null_mut(), || ffi::json(&ffi::object(mailer, "mailer")?.mailer.metrics()))
}

/// Refuses new sends with `closed`, waits for those that run in other threads, and cancels them when the
/// time limit of `call` is over (NULL: 30 seconds) or `call` is cancelled. A refresh token that was posted is
/// waited for besides, for at most 30 seconds: what comes back for it must be kept. May be repeated; still free
/// the mailer afterwards.
///
/// Errors: `config_invalid` for a NULL mailer.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_close(
    mailer: *mut Mailer,
    call: *mut Call,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let this = ffi::object(mailer, "mailer")?;
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

/// Frees the mailer; no call may be using it. NULL is fine. Open connections are closed without a word:
/// mailbearer_mailer_close takes leave properly.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_mailer_free(mailer: *mut Mailer) {
    ffi::free(mailer);
}

impl Mailer {
    /// Pulls, sends and tells, until the source ends or something stops it.
    fn send_many(
        &self,
        mut pull: impl FnMut() -> Result<Option<Box<Message>>>,
        mut tell: impl FnMut(Outcome) -> bool,
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
                    if !tell(Outcome::new(result)) {
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
