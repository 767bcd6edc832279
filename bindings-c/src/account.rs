//! Who signed in.

use std::ffi::{CString, c_char};
use std::ptr;

use crate::ffi;

/// The account that a sign-in ended with.
///
/// Threads: it never changes; many threads may read it at once.
pub struct Account {
    username: CString,
}

impl Account {
    pub(crate) fn new(account: &mailbearer::Account) -> Self {
        Self { username: ffi::c_string(&account.username) }
    }
}

/// mailbearer_account_username() gives the mailbox.
/// Owner: borrowed from the account; NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_account_username(account: *const Account) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(account, "account")?.username.as_ptr()))
}

/// mailbearer_account_free() frees the account. NULL is fine.
/// Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_account_free(account: *mut Account) {
    ffi::free(account);
}
