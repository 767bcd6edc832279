//! The error object: core's error, with its texts as C strings.

use std::ffi::{CString, c_char, c_int};
use std::ptr;

use mailbearer::Delivery;

use crate::ffi;

/// Why a call failed. Functions that can fail take a `mailbearer_error **err`: it may be NULL, is written
/// on failure only, is never read, and what it receives is freed by the caller with mailbearer_error_free.
///
/// Threads: it never changes; any number of threads may read it.
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

/// The number of the code: the status that the call returned. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_number(error: *const Error) -> i32 {
    ffi::value(0, || Ok(i32::from(ffi::object(error, "error")?.error.code().number())))
}

/// The stable name of the code, such as `auth_rejected`. Borrowed from the error; empty for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_code(error: *const Error) -> *const c_char {
    ffi::value(c"".as_ptr(), || Ok(ffi::object(error, "error")?.code.as_ptr()))
}

/// What happened, in lower case and without a full stop; never with a secret. Borrowed from the error;
/// empty for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_message(error: *const Error) -> *const c_char {
    ffi::value(c"".as_ptr(), || Ok(ffi::object(error, "error")?.message.as_ptr()))
}

/// The cure, as a sentence or a command; NULL where none is known. Borrowed from the error.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_hint(error: *const Error) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(error, "error")?.hint.as_ref().map_or(ptr::null(), |hint| hint.as_ptr()))
    })
}

/// Whether the same call may be repeated without delivering the message twice.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_retryable(error: *const Error) -> bool {
    ffi::value(false, || Ok(ffi::object(error, "error")?.error.retryable()))
}

/// How long the server asked to wait, in milliseconds; -1 if it did not say.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_retry_after_ms(error: *const Error) -> i64 {
    ffi::value(-1, || {
        let after = ffi::object(error, "error")?.error.retry_after();
        Ok(after.map_or(-1, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))
    })
}

/// Whether the message may have been delivered although the call failed: never send it again by program.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_delivery_uncertain(error: *const Error) -> bool {
    ffi::value(false, || Ok(ffi::object(error, "error")?.error.delivery() == Delivery::Uncertain))
}

/// The three digits of the SMTP reply that caused it; 0 if there was none.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_smtp_code(error: *const Error) -> c_int {
    ffi::value(0, || Ok(ffi::object(error, "error")?.error.smtp().map_or(0, |reply| c_int::from(reply.code))))
}

/// All of it as JSON: also the field at fault, the refused recipients, the server's reply, what the token
/// endpoint said. The caller frees it with mailbearer_string_free; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_json(error: *const Error) -> *mut c_char {
    ffi::value(ptr::null_mut(), || ffi::json(&ffi::object(error, "error")?.error))
}

/// Frees the error. NULL is fine. Not for the error of a result, which belongs to the result.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_error_free(error: *mut Error) {
    ffi::free(error);
}
