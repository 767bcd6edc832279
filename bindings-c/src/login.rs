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
use crate::{blocking, ffi, returns};

/// A sign-in under way. Show the person the message, or send their browser to the URL. Then wait for them, or
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

/// mailbearer_login_url() gives the address to which the person goes.
/// Owner: borrowed from the login; NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_url(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(login, "login")?.url.as_ptr()))
}

/// mailbearer_login_user_code() gives what the person types there.
/// Owner: borrowed from the login; NULL for `authorization_code`. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_user_code(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || {
        Ok(ffi::object(login, "login")?.user_code.as_ref().map_or(ptr::null(), |code| code.as_ptr()))
    })
}

/// mailbearer_login_message() gives a sentence to show the person.
/// Owner: borrowed from the login; NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_message(login: *const Login) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(login, "login")?.message.as_ptr()))
}

/// mailbearer_login_save() gives the sign-in as text. Another process goes on with it by
/// mailbearer_mailer_resume_login(), once, within 15 minutes. Keep the text on the server: without `store.key` it
/// holds what proves the sign-in yours.
/// Owner: free the text with mailbearer_string_free(); NULL if this sign-in cannot be saved. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_save(login: *const Login) -> *mut c_char {
    ffi::value(ptr::null_mut(), || Ok(ffi::string(&ffi::object(login, "login")?.login.save()?)))
}

/// mailbearer_login_wait() waits until the person has signed in: for device codes, and for `authorization_code`
/// without a `redirect_uri`. It ends with the sign-in's own time, or with the time limit of `call` before.
/// Owner: free *account with mailbearer_account_free(). Threads: one at a time.
/// Errors: `login_declined`, `login_expired`, `login_invalid`, `account_mismatch`, `timed_out`, `cancelled`, and
/// what the sign-in service refuses.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_wait(
    login: *mut Login,
    call: *mut Call,
    account: *mut *mut Account,
    err: *mut *mut Error,
) -> Status {
    returns::give(account, "account", err, || {
        let this = ffi::object(login, "login")?;
        let (login, call) = (this.login.clone(), Call::of(call));
        let account = blocking::run(&this.events, async move { login.wait(call).await })?;
        Ok(Account::new(&account))
    })
}

/// mailbearer_login_finish() ends the sign-in with what came to the `redirect_uri`: the whole URL, its query, or the
/// form's body.
/// Owner: free *account with mailbearer_account_free(). `callback` is copied. Threads: one at a time.
/// Errors: `login_invalid` for an answer that belongs to another sign-in, was used before or came too late;
/// `login_declined`, `account_mismatch`, and what the sign-in service refuses.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_finish(
    login: *mut Login,
    callback: *const c_char,
    call: *mut Call,
    account: *mut *mut Account,
    err: *mut *mut Error,
) -> Status {
    returns::give(account, "account", err, || {
        let this = ffi::object(login, "login")?;
        let callback = Value::String(ffi::text(callback, "callback")?.to_owned());
        let (login, call) = (this.login.clone(), Call::of(call));
        let account = blocking::run(&this.events, async move { login.finish(&callback, call).await })?;
        Ok(Account::new(&account))
    })
}

/// mailbearer_login_free() frees the sign-in, over or not. NULL is fine. A saved one can still be resumed.
/// Threads: one, when no call uses it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_login_free(login: *mut Login) {
    ffi::free(login);
}
