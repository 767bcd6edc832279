//! All dangerous code: pointers, C strings, ownership, the panic guard and signal masks.
//!
//! The functions here are safe to call from this crate because of what the header asks of its caller:
//! a pointer is NULL or came from this library and was not freed; a string is NULL or ends in a NUL;
//! an object that is not `const` is used by one thread at a time. All that can be checked is checked.

use std::ffi::{CStr, CString, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{ptr, slice};

use mailbearer::{Error, ErrorCode, Result};

/// Runs a function that cannot report: `fallback` stands for a NULL argument, or nothing to tell.
pub(crate) fn value<T>(fallback: T, body: impl FnOnce() -> Result<T>) -> T {
    guarded(body).unwrap_or(fallback)
}

/// Hands an object to the caller.
///
/// # Errors
/// `config_invalid` if there is no place for it.
pub(crate) fn put<T>(out: *mut *mut T, name: &str, object: T) -> Result<()> {
    if out.is_null() {
        return Err(is_null(name));
    }
    // SAFETY: `out` is not NULL and points to a pointer of the caller's.
    unsafe { *out = Box::into_raw(Box::new(object)) };
    Ok(())
}

/// Hands octets and their number to the caller, who gives both back to `free_bytes`.
///
/// # Errors
/// `config_invalid` if there is no place for one of them.
pub(crate) fn put_bytes(bytes: *mut *mut u8, length: *mut usize, content: Vec<u8>) -> Result<()> {
    if bytes.is_null() {
        return Err(is_null("bytes"));
    }
    if length.is_null() {
        return Err(is_null("length"));
    }
    let content = content.into_boxed_slice();
    // SAFETY: neither output is NULL; `free_bytes` takes the same pointer and number back.
    unsafe {
        *length = content.len();
        *bytes = Box::into_raw(content).cast();
    }
    Ok(())
}

/// Tells the caller a number; NULL is fine.
pub(crate) fn put_number(out: *mut usize, number: usize) {
    if !out.is_null() {
        // SAFETY: not NULL, and points to a number of the caller's.
        unsafe { *out = number };
    }
}

/// An object that belongs to the caller from now on.
pub(crate) fn hand_over<T>(object: T) -> *mut T {
    Box::into_raw(Box::new(object))
}

/// The object behind a pointer that may be shared by threads.
pub(crate) fn object<'a, T>(pointer: *const T, name: &str) -> Result<&'a T> {
    optional(pointer).ok_or_else(|| is_null(name))
}

/// The object behind a pointer, or none for NULL.
pub(crate) fn optional<'a, T>(pointer: *const T) -> Option<&'a T> {
    // SAFETY: NULL, or an object of ours that is alive (module comment).
    unsafe { pointer.as_ref() }
}

/// The object behind a pointer that this thread alone uses.
pub(crate) fn object_mut<'a, T>(pointer: *mut T, name: &str) -> Result<&'a mut T> {
    // SAFETY: NULL, or an object of ours that no other thread uses now (module comment).
    unsafe { pointer.as_mut() }.ok_or_else(|| is_null(name))
}

/// An object that the caller hands over for good.
pub(crate) fn own<T>(pointer: *mut T, name: &str) -> Result<Box<T>> {
    if pointer.is_null() {
        return Err(is_null(name));
    }
    // SAFETY: objects are made by `Box` in `put` and `hand_over`, and given back once.
    Ok(unsafe { Box::from_raw(pointer) })
}

/// Frees an object; NULL is fine.
pub(crate) fn free<T>(pointer: *mut T) {
    value((), || own(pointer, "object").map(drop));
}

/// The text of a C string.
pub(crate) fn text<'a>(pointer: *const c_char, name: &str) -> Result<&'a str> {
    optional_text(pointer, name)?.ok_or_else(|| is_null(name))
}

/// The text of a C string, or none for NULL.
pub(crate) fn optional_text<'a>(pointer: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and ends in a NUL (module comment).
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map(Some).map_err(|e| {
        let at = e.valid_up_to();
        Error::config(name, format!("argument `{name}` is not valid UTF-8 at octet {at}"))
            .with_hint("Convert the text to UTF-8 first, for instance with iconv.")
    })
}

/// Octets of the caller's; NULL is fine for none.
pub(crate) fn bytes<'a>(pointer: *const c_void, length: usize, name: &str) -> Result<&'a [u8]> {
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(is_null(name));
    }
    if isize::try_from(length).is_err() {
        return Err(Error::config(name, format!("argument `{name}` is {length} octets long")));
    }
    // SAFETY: not NULL; the caller says that `length` octets are there.
    Ok(unsafe { slice::from_raw_parts(pointer.cast(), length) })
}

/// Frees what `put_bytes` gave.
pub(crate) fn free_bytes(pointer: *mut u8, length: usize) {
    if !pointer.is_null() {
        // SAFETY: pointer and number came from `put_bytes`.
        drop(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(pointer, length)) });
    }
}

/// A string that the caller frees with `mailbearer_string_free`.
pub(crate) fn string(text: &str) -> *mut c_char {
    c_string(text).into_raw()
}

/// Data as JSON text, which the caller frees with `mailbearer_string_free`.
pub(crate) fn json(data: &impl serde::Serialize) -> Result<*mut c_char> {
    let text = serde_json::to_string(data)
        .map_err(|e| Error::new(ErrorCode::Internal, format!("cannot write JSON: {e}")))?;
    Ok(string(&text))
}

/// Frees what `string` gave.
pub(crate) fn free_string(pointer: *mut c_char) {
    if !pointer.is_null() {
        // SAFETY: the pointer came from `string`.
        drop(unsafe { CString::from_raw(pointer) });
    }
}

/// Text as C has it: an inner NUL, which would cut it short, becomes U+FFFD.
pub(crate) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// A pointer of the caller's that is only handed back to the caller's callbacks.
#[derive(Clone, Copy)]
pub(crate) struct Userdata(*mut c_void);

// SAFETY: it is never followed here; the header says on which threads the callbacks run.
unsafe impl Send for Userdata {}
// SAFETY: as above.
unsafe impl Sync for Userdata {}

impl Userdata {
    pub(crate) fn new(pointer: *mut c_void) -> Self {
        Self(pointer)
    }

    pub(crate) fn pointer(self) -> *mut c_void {
        self.0
    }
}

/// While it lives, threads that this one starts are born with all signals blocked, so that no signal of
/// the host is ever delivered to them, and SIGPIPE stays pending there for ever. The thread's own mask
/// comes back when it is dropped; no handler is touched.
pub(crate) struct SignalsBlocked {
    #[cfg(unix)]
    before: libc::sigset_t,
}

impl SignalsBlocked {
    #[cfg(unix)]
    pub(crate) fn new() -> Self {
        // SAFETY: plain system calls on local sets; an all-zero set is a valid one to start from.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            Self { before }
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> Self {
        Self {}
    }
}

#[cfg(unix)]
impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` was filled by the same call.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

/// No panic crosses into C: it becomes `internal`.
pub(crate) fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    // What a panic leaves half done is the object of the call that failed; locks recover from poison.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned());
        Err(Error::new(ErrorCode::Internal, format!("a panic: {said}")))
    })
}

/// What a function of ours must be told about a NULL that is not allowed.
pub(crate) fn is_null(name: &str) -> Error {
    Error::config(name, format!("argument `{name}` is NULL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_nul_does_not_cut_a_text_short() {
        assert_eq!(c_string("a\0b").to_str().unwrap(), "a\u{fffd}b");
    }

    #[test]
    fn octets_may_be_null_only_if_there_are_none() {
        assert_eq!(bytes(ptr::null(), 0, "data").unwrap(), b"");
        assert!(bytes(ptr::null(), 1, "data").unwrap_err().message().contains("`data` is NULL"));
        assert!(bytes(b"x".as_ptr().cast(), usize::MAX, "data").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn the_mask_comes_back_as_it_was() {
        let mask = || {
            // SAFETY: reads the mask into a local set.
            unsafe {
                let mut now: libc::sigset_t = std::mem::zeroed();
                libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut now);
                (1..32).filter(|signal| libc::sigismember(&now, *signal) == 1).collect::<Vec<_>>()
            }
        };
        let before = mask();
        let blocked = SignalsBlocked::new();
        assert!(mask().contains(&libc::SIGPIPE) && mask().contains(&libc::SIGINT));
        drop(blocked);
        assert_eq!(mask(), before);
    }
}
