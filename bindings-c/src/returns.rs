//! How a function of the header returns: a status, an error object on failure, outputs on success only.

use std::ptr;

use mailbearer::Result;

use crate::error::Error;
use crate::ffi;
use crate::status::{MAILBEARER_OK, Status};

/// Runs a function without outputs; `err`, if given, is written on failure only.
pub(crate) fn status(err: *mut *mut Error, body: impl FnOnce() -> Result<()>) -> Status {
    match ffi::guarded(body) {
        Ok(()) => MAILBEARER_OK,
        Err(error) => fail(err, error),
    }
}

/// Runs a function with one output object, which is written on success only.
pub(crate) fn give<T>(
    out: *mut *mut T,
    name: &str,
    err: *mut *mut Error,
    body: impl FnOnce() -> Result<T>,
) -> Status {
    status(err, || {
        // Before the work: what it makes would have no place to go.
        if out.is_null() {
            return Err(ffi::is_null(name));
        }
        ffi::put(out, name, body()?)
    })
}

/// Runs a function whose output is octets and their number, written on success only.
pub(crate) fn give_bytes(
    bytes: *mut *mut u8,
    length: *mut usize,
    err: *mut *mut Error,
    body: impl FnOnce() -> Result<Vec<u8>>,
) -> Status {
    status(err, || {
        if bytes.is_null() {
            return Err(ffi::is_null("bytes"));
        }
        if length.is_null() {
            return Err(ffi::is_null("length"));
        }
        ffi::put_bytes(bytes, length, body()?)
    })
}

/// Runs a function that returns an object, or NULL on failure.
pub(crate) fn make<T>(err: *mut *mut Error, body: impl FnOnce() -> Result<T>) -> *mut T {
    match ffi::guarded(body) {
        Ok(object) => ffi::hand_over(object),
        Err(error) => {
            fail(err, error);
            ptr::null_mut()
        }
    }
}

fn fail(err: *mut *mut Error, error: mailbearer::Error) -> Status {
    let number = Status::from(error.code().number());
    // A caller that has no place for it wants none.
    let _ = ffi::put(err, "err", Error::new(error));
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_internal_and_writes_no_output() {
        let mut err: *mut Error = ptr::null_mut();
        let mut out: *mut u8 = ptr::null_mut();
        let status = give(&mut out, "out", &mut err, || panic!("boom {}", 1));
        assert_eq!(status, 900);
        assert!(out.is_null());
        let error = ffi::own(err, "err").unwrap();
        assert!(error.core().message().contains("boom 1"));
    }

    #[test]
    fn an_error_that_nobody_wants_is_told_by_the_status_alone() {
        assert_eq!(status(ptr::null_mut(), || Err(mailbearer::Error::config("x", "wrong"))), 100);
    }
}
