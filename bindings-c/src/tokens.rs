//! The token half alone, for programs that keep their own SMTP or IMAP client.

use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mailbearer::{AccessToken, GetToken, Options, TokenSource};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::call::Call;
use crate::config::Config;
use crate::error::Error;
use crate::event::Events;
use crate::ffi::SignalsBlocked;
use crate::status::Status;
use crate::{blocking, ffi};

/// Gets tokens and keeps them fresh. One that a mailer gave shares the mailer's tokens.
///
/// Threads: every function that takes it as `const` may be called by any number of threads at once.
pub struct Tokens {
    pub(crate) source: TokenSource,
    pub(crate) events: Arc<Events>,
}

/// An access token. It is a secret: the holder may send as the mailbox.
///
/// Threads: it never changes; any number of threads may read it.
pub struct Token {
    token: AccessToken,
    /// The token with the NUL that ends it.
    secret: Zeroizing<Vec<u8>>,
}

/// A token source from options; those of smtp and limits are ignored. Touches no network. On success
/// `*tokens` is the caller's to free. The config stays the caller's, and may be freed.
///
/// Errors: `config_invalid`, naming the option.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_new(
    config: *const Config,
    tokens: *mut *mut Tokens,
    err: *mut *mut Error,
) -> Status {
    ffi::give(tokens, "tokens", err, || {
        // It may start a thread.
        let _blocked = SignalsBlocked::new();
        let (options, host, events) = ffi::object(config, "config")?.read()?;
        let options = Options::from_json(options, host.spelling)?;
        Ok(Tokens { source: TokenSource::new(options, host)?, events })
    })
}

/// A token: at once if a fresh one is there, else it is fetched; many callers share one request. `force`
/// fetches a new one in any case. On success `*token` is the caller's to free.
///
/// Errors: those of the sign-in (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_get(
    tokens: *const Tokens,
    force: bool,
    call: *mut Call,
    token: *mut *mut Token,
    err: *mut *mut Error,
) -> Status {
    ffi::give(token, "token", err, || {
        let this = ffi::object(tokens, "tokens")?;
        if !force && let Some(token) = this.source.cached(None) {
            return Ok(Token::new(token));
        }
        let source = this.source.clone();
        let request = GetToken { force, min_remaining: None, call: Call::of(call) };
        blocking::run(&this.events, async move { source.get(request).await }).map(Token::new)
    })
}

/// Says that a server refused exactly this token: the next get brings another. The token stays the
/// caller's to free.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_invalidate(tokens: *const Tokens, token: *const Token) {
    ffi::value((), || {
        let token = ffi::object(token, "token")?;
        ffi::object(tokens, "tokens")?.source.invalidate(token.token.secret());
        Ok(())
    });
}

/// Takes over a sign-in that another program keeps, so that nobody need sign in again: `text` is MSAL's
/// serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. It is tried once before it is kept;
/// the other program should not go on with it. On success `*account` is the caller's to free.
///
/// Errors: `login_invalid` if nothing in it fits, `config_invalid` if several accounts do, those of the sign-in
/// (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_import_login(
    tokens: *const Tokens,
    text: *const c_char,
    call: *mut Call,
    account: *mut *mut Account,
    err: *mut *mut Error,
) -> Status {
    ffi::give(account, "account", err, || {
        let this = ffi::object(tokens, "tokens")?;
        let (source, call) = (this.source.clone(), Call::of(call));
        let text = ffi::text(text, "text")?.to_owned();
        let account = blocking::run(&this.events, async move { source.import_login(&text, call).await })?;
        Ok(Account::new(&account))
    })
}

/// Forgets the account and its tokens, here and in the store, and tells the service of a person's sign-in where it
/// wants to know; a later use asks for a sign-in again. A call that is under way ends as it would.
///
/// Errors: `store_failed`; `config_invalid` for NULL tokens, or if several accounts are stored and none is named.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_logout(tokens: *const Tokens, err: *mut *mut Error) -> Status {
    ffi::status(err, || {
        let this = ffi::object(tokens, "tokens")?;
        let source = this.source.clone();
        blocking::run(&this.events, async move { source.logout().await })
    })
}

/// The token itself. Borrowed from the token; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_secret(token: *const Token) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(token, "token")?.secret.as_ptr().cast()))
}

/// When it expires, in seconds since 1970; 0 if nobody said.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_expires_at(token: *const Token) -> i64 {
    ffi::value(0, || Ok(ffi::object(token, "token")?.token.expires_at().map_or(0, epoch_seconds)))
}

/// What goes behind `AUTH XOAUTH2 ` in SMTP, or answers IMAP's `+`: base64, as on the wire. `username` is
/// the mailbox; NULL means the one that the token is for. The caller frees it with mailbearer_string_free;
/// NULL if no mailbox is known, or an argument is wrong. It is a secret.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_xoauth2_base64(
    token: *const Token,
    username: *const c_char,
) -> *mut c_char {
    ffi::value(ptr::null_mut(), || {
        let token = &ffi::object(token, "token")?.token;
        Ok(ffi::string(&token.xoauth2_base64(ffi::optional_text(username, "username")?)?))
    })
}

/// Frees the token and wipes it from memory. NULL is fine.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_free(token: *mut Token) {
    ffi::free(token);
}

/// Frees the token source. NULL is fine. A mailer that it came from goes on.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_free(tokens: *mut Tokens) {
    ffi::free(tokens);
}

impl Token {
    fn new(token: AccessToken) -> Self {
        let text = token.secret().as_bytes();
        // In one allocation, so that no copy is left behind; no token has a NUL in it.
        let mut secret = Vec::with_capacity(text.len() + 1);
        secret.extend(text.iter().filter(|octet| **octet != 0));
        secret.push(0);
        Self { secret: Zeroizing::new(secret), token }
    }
}

fn epoch_seconds(at: SystemTime) -> i64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
