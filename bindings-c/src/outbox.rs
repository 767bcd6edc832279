//! What a mailer with the provider `memory` kept.

use std::ffi::{CString, c_char};
use std::ptr;

use mailbearer::Kept;
use serde_json::json;

use crate::ffi;

/// The messages that a mailer with the provider `memory` kept, oldest first; see mailbearer_mailer_outbox().
///
/// Threads: it never changes; many threads may read it at once.
pub struct Outbox(Vec<(CString, Kept)>);

impl Outbox {
    pub(crate) fn new(kept: Vec<Kept>) -> Self {
        Self(kept.into_iter().map(|kept| (ffi::c_string(&kept.message_id), kept)).collect())
    }
}

/// mailbearer_outbox_count() says how many messages there are; 0 for NULL.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_outbox_count(outbox: *const Outbox) -> usize {
    ffi::value(0, || Ok(ffi::object(outbox, "outbox")?.0.len()))
}

/// mailbearer_outbox_message_id() gives the Message-ID of the message with this index, counted from 0.
/// Owner: borrowed from the outbox; NULL beyond the last message. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_outbox_message_id(outbox: *const Outbox, index: usize) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(outbox, "outbox")?.0.get(index).map_or(ptr::null(), |(id, _)| id.as_ptr()))
    })
}

/// mailbearer_outbox_json() tells of a message as JSON: `message_id`, `tag`, and `envelope` with `mail_from` and
/// `rcpt_to`.
/// Owner: free the text with mailbearer_string_free(); NULL beyond the last message. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_outbox_json(outbox: *const Outbox, index: usize) -> *mut c_char {
    ffi::value(ptr::null_mut(), || {
        let Some((_, kept)) = ffi::object(outbox, "outbox")?.0.get(index) else { return Ok(ptr::null_mut()) };
        let Kept { message_id, tag, envelope, .. } = kept;
        ffi::json(&json!({ "message_id": message_id, "tag": tag, "envelope": envelope }))
    })
}

/// mailbearer_outbox_raw() gives the octets that would have been sent, and their number in *length. They do not
/// end in a NUL. `length` may be NULL.
/// Owner: borrowed from the outbox; NULL beyond the last message. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_outbox_raw(
    outbox: *const Outbox,
    index: usize,
    length: *mut usize,
) -> *const u8 {
    ffi::value(ptr::null(), || {
        let Some((_, kept)) = ffi::object(outbox, "outbox")?.0.get(index) else { return Ok(ptr::null()) };
        ffi::put_number(length, kept.bytes.len());
        Ok(kept.bytes.as_ptr())
    })
}

/// mailbearer_outbox_free() frees the outbox and all that was borrowed from it. NULL is fine.
/// Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_outbox_free(outbox: *mut Outbox) {
    ffi::free(outbox);
}
