//! Who signed in.

use std::ffi::{CString, c_char};
use std::ptr;

use crate::ffi;

/// The account that a sign-in ended with.
///
/// Threads: it never changes; any number of threads may read it.
pub struct Account {
    username: CString,
}

impl Account {
    pub(crate) fn new(account: &mailbearer::Account) -> Self {
        Self { username: ffi::c_string(&account.username) }
    }
}

/// The mailbox. Borrowed from the account; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_account_username(account: *const Account) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(account, "account")?.username.as_ptr()))
}

/// Frees the account. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_account_free(account: *mut Account) {
    ffi::free(account);
}
