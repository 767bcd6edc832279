//! The program's own functions: its token callback and its token store.
//!
//! Python decides where they run (`_host.py`): a thread of Python's own, or the event loop. Nothing of
//! ours waits in them, so an interpreter that ends in the middle of one finds no frame of ours there.

use std::sync::{Arc, Mutex};

use mailbearer::config::Secret;
use mailbearer::{
    BoxFuture, Error, ErrorCode, ProvidedToken, Result, StoredEntry, TokenProvider, TokenRequest, TokenStore,
};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::oneshot;

use crate::call::instant;
use crate::error::internal;
use crate::events::Events;

/// The host program's side of a mailer, as core wants it. `host` is a `_host.Host`.
pub(crate) fn host(host: &Bound<'_, PyAny>, events: &Events) -> PyResult<mailbearer::Host> {
    let functions = Arc::new(Functions(host.clone().unbind()));
    let has = |name: &str| PyResult::Ok(!host.getattr(name)?.is_none());
    Ok(mailbearer::Host {
        token_provider: has("callback")?.then(|| functions.clone() as Arc<dyn TokenProvider>),
        store: has("store")?.then_some(functions as Arc<dyn TokenStore>),
        events: events.sink(),
        ..mailbearer::Host::default()
    })
}

/// Where an answer goes; it may be given once, from any thread.
#[pyclass(frozen)]
pub(crate) struct Reply(Mutex<Option<oneshot::Sender<std::result::Result<Answer, String>>>>);

enum Answer {
    Token(ProvidedToken),
    Entry(Option<StoredEntry>),
    Saved(bool),
}

#[pymethods]
impl Reply {
    /// The callback's token; `expires_at` in seconds since the epoch.
    fn token(&self, secret: String, expires_at: Option<f64>) {
        let expires_at = expires_at.and_then(instant);
        self.give(Ok(Answer::Token(ProvidedToken { secret: Secret::new(secret), expires_at })));
    }

    /// What the store has.
    fn entry(&self, entry: Option<(Vec<u8>, u64)>) {
        self.give(Ok(Answer::Entry(entry.map(|(entry, version)| StoredEntry { entry, version }))));
    }

    /// Whether the store wrote.
    fn saved(&self, written: bool) {
        self.give(Ok(Answer::Saved(written)));
    }

    /// The function failed: the exception's type and message.
    fn fail(&self, text: String) {
        self.give(Err(text));
    }
}

impl Reply {
    fn give(&self, answer: std::result::Result<Answer, String>) {
        let sender = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(sender) = sender {
            // Nobody waits any more where the caller cancelled.
            let _ = sender.send(answer);
        }
    }
}

struct Functions(Py<PyAny>);

impl Functions {
    /// Calls `host.method(…, reply)`, which only begins the work, and waits for the reply.
    async fn ask(
        &self,
        code: ErrorCode,
        begin: impl FnOnce(Python<'_>, &Bound<'_, PyAny>, Reply) -> PyResult<()> + Send + 'static,
    ) -> Result<Answer> {
        let (sender, receiver) = oneshot::channel();
        let reply = Reply(Mutex::new(Some(sender)));
        let host = Python::try_attach(|py| self.0.clone_ref(py));
        let host = host.ok_or_else(|| Error::new(ErrorCode::Closed, "the program is ending"))?;
        let begun = tokio::task::spawn_blocking(move || {
            Python::try_attach(move |py| {
                let begun = begin(py, host.bind(py), reply);
                begun.map_err(|error| format!("{}: {}", error.get_type(py), error.value(py)))
            })
        });
        match begun.await {
            Ok(Some(Err(text))) => return Err(Error::new(code, text)),
            Ok(Some(Ok(()))) => {}
            Ok(None) => return Err(Error::new(ErrorCode::Closed, "the program is ending")),
            Err(_) => return Err(internal("a fault ended a function of the program")),
        }
        match receiver.await {
            Ok(answer) => answer.map_err(|text| Error::new(code, text)),
            Err(_) => Err(Error::new(code, "the function ended without an answer")),
        }
    }
}

impl TokenProvider for Functions {
    fn token(&self, request: TokenRequest) -> BoxFuture<'_, Result<ProvidedToken>> {
        let TokenRequest { username, scopes, force } = request;
        Box::pin(async move {
            let code = ErrorCode::TokenProviderFailed;
            let answer = self.ask(code, move |_, host, reply| {
                host.call_method1("ask_token", (username, scopes, force, reply)).map(drop)
            });
            match answer.await? {
                Answer::Token(token) => Ok(token),
                _ => Err(Error::new(code, "the callback's answer is no token")),
            }
        })
    }
}

impl TokenStore for Functions {
    fn load(&self, key: &str) -> BoxFuture<'_, Result<Option<StoredEntry>>> {
        let key = key.to_owned();
        Box::pin(async move {
            let code = ErrorCode::StoreFailed;
            let answer =
                self.ask(code, move |_, host, reply| host.call_method1("ask_load", (key, reply)).map(drop));
            match answer.await? {
                Answer::Entry(entry) => Ok(entry),
                _ => Err(Error::new(code, "the store's answer to load is no entry")),
            }
        })
    }

    fn save(&self, key: &str, entry: Option<Vec<u8>>, expected: Option<u64>) -> BoxFuture<'_, Result<bool>> {
        let key = key.to_owned();
        Box::pin(async move {
            let code = ErrorCode::StoreFailed;
            let answer = self.ask(code, move |py, host, reply| {
                let entry = entry.map(|entry| PyBytes::new(py, &entry));
                host.call_method1("ask_save", (key, entry, expected, reply)).map(drop)
            });
            match answer.await? {
                Answer::Saved(written) => Ok(written),
                _ => Err(Error::new(code, "the store's answer to save is neither true nor false")),
            }
        })
    }
}
