//! A bulk send: JavaScript pulls from its own source and pushes while there is room.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailbearer::{Bulk, Call, Error, ErrorCode, Mailer, SendResult};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use serde_json::Value;

use crate::error::fail;
use crate::json::{to_js, to_json};
use crate::message::{Pull, message};

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
    pub fn push(&self, fields: String, blobs: Vec<Buffer>, streams: Vec<Pull>) {
        let message = message(&self.mailer, &fields, &blobs, streams);
        lock(&self.bulk).push(message);
    }

    /// A message that could not even be read; `error` is a `MailError`'s JSON.
    #[napi]
    pub fn push_invalid(&self, error: Value, tag: Option<String>) {
        let text = |name: &str| error.get(name).and_then(Value::as_str);
        let code = text("code").and_then(ErrorCode::from_name).unwrap_or(ErrorCode::MessageInvalid);
        let message = text("message").unwrap_or_default();
        let mut told = Error::told(code, message, text("field"), text("hint"));
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

    /// One result, and what else is there by now, with the counts; null when there is nothing to wait for.
    #[napi(ts_return_type = "Promise<string | null>")]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<String>>> {
        let bulk = self.bulk.clone();
        env.spawn_future(async move {
            // Locked for each poll alone, so that pushing goes on meanwhile.
            let next = poll_fn(|context| pin!(lock(&bulk).next()).poll(context)).await;
            let Some(first) = next.transpose().map_err(fail)? else { return Ok(None) };
            let mut bulk = lock(&bulk);
            let mut text = format!("{{\"results\":[{}", shown(&first));
            while let Some(result) = bulk.ready() {
                text.push(',');
                text.push_str(&shown(&result));
            }
            text.push_str(&format!("],\"counts\":{}}}", to_js(&bulk.counts())));
            Ok(Some(text))
        })
    }

    /// The progress.
    #[napi]
    pub fn counts(&self) -> Value {
        to_js(&lock(&self.bulk).counts())
    }
}

/// A result as JSON; its error with JavaScript's names already.
fn shown(result: &SendResult) -> String {
    match &result.result {
        Ok(_) => to_json(result),
        Err(error) => {
            let mut shape = serde_json::to_value(result).unwrap_or_default();
            shape["error"] = to_js(error);
            shape.to_string()
        }
    }
}

fn lock(bulk: &Mutex<Bulk>) -> MutexGuard<'_, Bulk> {
    bulk.lock().unwrap_or_else(PoisonError::into_inner)
}
