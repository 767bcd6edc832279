//! What became of one message of `mailbearer_mailer_send_many`.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use crate::error::Error;
use crate::ffi;
use crate::receipt::Receipt;

/// What became of one message: it has either a receipt or an error.
///
/// Owner: it and all that is borrowed from it live until the callback that was given it returns; free nothing.
/// Threads: only the thread that runs the callback.
pub struct SendResult {
    tag: Option<CString>,
    result: std::result::Result<Receipt, Error>,
}

impl SendResult {
    pub(crate) fn new(result: mailbearer::SendResult) -> Self {
        Self {
            tag: result.tag.as_deref().map(ffi::c_string),
            result: result.result.map(Receipt::new).map_err(Error::new),
        }
    }
}

/// Your function that is told what became of each message of mailbearer_mailer_send_many(): once for each, in the
/// order in which the answers come. Use tags to tell them apart. It runs on the thread that called.
/// Return 0 to go on. Anything else stops the pulling; messages under way go on and are still reported.
pub type ResultFn = Option<extern "C" fn(userdata: *mut c_void, result: *const SendResult) -> c_int>;

/// mailbearer_result_tag() gives the message's own tag.
/// Owner: borrowed from the result; NULL if it had none. Threads: that of the callback.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_tag(result: *const SendResult) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.tag.as_ref().map_or(ptr::null(), |tag| tag.as_ptr()))
    })
}

/// mailbearer_result_receipt() gives the receipt.
/// Owner: borrowed from the result: do not free it; NULL if nobody was accepted. Threads: that of the callback.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_receipt(result: *const SendResult) -> *const Receipt {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.result.as_ref().map_or(ptr::null(), ptr::from_ref))
    })
}

/// mailbearer_result_error() gives the error.
/// Owner: borrowed from the result: do not free it; NULL if the message was sent. Threads: that of the callback.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_error(result: *const SendResult) -> *const Error {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.result.as_ref().err().map_or(ptr::null(), ptr::from_ref))
    })
}
