//! What `mailbearer_mailer_verify` found.

use std::ffi::c_char;
use std::ptr;

use mailbearer::doctor;

use crate::ffi;

/// The way from the server's name to MAIL FROM: what was seen at each link, and what to do.
///
/// Threads: it never changes; many threads may read it at once.
pub struct Report(pub(crate) doctor::Report);

/// mailbearer_report_text() gives the report as lines for a person.
/// Owner: free the text with mailbearer_string_free(); NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_text(report: *const Report) -> *mut c_char {
    ffi::value(ptr::null_mut(), || Ok(ffi::string(&ffi::object(report, "report")?.0.to_string())))
}

/// mailbearer_report_ok() says whether every link held; false for NULL.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_ok(report: *const Report) -> bool {
    ffi::value(false, || Ok(ffi::object(report, "report")?.0.ok))
}

/// mailbearer_report_free() frees the report. NULL is fine.
/// Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_free(report: *mut Report) {
    ffi::free(report);
}
