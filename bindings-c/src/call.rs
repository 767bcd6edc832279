//! One call's own limits: how long it may take, and how to end it early.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mailbearer::Cancel;

use crate::ffi;

/// A time limit and a way to cancel, for one call or several. Everywhere a call handle is taken, NULL
/// means the default time limit, and no cancelling.
///
/// Threads: all functions may be called from any thread at any time; that is what it is for. Free it only
/// when no call uses it any more. It must not be used in a signal handler: let a thread that waits for
/// signals (sigwait) cancel.
pub struct Call {
    /// 0: the default.
    timeout_ms: AtomicU64,
    cancel: Cancel,
}

impl Call {
    /// What core takes; NULL is all defaults.
    pub(crate) fn of(call: *mut Self) -> mailbearer::Call {
        let Some(call) = ffi::optional(call) else { return mailbearer::Call::default() };
        let timeout = match call.timeout_ms.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(Duration::from_millis(ms).min(LONGEST)),
        };
        mailbearer::Call { timeout, partial: None, cancel: call.cancel.clone() }
    }
}

/// A call handle with the default time limit. The caller frees it with mailbearer_call_free.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_new() -> *mut Call {
    ffi::make(std::ptr::null_mut(), || Ok(Call { timeout_ms: AtomicU64::new(0), cancel: Cancel::default() }))
}

/// Sets the time limit of calls that start later, in milliseconds; 0 puts the default back. For a send it
/// covers everything up to the final dot: queue, token, connection, retries.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_timeout_ms(call: *mut Call, timeout_ms: u64) {
    if let Some(call) = ffi::optional(call) {
        call.timeout_ms.store(timeout_ms, Ordering::Relaxed);
    }
}

/// Ends the calls that were given this handle, now and later: they return `cancelled`, or
/// `delivery_uncertain` if the message was handed over and not yet answered for. It does not wait for
/// them. A cancelled handle stays cancelled: make a new one for the next call.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_cancel(call: *mut Call) {
    ffi::value((), || {
        ffi::object(call, "call")?.cancel.cancel();
        Ok(())
    });
}

/// Frees the handle. NULL is fine. No call may be using it.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_call_free(call: *mut Call) {
    ffi::free(call);
}

/// A deadline further off could not be added to a clock.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);
