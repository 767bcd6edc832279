//! The error object: core's error, with its texts as C strings.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use mailbearer::Delivery;

use crate::ffi;

/// Why a call failed. A function that can fail takes a `mailbearer_error **err` and writes it on failure only; it
/// never reads it. `err` may be NULL.
///
/// Owner: free what you receive with mailbearer_error_free().
/// Threads: it never changes; many threads may read it at once.
pub struct Error {
    error: mailbearer::Error,
    code: CString,
    message: CString,
    hint: Option<CString>,
}

impl Error {
    pub(crate) fn new(error: mailbearer::Error) -> Self {
        Self {
            code: ffi::c_string(error.code().as_str()),
            message: ffi::c_string(error.message()),
            hint: error.hint().map(ffi::c_string),
            error,
        }
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &mailbearer::Error {
        &self.error
    }
}

/// mailbearer_error_number() gives the number of the code: the status that the call returned. 0 for NULL.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_number(error: *const Error) -> i32 {
    ffi::value(0, || Ok(i32::from(ffi::object(error, "error")?.error.code().number())))
}

/// mailbearer_error_code() gives the stable name of the code, such as `auth_rejected`.
/// Owner: borrowed from the error; empty for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_code(error: *const Error) -> *const c_char {
    ffi::value(c"".as_ptr(), || Ok(ffi::object(error, "error")?.code.as_ptr()))
}

/// mailbearer_error_message() says what happened, in lower case and without a full stop. It never holds a secret.
/// Owner: borrowed from the error; empty for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_message(error: *const Error) -> *const c_char {
    ffi::value(c"".as_ptr(), || Ok(ffi::object(error, "error")?.message.as_ptr()))
}

/// mailbearer_error_hint() gives the cure, as a sentence or a command.
/// Owner: borrowed from the error; NULL if none is known. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_hint(error: *const Error) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(error, "error")?.hint.as_ref().map_or(ptr::null(), |hint| hint.as_ptr()))
    })
}

/// mailbearer_error_retryable() says whether you may repeat the same call without delivering the message twice.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_retryable(error: *const Error) -> bool {
    ffi::value(false, || Ok(ffi::object(error, "error")?.error.retryable()))
}

/// mailbearer_error_retry_after_ms() says how long the server asked to wait, in milliseconds; -1 if it did not.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_retry_after_ms(error: *const Error) -> i64 {
    ffi::value(-1, || {
        let after = ffi::object(error, "error")?.error.retry_after();
        Ok(after.map_or(-1, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))
    })
}

/// mailbearer_error_delivery_uncertain() says whether the message may have arrived although the call failed. If so,
/// no program should send it again. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_delivery_uncertain(error: *const Error) -> bool {
    ffi::value(false, || Ok(ffi::object(error, "error")?.error.delivery() == Delivery::Uncertain))
}

/// mailbearer_error_smtp_code() gives the three digits of the SMTP reply that caused the error; 0 if none did.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_smtp_code(error: *const Error) -> c_int {
    ffi::value(0, || Ok(ffi::object(error, "error")?.error.smtp().map_or(0, |reply| c_int::from(reply.code))))
}

/// mailbearer_error_json() gives all of it as JSON: also the field at fault, the refused recipients, the server's
/// reply, what the token endpoint said.
/// Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_json(error: *const Error) -> *mut c_char {
    ffi::value(ptr::null_mut(), || ffi::json(&ffi::object(error, "error")?.error))
}

/// mailbearer_error_free() frees the error. NULL is fine. Not for the error of a result, which belongs to the result.
/// Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_free(error: *mut Error) {
    ffi::free(error);
}
