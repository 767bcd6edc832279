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
use crate::{blocking, ffi, returns};

/// Gets tokens and keeps them fresh. One that a mailer gave shares the mailer's tokens.
///
/// Threads: every function that takes it as `const` may be called by many threads at once.
pub struct Tokens {
    pub(crate) source: TokenSource,
    pub(crate) events: Arc<Events>,
}

/// An access token. It is a secret: who has it may send as the mailbox.
///
/// Threads: it never changes; many threads may read it at once.
pub struct Token {
    token: AccessToken,
    /// The token with the NUL that ends it.
    secret: Zeroizing<Vec<u8>>,
}

/// mailbearer_tokens_new() makes a token source from options; it ignores those of smtp and limits, and asks nobody.
/// Owner: free *tokens with mailbearer_tokens_free(). The config stays yours and may be freed at once.
/// Threads: many at once. Errors: `config_invalid`, with the option.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_new(
    config: *const Config,
    tokens: *mut *mut Tokens,
    err: *mut *mut Error,
) -> Status {
    returns::give(tokens, "tokens", err, || {
        // It may start a thread.
        let _blocked = SignalsBlocked::new();
        let (options, host, events) = ffi::object(config, "config")?.read()?;
        let options = Options::from_json(options, host.spelling)?;
        Ok(Tokens { source: TokenSource::new(options, host)?, events })
    })
}

/// mailbearer_tokens_get() gives a token: at once if there is a fresh one, else it asks for one. Many callers share
/// one request. `force` asks in any case. mailbearer_call_min_remaining_ms() says how long it must still be good.
/// Owner: free *token with mailbearer_token_free().
/// Threads: many at once.
/// Errors: those of the sign-in (300s), `store_failed`, `timed_out`, `cancelled`, network errors (600s).
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_get(
    tokens: *const Tokens,
    force: bool,
    call: *mut Call,
    token: *mut *mut Token,
    err: *mut *mut Error,
) -> Status {
    returns::give(token, "token", err, || {
        let this = ffi::object(tokens, "tokens")?;
        let min_remaining = Call::min_remaining(call);
        if !force && let Some(token) = this.source.cached(min_remaining) {
            return Ok(Token::new(token));
        }
        let source = this.source.clone();
        let request = GetToken { force, min_remaining, call: Call::of(call) };
        blocking::run(&this.events, async move { source.get(request).await }).map(Token::new)
    })
}

/// mailbearer_tokens_invalidate() says that a server refused exactly this token: the next get brings another.
/// Owner: the token stays yours. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_invalidate(tokens: *const Tokens, token: *const Token) {
    ffi::value((), || {
        let token = ffi::object(token, "token")?;
        ffi::object(tokens, "tokens")?.source.invalidate(token.token.secret());
        Ok(())
    });
}

/// mailbearer_tokens_import_login() takes over a sign-in that another program keeps, so that nobody signs in again.
/// `text` is MSAL's serialised cache, or a file of mutt_oauth2.py (decrypted) or sasl-xoauth2. The sign-in is
/// tried once before it is kept; the other program should not use it any more.
///
/// Owner: free *account with mailbearer_account_free(). `text` is copied. Threads: many at once.
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
    returns::give(account, "account", err, || {
        let this = ffi::object(tokens, "tokens")?;
        let (source, call) = (this.source.clone(), Call::of(call));
        let text = ffi::text(text, "text")?.to_owned();
        let account = blocking::run(&this.events, async move { source.import_login(&text, call).await })?;
        Ok(Account::new(&account))
    })
}

/// mailbearer_tokens_logout() forgets the account and its tokens, here and in the store, and revokes a person's
/// sign-in at services that can. The next use asks for a sign-in. A call under way ends as it would.
/// Threads: many at once.
/// Errors: `store_failed`; `config_invalid` for NULL, or if several accounts are stored and none is named.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_tokens_logout(tokens: *const Tokens, err: *mut *mut Error) -> Status {
    returns::status(err, || {
        let this = ffi::object(tokens, "tokens")?;
        let source = this.source.clone();
        blocking::run(&this.events, async move { source.logout().await })
    })
}

/// mailbearer_token_secret() gives the token itself. Do not log it.
/// Owner: borrowed from the token; NULL for NULL. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_secret(token: *const Token) -> *const c_char {
    ffi::value(ptr::null(), || Ok(ffi::object(token, "token")?.secret.as_ptr().cast()))
}

/// mailbearer_token_expires_at() says when the token expires, in seconds since 1970; 0 if nobody said.
/// Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_expires_at(token: *const Token) -> i64 {
    ffi::value(0, || Ok(ffi::object(token, "token")?.token.expires_at().map_or(0, epoch_seconds)))
}

/// mailbearer_token_xoauth2_base64() gives what goes behind `AUTH XOAUTH2 ` in SMTP, and what answers IMAP's `+`.
/// `username` is the mailbox; NULL is the one that the token is for. The text is a secret.
/// Owner: free the text with mailbearer_string_free(); NULL if no mailbox is known or an argument is wrong.
/// Threads: many at once.
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

/// mailbearer_token_free() frees the token and wipes it from memory. NULL is fine.
/// Threads: one, when nobody reads it any more.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_free(token: *mut Token) {
    ffi::free(token);
}

/// mailbearer_tokens_free() frees the token source. NULL is fine. A mailer that it came from goes on.
/// Threads: one, when no call uses it any more.
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
