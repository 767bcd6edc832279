//! The library's version, and the freeing of what it gave away as plain memory.

use std::ffi::{CStr, c_char};

use crate::ffi;

/// mailbearer_version() gives the version of the library that runs, such as `0.1.0`. MAILBEARER_VERSION is the one that
/// your program was compiled against.
/// Owner: nobody frees it; it is never NULL and lives for ever. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_version() -> *const c_char {
    VERSION.as_ptr()
}

/// mailbearer_string_free() frees a `char *` that this library returned. NULL is fine. Not for `const char *`, which
/// belongs to its object. Threads: one.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_string_free(string: *mut c_char) {
    ffi::free_string(string);
}

/// mailbearer_bytes_free() frees the octets of mailbearer_mailer_render(); `length` is the number that came with them.
/// NULL is fine. Threads: one.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_bytes_free(bytes: *mut u8, length: usize) {
    ffi::free_bytes(bytes, length);
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};
