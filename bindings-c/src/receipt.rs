//! What a successful send returns.

use std::ffi::{CString, c_char};
use std::ptr;

use crate::ffi;

/// The server took the message for at least one recipient. The receipt also names those that it refused.
///
/// Threads: it never changes; many threads may read it at once.
pub struct Receipt {
    receipt: mailbearer::Receipt,
    message_id: CString,
    /// Address and the server's words.
    rejected: Vec<(CString, CString)>,
}

impl Receipt {
    pub(crate) fn new(receipt: mailbearer::Receipt) -> Self {
        let rejected = receipt.rejected.iter();
        Self {
            message_id: ffi::c_string(&receipt.message_id),
            rejected: rejected
                .map(|no| (ffi::c_string(&no.address), ffi::c_string(&no.reply.to_string())))
                .collect(),
            receipt,
        }
    }
}

/// mailbearer_receipt_message_id() gives the Message-ID with its angle brackets.
/// Owner: borrowed from the receipt; NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_message_id(receipt: *const Receipt) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(receipt, "receipt")?.message_id.as_ptr()))
}

/// mailbearer_receipt_accepted_count() says how many recipients the server took; 0 for NULL.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_accepted_count(receipt: *const Receipt) -> usize {
    ffi::value(0, || Ok(ffi::object(receipt, "receipt")?.receipt.accepted.len()))
}

/// mailbearer_receipt_rejected_count() says how many recipients the server refused; 0 for NULL.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_rejected_count(receipt: *const Receipt) -> usize {
    ffi::value(0, || Ok(ffi::object(receipt, "receipt")?.rejected.len()))
}

/// mailbearer_receipt_rejected_address() gives the address of a refused recipient, counted from 0.
/// Owner: borrowed from the receipt; NULL beyond the last. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_rejected_address(
    receipt: *const Receipt,
    index: usize,
) -> *const c_char {
    ffi::value(ptr::null(), || {
        let rejected = ffi::object(receipt, "receipt")?.rejected.get(index);
        Ok(rejected.map_or(ptr::null(), |(address, _)| address.as_ptr()))
    })
}

/// mailbearer_receipt_rejected_text() gives what the server said to a refused recipient, such as
/// `550 5.1.1 user unknown`.
/// Owner: borrowed from the receipt; NULL beyond the last. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_rejected_text(receipt: *const Receipt, index: usize) -> *const c_char {
    ffi::value(ptr::null(), || {
        let rejected = ffi::object(receipt, "receipt")?.rejected.get(index);
        Ok(rejected.map_or(ptr::null(), |(_, text)| text.as_ptr()))
    })
}

/// mailbearer_receipt_json() gives all of it as JSON: also the envelope, the server's reply, the size, the times.
/// Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_json(receipt: *const Receipt) -> *mut c_char {
    ffi::value(ptr::null_mut(), || ffi::json(&ffi::object(receipt, "receipt")?.receipt))
}

/// mailbearer_receipt_free() frees the receipt. NULL is fine. Not for the receipt of a result, which belongs to the
/// result. Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_receipt_free(receipt: *mut Receipt) {
    ffi::free(receipt);
}
