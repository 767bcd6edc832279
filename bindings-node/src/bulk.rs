//! A bulk send: JavaScript pulls from its own source and pushes while there is room.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbearer::{Bulk, Call, Error, ErrorCode, Mailer};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use serde_json::{Value, json};

use crate::convert::{fail, message, to_js};

/// A bulk send under way. May be pushed to while somebody waits for a result.
#[napi]
pub struct NativeBulk {
    mailer: Mailer,
    bulk: Arc<Mutex<Bulk>>,
}

#[napi]
impl NativeBulk {
    pub(crate) fn begin(mailer: &Mailer, call: Call) -> napi::Result<Self> {
        let runtime = within_runtime_if_available(tokio::runtime::Handle::current);
        let bulk = mailer.bulk(call, runtime).map_err(fail)?;
        Ok(Self { mailer: mailer.clone(), bulk: Arc::new(Mutex::new(bulk)) })
    }

    /// Whether another message should be pulled now.
    #[napi]
    pub fn has_room(&self) -> bool {
        lock(&self.bulk).has_room()
    }

    /// Starts a message.
    #[napi]
    pub fn push(&self, fields: Value, blobs: Vec<Buffer>) {
        let message = message(&self.mailer, fields, &blobs);
        lock(&self.bulk).push(message);
    }

    /// A message that could not even be read; `error` is a `MailError`'s JSON.
    #[napi]
    pub fn push_invalid(&self, error: Value, tag: Option<String>) {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let code = text("code").and_then(ErrorCode::from_name).unwrap_or(ErrorCode::MessageInvalid);
        let mut told = Error::new(code, text("message").unwrap_or_default());
        if let Some(hint) = text("hint") {
            told = told.with_hint(hint);
        }
        if let Some(field) = text("field") {
            told = told.with_field(field);
        }
        if tag.is_some() {
            told = told.with_message("", tag.as_deref());
        }
        lock(&self.bulk).push(Err(told));
    }

    /// The source has no more, or pulling was stopped.
    #[napi]
    pub fn finish(&self) {
        lock(&self.bulk).finish();
    }

    /// One result with the counts, or null when there is nothing to wait for.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Value>> {
        let bulk = self.bulk.clone();
        env.spawn_future(async move {
            // Locked for each poll alone, so that pushing goes on meanwhile.
            let next = poll_fn(|context| pin!(lock(&bulk).next()).poll(context)).await;
            Ok(match next.transpose().map_err(fail)? {
                Some(result) => json!({"result": to_js(&result), "counts": to_js(&lock(&bulk).counts())}),
                None => Value::Null,
            })
        })
    }

    /// The progress.
    #[napi]
    pub fn counts(&self) -> Value {
        to_js(&lock(&self.bulk).counts())
    }
}

fn lock(bulk: &Mutex<Bulk>) -> MutexGuard<'_, Bulk> {
    bulk.lock().unwrap_or_else(PoisonError::into_inner)
}
