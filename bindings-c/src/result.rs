//! What became of one message of `mailbearer_mailer_send_many`.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

use mailbearer::SendResult;

use crate::error::Error;
use crate::ffi;
use crate::receipt::Receipt;

/// What became of one message: it has either a receipt or an error. It and all that is borrowed from it
/// live until the callback that was given it returns; there is nothing to free.
pub struct Outcome {
    tag: Option<CString>,
    result: std::result::Result<Receipt, Error>,
}

impl Outcome {
    pub(crate) fn new(result: SendResult) -> Self {
        Self {
            tag: result.tag.as_deref().map(ffi::c_string),
            result: result.result.map(Receipt::new).map_err(Error::new),
        }
    }
}

/// Is told what became of each message, once each, in the order in which the answers come; use tags to
/// know them apart. It runs on the thread that called mailbearer_mailer_send_many. It returns 0 to go on;
/// anything else stops the pulling, while what was started goes on to its end and is still reported. It
/// must not throw and must not longjmp.
pub type ResultFn = Option<extern "C" fn(userdata: *mut c_void, result: *const Outcome) -> c_int>;

/// The message's own tag; NULL if it had none. Borrowed from the result.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_tag(result: *const Outcome) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.tag.as_ref().map_or(ptr::null(), |tag| tag.as_ptr()))
    })
}

/// The receipt; NULL if nobody was accepted. Borrowed from the result: do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_receipt(result: *const Outcome) -> *const Receipt {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.result.as_ref().map_or(ptr::null(), ptr::from_ref))
    })
}

/// The error; NULL if the message was sent. Borrowed from the result: do not free it.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_result_error(result: *const Outcome) -> *const Error {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(result, "result")?.result.as_ref().err().map_or(ptr::null(), ptr::from_ref))
    })
}
