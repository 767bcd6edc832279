//! A sign-in under way.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Arc;

use serde_json::Value;

use crate::account::Account;
use crate::call::Call;
use crate::error::Error;
use crate::event::Events;
use crate::status::Status;
use crate::{blocking, ffi};

/// A sign-in under way: show the person the message, or send their browser to the URL; then wait, or
/// finish with what came back.
///
/// Threads: what is borrowed from it never changes. Only one thread may wait or finish at a time.
pub struct Login {
    login: mailbearer::Login,
    events: Arc<Events>,
    url: CString,
    user_code: Option<CString>,
    message: CString,
}

impl Login {
    pub(crate) fn new(login: mailbearer::Login, events: Arc<Events>) -> Self {
        Self {
            url: ffi::c_string(login.url()),
            user_code: login.user_code().map(ffi::c_string),
            message: ffi::c_string(login.message()),
            login,
            events,
        }
    }
}

/// Where the person goes. Borrowed from the login; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_url(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(login, "login")?.url.as_ptr()))
}

/// What the person types there; NULL for `authorization_code`. Borrowed from the login.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_user_code(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(login, "login")?.user_code.as_ref().map_or(ptr::null(), |code| code.as_ptr()))
    })
}

/// A sentence to show the person. Borrowed from the login; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_message(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(login, "login")?.message.as_ptr()))
}

/// The sign-in as text, for another process to go on with by mailbearer_mailer_resume_login; once, within
/// 15 minutes. Keep it on the server: unless `store.key` seals it, it holds what proves the sign-in ours.
/// The caller frees it with mailbearer_string_free; NULL if this sign-in cannot be saved.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_save(login: *const Login) -> *mut c_char {
    ffi::value(ptr::null_mut(), || Ok(ffi::string(&ffi::object(login, "login")?.login.save()?)))
}

/// Waits until the person signed in: for device codes, and for `authorization_code` without a
/// `redirect_uri`. It ends when the sign-in expires, if not by the call's time limit before. On success
/// `*account` is the caller's to free.
///
/// Errors: `login_declined`, `login_expired`, `login_invalid`, `account_mismatch`, `timed_out`,
/// `cancelled`, and what the sign-in service refuses.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_wait(
    login: *mut Login,
    call: *mut Call,
    account: *mut *mut Account,
    err: *mut *mut Error,
) -> Status {
    ffi::give(account, "account", err, || {
        let this = ffi::object(login, "login")?;
        let (login, call) = (this.login.clone(), Call::of(call));
        let account = blocking::run(&this.events, async move { login.wait(call).await })?;
        Ok(Account::new(&account))
    })
}

/// Ends the sign-in with what came to the `redirect_uri`: the whole URL, its query, or the form's body. On
/// success `*account` is the caller's to free.
///
/// Errors: `login_invalid` for an answer to another sign-in, one used before, or too late;
/// `login_declined`, `account_mismatch`, and what the sign-in service refuses.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_finish(
    login: *mut Login,
    callback: *const c_char,
    call: *mut Call,
    account: *mut *mut Account,
    err: *mut *mut Error,
) -> Status {
    ffi::give(account, "account", err, || {
        let this = ffi::object(login, "login")?;
        let callback = Value::String(ffi::text(callback, "callback")?.to_owned());
        let (login, call) = (this.login.clone(), Call::of(call));
        let account = blocking::run(&this.events, async move { login.finish(&callback, call).await })?;
        Ok(Account::new(&account))
    })
}

/// Frees the sign-in, over or not; no call may be using it. NULL is fine. A saved one can still be resumed.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_free(login: *mut Login) {
    ffi::free(login);
}
