//! Functions of the host program: the token callback, the token store, the event listener.
//!
//! All are weak: an idle mailer must let the process end. The JavaScript half wraps them so that they
//! neither throw nor reject: they resolve to `{ok}` or `{error: text}`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mailbearer::config::{Environment, Secret, Spelling};
use mailbearer::{
    BoxFuture, Error, ErrorCode, EventSink, Host, ProvidedToken, Result, StoredEntry, TokenProvider,
    TokenRequest, TokenStore,
};
use napi::Status;
use napi::bindgen_prelude::Promise;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use serde_json::{Value, json};

use crate::json::to_js;

/// A function that takes a JSON value and resolves to one.
pub(crate) type Asked = ThreadsafeFunction<Value, Promise<Value>, Value, Status, false, true>;

/// A function that is told events.
pub(crate) type Told = ThreadsafeFunction<Value, (), Value, Status, false, true>;

/// The host from its functions and its environment.
pub(crate) fn host(
    environment: Environment,
    token: Option<Asked>,
    store: Option<Asked>,
    events: Option<Told>,
) -> Host {
    let mut host = Host { spelling: Spelling::Camel, environment, ..Host::default() };
    host.token_provider =
        token.map(|f| Arc::new(Callback { f, asked: AtomicU64::new(0) }) as Arc<dyn TokenProvider>);
    host.store = store.map(|f| Arc::new(Store(f)) as Arc<dyn TokenStore>);
    if let Some(events) = events {
        host.events = EventSink::new(move |event| {
            // Told without waiting: the thread that it happens on is never the loop's.
            events.call(to_js(event), ThreadsafeFunctionCallMode::NonBlocking);
        });
    }
    host
}

async fn ask(f: &Asked, code: ErrorCode, what: &str, argument: Value) -> Result<Value> {
    let failed = |text: &str| Error::new(code, format!("{what} failed: {text}"));
    let promise = f.call_async_catch(argument).await.map_err(|e| failed(&e.reason))?;
    let mut answer = promise.await.map_err(|e| failed(&e.reason))?;
    match answer.get("error").and_then(Value::as_str) {
        Some(text) => Err(failed(text)),
        None => Ok(answer["ok"].take()),
    }
}

struct Callback {
    f: Asked,
    /// Requests so far.
    asked: AtomicU64,
}

/// A request under way. If it is given up, the program is told.
struct Request<'a> {
    f: &'a Asked,
    id: u64,
    answered: bool,
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.f.call(json!({"abandoned": self.id}), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

impl TokenProvider for Callback {
    fn token(&self, request: TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>> {
        Box::pin(async move {
            let id = self.asked.fetch_add(1, Ordering::Relaxed);
            let argument = json!({
                "id": id, "username": request.username, "scopes": request.scopes, "force": request.force,
            });
            let mut under_way = Request { f: &self.f, id, answered: false };
            let answer = ask(&self.f, ErrorCode::TokenProviderFailed, "the token callback", argument).await;
            under_way.answered = true;
            let answer = answer?;
            let Some(secret) = answer["secret"].as_str() else {
                return Err(Error::new(
                    ErrorCode::TokenProviderFailed,
                    "the token callback returned neither a string nor {accessToken}",
                ));
            };
            let expires_at = answer["expiresAt"]
                .as_f64()
                .filter(|ms| (0.0..1e15).contains(ms))
                .map(|ms| UNIX_EPOCH + Duration::from_secs_f64(ms / 1000.0));
            Ok(ProvidedToken { secret: Secret::new(secret), expires_at })
        })
    }
}

struct Store(Asked);

impl TokenStore for Store {
    fn load(&self, key: &str) -> BoxFuture<'_, Result<Option<StoredEntry>>> {
        let argument = json!({"op": "load", "key": key});
        Box::pin(async move {
            let found = ask(&self.0, ErrorCode::StoreFailed, "the token store's load", argument).await?;
            if found.is_null() {
                return Ok(None);
            }
            let wrong =
                || Error::new(ErrorCode::StoreFailed, "the token store's load returned no {entry, version}");
            let entry =
                found["entry"].as_str().and_then(|text| STANDARD.decode(text).ok()).ok_or_else(wrong)?;
            let version = found["version"].as_u64().ok_or_else(wrong)?;
            Ok(Some(StoredEntry { entry, version }))
        })
    }

    fn save(&self, key: &str, entry: Option<Vec<u8>>, expected: Option<u64>) -> BoxFuture<'_, Result<bool>> {
        let entry = entry.map(|entry| STANDARD.encode(entry));
        let argument = json!({"op": "save", "key": key, "entry": entry, "version": expected});
        Box::pin(async move {
            let saved = ask(&self.0, ErrorCode::StoreFailed, "the token store's save", argument).await?;
            saved.as_bool().ok_or_else(|| {
                Error::new(ErrorCode::StoreFailed, "the token store's save returned no boolean")
            })
        })
    }
}
