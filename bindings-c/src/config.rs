//! The options: three layers, and the host's callbacks.

use std::ffi::{c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use mailbearer::config::{self, Environment, Secret, Spelling};
use mailbearer::{BoxFuture, ErrorCode, Host, ProvidedToken, Result, TokenProvider};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::event::{EventFn, Events};
use crate::ffi::{self, Userdata};
use crate::own_callback::{self, Owner};
use crate::returns;
use crate::status::Status;

/// The options of a mailer or of a token source. What you set by name wins over the environment, and the
/// environment wins over the file, in whatever order you gave them.
///
/// Threads: one at a time. Making mailers from it only reads it.
pub struct Config {
    file: Value,
    env: Value,
    set: Value,
    /// A file was loaded: sign-ins are then kept in one.
    persistent: bool,
    token_callback: Option<(TokenFunction, Userdata)>,
    event_callback: Option<(EventFn, Userdata)>,
}

/// What a token callback is asked for. It lives until the callback returns.
pub struct TokenRequest {
    force: bool,
}

/// Where a token callback puts its token. It lives until the callback returns.
#[derive(Default)]
pub struct TokenAnswer {
    secret: Option<Result<Secret>>,
    expires_at: i64,
}

/// Your function that brings a token of your own when one is needed. Put it into `answer` with
/// mailbearer_token_answer_set() and return 0. Anything else fails the call that needs the token, with
/// `token_provider_failed`.
///
/// Threads: it runs on a thread of the library, with all signals blocked, and several mailers may call it at the
/// same time: lock what it touches. It may block and may call the library.
/// Owner: `userdata` is yours and must live as long as anything made from the config.
pub type TokenFn = Option<
    extern "C" fn(userdata: *mut c_void, request: *const TokenRequest, answer: *mut TokenAnswer) -> c_int,
>;

/// mailbearer_config_new() makes options without any value.
/// Owner: free them with mailbearer_config_free(). Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_new() -> *mut Config {
    returns::make(std::ptr::null_mut(), || {
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

/// mailbearer_config_set() sets one option by its dotted name, such as `auth.client_id`, from text: `587`, `true`,
/// `30s`; lists, tables and null as JSON. It replaces a value set before.
/// Keys: `provider`, `cloud`, `username`, `from`, `timeout`, `partial`, `files`, `danger_token_to_host`, `trace`,
/// `auth`, `auth.grant`, `auth.tenant`, `auth.client_id`, `auth.client_secret`, `auth.certificate`,
/// `auth.certificate.password`, `auth.certificate.send_chain`, `auth.certificate.algorithm`, `auth.client_assertion`,
/// `auth.client_assertion.value`, `auth.client_assertion.github`, `auth.client_assertion.callback`, `auth.scopes`,
/// `auth.authority`, `auth.token_endpoint`, `auth.authorization_endpoint`, `auth.device_authorization_endpoint`,
/// `auth.revocation_endpoint`, `auth.redirect_uri`, `auth.prompt`, `auth.login_hint`, `auth.domain_hint`,
/// `auth.client_auth`, `auth.claims`, `auth.response_mode`, `auth.refresh_token`, `auth.key_file`, `auth.issuer`,
/// `auth.private_key`, `auth.subject`, `auth.identity_client_id`, `auth.object_id`, `auth.resource_id`,
/// `auth.access_token`, `auth.expires_at`, `auth.command`, `auth.timeout`, `auth.callback`, `smtp`, `smtp.host`,
/// `smtp.port`, `smtp.security`, `smtp.mechanism`, `smtp.initial_response`, `smtp.hello_name`, `smtp.local_address`,
/// `smtp.proxy`, `smtp.pipelining`, `smtp.chunking`, `smtp.timeouts`, `smtp.timeouts.connect`, `smtp.timeouts.tls`,
/// `smtp.timeouts.greeting`, `smtp.timeouts.command`, `smtp.timeouts.progress`, `smtp.timeouts.final_reply`,
/// `limits`, `limits.max_connections`, `limits.messages_per_minute`, `limits.max_messages_per_connection`,
/// `limits.idle_timeout`, `limits.max_age`, `limits.breaker`, `limits.shared`, `tls`, `tls.roots`, `store`,
/// `store.kind`, `store.path`, `store.url`, `store.key`, `retry`, `retry.attempts`, `retry.base_delay`,
/// `retry.max_delay`, `http`, `http.timeout`, `http.proxy`, `dkim`, `dkim.domain`, `dkim.selector`,
/// `dkim.private_key`; docs/options.md says what each is.
/// Owner: both texts are copied. Threads: one at a time.
/// Errors: `config_invalid` for a NULL argument or broken UTF-8. Unknown names and wrong values are told by
/// mailbearer_mailer_new() and mailbearer_tokens_new(), with the nearest right name.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set(
    config: *mut Config,
    key: *const c_char,
    value: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let key = ffi::text(key, "key")?;
        let value = ffi::text(value, "value")?;
        config.lay(key, config::scalar(key, value.to_owned()))
    })
}

/// mailbearer_config_set_json() sets one option, or a whole table of them, from JSON; tables merge with what was set
/// before. An empty `key` stands for all options: `{"provider": "gmail", "auth": {…}}`.
/// Owner: both texts are copied. Threads: one at a time.
/// Errors: as mailbearer_config_set(), and `config_invalid` for text that is not JSON.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_json(
    config: *mut Config,
    key: *const c_char,
    json: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
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

/// mailbearer_config_load_file() reads options from a TOML file. With a `path` of NULL it looks in the usual places
/// ($MAILBEARER_CONFIG, the user's file, the system's); finding none is fine. A `profile` of NULL is
/// $MAILBEARER_PROFILE, or none. A second file lies over the first. With a file, sign-ins are kept in the user's
/// state folder, unless `store` says otherwise.
/// Owner: both texts are copied. Threads: one at a time.
/// Errors: `config_invalid`, with the file, and the line if it is not TOML.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_load_file(
    config: *mut Config,
    path: *const c_char,
    profile: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let path = ffi::optional_text(path, "path")?;
        let profile = ffi::optional_text(profile, "profile")?;
        config.load(path.map(PathBuf::from), profile)
    })
}

/// mailbearer_config_load_env() reads options from the environment as it is now: MAILBEARER_AUTH__CLIENT_ID is
/// `auth.client_id`. A `prefix` of NULL is `MAILBEARER_`. It also reads the file that $MAILBEARER_CONFIG names,
/// unless a file was loaded before.
/// Owner: the text is copied. Threads: one at a time, and none that changes the environment.
/// Errors: `config_invalid` for a NULL config, broken UTF-8, or a file that cannot be read.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_load_env(
    config: *mut Config,
    prefix: *const c_char,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let prefix = ffi::optional_text(prefix, "prefix")?.unwrap_or("MAILBEARER_");
        if !config.persistent && std::env::var_os("MAILBEARER_CONFIG").is_some() {
            config.load(None, None)?;
        }
        config::overlay(&mut config.env, config::from_env(prefix, &Environment::default()));
        Ok(())
    })
}

/// mailbearer_config_set_token_callback() has tokens brought by a function of yours: it sets `auth.grant` to
/// `callback`. With another `auth.grant` set after it and `auth.client_assertion` set to `{"callback": true}`, the
/// function brings the application's assertion instead (RFC 7523).
/// Owner: `userdata` is yours, is handed to the function untouched, and must live as long as anything made from
/// the config. Threads: one at a time. Errors: `config_invalid` for a NULL argument other than `userdata`.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_token_callback(
    config: *mut Config,
    callback: TokenFn,
    userdata: *mut c_void,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        let function = callback.ok_or_else(|| ffi::is_null("callback"))?;
        config.token_callback = Some((function, Userdata::new(userdata)));
        config.lay("auth.grant", Value::from("callback"))
    })
}

/// mailbearer_config_set_event_callback() has a function of yours told what happens: tokens renewed, connections made,
/// recipients refused. A callback of NULL takes it away again.
/// Owner: `userdata` is yours, is handed to the function untouched, and must live as long as anything made from
/// the config. Threads: one at a time. Errors: `config_invalid` for a NULL config.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_config_set_event_callback(
    config: *mut Config,
    callback: EventFn,
    userdata: *mut c_void,
    err: *mut *mut Error,
) -> Status {
    returns::status(err, || {
        let config = ffi::object_mut(config, "config")?;
        config.event_callback = Some((callback, Userdata::new(userdata)));
        Ok(())
    })
}

/// mailbearer_token_request_force() says whether the last token was refused: bring a new one, not a cached one.
/// Threads: that of the token callback.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_token_request_force(request: *const TokenRequest) -> bool {
    ffi::value(false, || Ok(ffi::object(request, "request")?.force))
}

/// mailbearer_token_answer_set() answers with a token. `expires_at` is in seconds since 1970. 0 means unknown: then
/// the token's own expiry counts if it is a JWT, else it is good until refused. The last call counts.
/// Owner: the token is copied. Threads: that of the token callback.
/// A NULL or broken text fails the call that needs the token.
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

/// mailbearer_config_free() frees the options. NULL is fine. What was made from them goes on.
/// Threads: one, when nobody uses them any more.
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
        let provider = self.token_callback.map(|(function, userdata)| {
            let owner = events.owner().clone();
            Arc::new(Provider { function, userdata, owner }) as Arc<dyn TokenProvider>
        });
        let host = Host {
            spelling: Spelling::Snake,
            token_provider: provider,
            store: None,
            events: events.sink(),
            persistent: self.persistent,
            ..Host::default()
        };
        Ok((options, host, events))
    }

    /// Reads a file, or the one in the usual place if there is one.
    fn load(&mut self, path: Option<PathBuf>, profile: Option<&str>) -> Result<()> {
        if let Some(path) = path.or_else(|| config::search_path(&Environment::default())) {
            config::overlay(&mut self.file, config::from_file(&path, profile, &Environment::default())?);
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
#[derive(Clone)]
struct Provider {
    function: TokenFunction,
    userdata: Userdata,
    owner: Owner,
}

type TokenFunction = extern "C" fn(*mut c_void, *const TokenRequest, *mut TokenAnswer) -> c_int;

impl Provider {
    fn ask(&self, request: &TokenRequest) -> Result<ProvidedToken> {
        let failed = |what: String| mailbearer::Error::new(ErrorCode::TokenProviderFailed, what);
        let mut answer = TokenAnswer::default();
        let code = own_callback::run(std::slice::from_ref(&self.owner), || {
            (self.function)(self.userdata.pointer(), request, &mut answer)
        });
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
        let (provider, request) = (self.clone(), TokenRequest { force: request.force });
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
