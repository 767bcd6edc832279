//! One call's own limits: how long it may take, what it asks for, and how to end it early.

use std::ffi::c_char;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailbearer::config::Partial;
use mailbearer::{Cancel, Result};

use crate::error::Error;
use crate::status::Status;
use crate::{ffi, returns};

/// What one call, or several, may do differently: a time limit, and a way to cancel. Wherever a function takes
/// one, NULL means the defaults, and no cancelling.
///
/// Threads: every function of it may be called by any thread at any time; that is what it is for. Not in a
/// signal handler: let a thread that waits for signals (sigwait) cancel.
pub struct Call {
    /// 0: the default.
    timeout_ms: AtomicU64,
    /// 0: none.
    min_remaining_ms: AtomicU64,
    partial: Mutex<Option<Partial>>,
    cancel: Cancel,
}

impl Call {
    /// What core takes; NULL is all defaults.
    pub(crate) fn of(call: *mut Self) -> mailbearer::Call {
        let Some(call) = ffi::optional(call) else { return mailbearer::Call::default() };
        let timeout = duration(&call.timeout_ms);
        let partial = *call.partial();
        mailbearer::Call { timeout, partial, cancel: call.cancel.clone() }
    }

    /// How long a token must still be good.
    pub(crate) fn min_remaining(call: *mut Self) -> Option<Duration> {
        duration(&ffi::optional(call)?.min_remaining_ms)
    }

    fn partial(&self) -> std::sync::MutexGuard<'_, Option<Partial>> {
        self.partial.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// mailbearer_call_new() makes a call handle with the defaults.
/// Owner: free it with mailbearer_call_free(). Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_new() -> *mut Call {
    returns::make(std::ptr::null_mut(), || {
        Ok(Call {
            timeout_ms: AtomicU64::new(0),
            min_remaining_ms: AtomicU64::new(0),
            partial: Mutex::default(),
            cancel: Cancel::default(),
        })
    })
}

/// mailbearer_call_timeout_ms() sets the time limit of calls that start later, in milliseconds; 0 is the default.
/// For a send it covers all that comes before the final dot: waiting for a turn, token, connection, retries.
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_timeout_ms(call: *mut Call, timeout_ms: u64) {
    if let Some(call) = ffi::optional(call) {
        call.timeout_ms.store(timeout_ms, Ordering::Relaxed);
    }
}

/// mailbearer_call_partial() says what a send does when the server refuses some of the recipients: `deliver` to
/// the others, or `refuse` to send at all. NULL is what the option `partial` says. The text is copied.
/// Threads: any, at any time. Errors: `config_invalid` for another word.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_partial(
    call: *mut Call,
    partial: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let call = ffi::object(call, "call")?;
        *call.partial() = ffi::optional_text(partial, "partial")?.map(word).transpose()?;
        Ok(())
    })
}

/// mailbearer_call_min_remaining_ms() says how long a token that mailbearer_tokens_get() gives must still be good;
/// 0 is the default. A token that ends sooner is renewed first.
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_min_remaining_ms(call: *mut Call, min_remaining_ms: u64) {
    if let Some(call) = ffi::optional(call) {
        call.min_remaining_ms.store(min_remaining_ms, Ordering::Relaxed);
    }
}

/// mailbearer_call_cancel() ends the calls that were given this handle, now and later. They return `cancelled`, or
/// `delivery_uncertain` if the message was handed over and not yet answered for. It does not wait for them.
/// A cancelled handle stays cancelled: make a new one for the next call.
/// Threads: any, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_cancel(call: *mut Call) {
    ffi::value((), || {
        ffi::object(call, "call")?.cancel.cancel();
        Ok(())
    });
}

/// mailbearer_call_free() frees the handle. NULL is fine.
/// Threads: any, when no call uses it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_free(call: *mut Call) {
    ffi::free(call);
}

fn duration(milliseconds: &AtomicU64) -> Option<Duration> {
    match milliseconds.load(Ordering::Relaxed) {
        0 => None,
        ms => Some(Duration::from_millis(ms).min(LONGEST)),
    }
}

fn word(text: &str) -> Result<Partial> {
    match text {
        "deliver" => Ok(Partial::Deliver),
        "refuse" => Ok(Partial::Refuse),
        _ => Err(mailbearer::Error::config("partial", "`partial` must be `deliver` or `refuse`")),
    }
}

/// A deadline further off could not be added to a clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
