//! What `mailbearer_mailer_verify` found.

use std::ffi::c_char;
use std::ptr;

use mailbearer::doctor;

use crate::ffi;

/// The whole chain from the name to MAIL FROM: what was seen at each link, and what to do.
///
/// Threads: it never changes; any number of threads may read it.
pub struct Report(pub(crate) doctor::Report);

/// The report as lines to be read by a person. The caller frees it with mailbearer_string_free; NULL for
/// NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_text(report: *const Report) -> *mut c_char {
    ffi::value(ptr::null_mut(), || Ok(ffi::string(&ffi::object(report, "report")?.0.to_string())))
}

/// Whether every link held.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_ok(report: *const Report) -> bool {
    ffi::value(false, || Ok(ffi::object(report, "report")?.0.ok))
}

/// Frees the report. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_report_free(report: *mut Report) {
    ffi::free(report);
}
