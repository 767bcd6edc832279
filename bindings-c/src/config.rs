//! The options: three layers, and the host's callbacks.

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mailbearer::config::{self, Secret, Spelling};
use mailbearer::{BoxFuture, ErrorCode, Host, ProvidedToken, TokenProvider};
use serde_json::{Map, Value};

use crate::Result;
use crate::error::Error;
use crate::event::{EventFn, Events};
use crate::ffi::{self, Userdata};
use crate::status::Status;

/// The options of a mailer or of a token source. What is set by name wins over the environment, and the
/// environment over the file, in whatever order they were given.
///
/// Threads: one thread at a time. Making mailers from it only reads it.
pub struct Config {
    file: Value,
    env: Value,
    set: Value,
    /// A file was loaded: sign-ins are then kept in one.
    persistent: bool,
    token_callback: Option<Provider>,
    event_callback: Option<(EventFn, Userdata)>,
}

/// What a token callback is asked for. Borrowed: it lives until the callback returns.
pub struct TokenRequest {
    force: bool,
}

/// Where a token callback puts its token. It lives until the callback returns.
#[derive(Default)]
pub struct TokenAnswer {
    secret: Option<Result<Secret>>,
    expires_at: i64,
}

/// Brings a token of the host program's own, when one is needed. It puts it into `answer` with
/// mailbearer_token_answer_set and returns 0; anything else fails the call that needs the token with
/// `token_provider_failed`.
///
/// It runs on a thread of the library's, with all signals blocked, and several mailers may call it at the
/// same time: what it touches must be locked. It may block and may call the library. It must not throw and
/// must not longjmp, and `userdata` must live as long as anything made from the config.
pub type TokenFn = Option<
    extern "C" fn(userdata: *mut c_void, request: *const TokenRequest, answer: *mut TokenAnswer) -> c_int,
>;

/// Options without any value. The caller frees them with mailbearer_config_free.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_new() -> *mut Config {
    ffi::make(std::ptr::null_mut(), || {
        Ok(Config {
            file: empty(),
            env: empty(),
            set: empty(),
            persistent: false,
            token_callback: None,
            event_callback: None,
        })
    })
}

/// Sets one option, by its dotted name, such as `auth.client_id`, from text: `587`, `true`, `30s`; lists,
/// tables and null as JSON. A value set before is replaced. Both texts are copied.
///
/// Errors: `config_invalid` for a NULL argument or broken UTF-8. Unknown names and wrong values are told
/// by mailbearer_mailer_new and mailbearer_tokens_new, with the nearest right name.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set(
    config: *mut Config,
    key: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let key = ffi::text(key, "key")?;
        let value = ffi::text(value, "value")?;
        config.lay(key, config::scalar(key, value.to_owned()))
    })
}

/// Sets one option, or a whole table of them, from JSON; tables merge with what was set before. An empty
/// `key` stands for all options: `{"provider": "gmail", "auth": {…}}`. Both texts are copied.
///
/// Errors: as mailbearer_config_set, and `config_invalid` for text that is not JSON.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_json(
    config: *mut Config,
    key: *const c_char,
    json: *const c_char,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let key = ffi::text(key, "key")?;
        let json = ffi::text(json, "json")?;
        // The position alone: the text may hold a secret.
        let value = serde_json::from_str(json).map_err(|e| {
            mailbearer::Error::config(
                key,
                format!("argument `json` is not JSON (line {}, column {})", e.line(), e.column()),
            )
        })?;
        config.lay(key, value)
    })
}

/// Reads options from a TOML file. `path` NULL looks in the usual places ($MAILBEARER_CONFIG, the user's,
/// the system's); finding none is fine. `profile` NULL means $MAILBEARER_PROFILE, or none. A second file
/// overlays the first. Sign-ins of a config with a file are kept in the user's state folder, unless
/// `store` says otherwise.
///
/// Errors: `config_invalid`, naming the file, and the line if it is not TOML.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_load_file(
    config: *mut Config,
    path: *const c_char,
    profile: *const c_char,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let path = ffi::optional_text(path, "path")?;
        let profile = ffi::optional_text(profile, "profile")?;
        config.load(path.map(PathBuf::from), profile)
    })
}

/// Reads options from the environment as it is now: with the prefix `MAILBEARER_` (NULL means that one)
/// `MAILBEARER_AUTH__CLIENT_ID` is `auth.client_id`. Also reads the file that $MAILBEARER_CONFIG names, unless
/// a file was loaded before.
///
/// Errors: `config_invalid` for a NULL config, broken UTF-8, or a file that cannot be read.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_load_env(
    config: *mut Config,
    prefix: *const c_char,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let prefix = ffi::optional_text(prefix, "prefix")?.unwrap_or("MAILBEARER_");
        if !config.persistent && std::env::var_os("MAILBEARER_CONFIG").is_some() {
            config.load(None, None)?;
        }
        config::overlay(&mut config.env, config::from_env(prefix));
        Ok(())
    })
}

/// Has tokens brought by a function of the host program: sets `auth.grant` to `callback`. `userdata` is
/// handed to it untouched. With another `auth.grant` set behind it, and `auth.client_assertion` set to
/// `{"callback": true}`, it brings the application's assertion instead (RFC 7523).
///
/// Errors: `config_invalid` for a NULL argument other than `userdata`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_token_callback(
    config: *mut Config,
    callback: TokenFn,
    userdata: *mut c_void,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let function = callback.ok_or_else(|| ffi::is_null("callback"))?;
        config.token_callback = Some(Provider { function, userdata: Userdata::new(userdata) });
        config.lay("auth.grant", Value::from("callback"))
    })
}

/// Has a function of the host program told what happens: tokens refreshed, connections made, recipients
/// refused. `userdata` is handed to it untouched. A callback of NULL takes it away again.
///
/// Errors: `config_invalid` for a NULL config.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_event_callback(
    config: *mut Config,
    callback: EventFn,
    userdata: *mut c_void,
    err: *mut *mut Error,
) -> Status {
    ffi::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        config.event_callback = Some((callback, Userdata::new(userdata)));
        Ok(())
    })
}

/// Whether the token given last was refused: bring a new one, not a cached one.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_request_force(request: *const TokenRequest) -> bool {
    ffi::value(false, || Ok(ffi::object(request, "request")?.force))
}

/// Answers with a token, which is copied. `expires_at` is in seconds since 1970; 0 means unknown: then
/// the token's own expiry counts if it is a JWT, else it is good until refused. Set twice, the last one
/// counts. A NULL or broken text fails the call that needs the token.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_answer_set(
    answer: *mut TokenAnswer,
    secret: *const c_char,
    expires_at: i64,
) {
    ffi::value((), || {
        let answer = ffi::object_mut(answer, "answer")?;
        answer.secret = Some(ffi::text(secret, "secret").map(Secret::new));
        answer.expires_at = expires_at;
        Ok(())
    });
}

/// Frees the options. NULL is fine. What was made from them goes on.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_free(config: *mut Config) {
    ffi::free(config);
}

impl Config {
    /// The layers in one piece, and the host's side.
    pub(crate) fn read(&self) -> Result<(Value, Host, Arc<Events>)> {
        let mut options = self.file.clone();
        config::overlay(&mut options, self.env.clone());
        config::overlay(&mut options, self.set.clone());
        let events = Events::new(self.event_callback);
        let provider = self.token_callback.map(|provider| Arc::new(provider) as Arc<dyn TokenProvider>);
        let host = Host {
            spelling: Spelling::Snake,
            token_provider: provider,
            store: None,
            events: events.sink(),
            persistent: self.persistent,
        };
        Ok((options, host, events))
    }

    /// Reads a file, or the one in the usual place if there is one.
    fn load(&mut self, path: Option<PathBuf>, profile: Option<&str>) -> Result<()> {
        if let Some(path) = path.or_else(config::search_path) {
            config::overlay(&mut self.file, config::from_file(&path, profile)?);
            self.persistent = true;
        }
        Ok(())
    }

    /// Lays a value at a dotted name over what was set before.
    fn lay(&mut self, key: &str, value: Value) -> Result<()> {
        // No option lies deeper; what nests for ever would end in a stack that is too small for it.
        if key.split('.').count() > DEEPEST {
            return Err(mailbearer::Error::config(key, format!("unknown option `{key}`")));
        }
        let nested = if key.is_empty() {
            if !value.is_object() {
                return Err(mailbearer::Error::config("key", "argument `key` is empty"));
            }
            value
        } else {
            nest(key, value)
        };
        config::overlay(&mut self.set, nested);
        Ok(())
    }
}

/// `{"a": {"b": value}}` for `a.b`.
pub(crate) fn nest(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])))
}

/// The host's token function, called where it may block.
#[derive(Clone, Copy)]
struct Provider {
    function: extern "C" fn(*mut c_void, *const TokenRequest, *mut TokenAnswer) -> c_int,
    userdata: Userdata,
}

impl Provider {
    fn ask(self, request: &TokenRequest) -> Result<ProvidedToken> {
        let failed = |what: String| mailbearer::Error::new(ErrorCode::TokenProviderFailed, what);
        let mut answer = TokenAnswer::default();
        let code = (self.function)(self.userdata.pointer(), request, &mut answer);
        if code != 0 {
            return Err(failed(format!("the token callback returned {code}")));
        }
        let secret = answer
            .secret
            .ok_or_else(|| {
                failed("the token callback returned 0 without a token".to_owned())
                    .with_hint("Call mailbearer_token_answer_set before returning 0.")
            })?
            .map_err(|e| failed(format!("mailbearer_token_answer_set: {}", e.message())))?;
        let expires_at = u64::try_from(answer.expires_at).ok().filter(|seconds| *seconds > 0);
        let expires_at = expires_at.and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Ok(ProvidedToken { secret, expires_at })
    }
}

impl TokenProvider for Provider {
    fn token(&self, request: mailbearer::TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>> {
        let (provider, request) = (*self, TokenRequest { force: request.force });
        Box::pin(async move {
            // We are on a library thread: a thread that this starts blocks all signals like it.
            let asked = mailbearer::blocking::handle()?.spawn_blocking(move || provider.ask(&request));
            asked.await.map_err(|e| {
                mailbearer::Error::new(ErrorCode::TokenProviderFailed, format!("the token callback: {e}"))
            })?
        })
    }
}

fn empty() -> Value {
    Value::Object(Map::new())
}

const DEEPEST: usize = 16;
