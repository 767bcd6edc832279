//! What a server's words mean, offline.

use std::ffi::c_char;
use std::ptr;

use crate::ffi;

/// mailbearer_explain() says what any reply line of a mail server, AADSTS message, answer of a token endpoint, bounce
/// or access token means and what to do, as lines for a person. It asks nobody, and no token that stands in the text is
/// said again.
/// Owner: free the text with mailbearer_string_free(); NULL if nothing in it is known, or `text` is NULL or no UTF-8.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_explain(text: *const c_char) -> *mut c_char {
    ffi::value(ptr::null_mut(), || {
        let found = mailbearer::explain(ffi::text(text, "text")?);
        let lines: Vec<_> = found.iter().map(ToString::to_string).collect();
        Ok(if lines.is_empty() { ptr::null_mut() } else { ffi::string(&lines.join("\n")) })
    })
}

/// mailbearer_explain_json() says the same as a JSON list of objects with `kind`, `seen`, `code`, `meaning`, `cure`,
/// `retryable`, `recipient` and `docs_url`; the list is empty if nothing is known.
/// Owner: free the text with mailbearer_string_free(); NULL if `text` is NULL or no UTF-8. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_explain_json(text: *const c_char) -> *mut c_char {
    ffi::value(ptr::null_mut(), || ffi::json(&mailbearer::explain(ffi::text(text, "text")?)))
}
