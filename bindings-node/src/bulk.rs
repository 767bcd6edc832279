//! A bulk send: JavaScript pulls from its own source and pushes while there is room.

use mailbearer::{Call, Error, Mailer, SendResult, SharedBulk};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use serde_json::Value;

use crate::error::fail;
use crate::json::{to_js, to_json};
use crate::message::{Pull, message};
use crate::spool::NativeSpool;

/// A bulk send under way. May be pushed to while somebody waits for a result.
#[napi]
pub struct NativeBulk {
    mailer: Mailer,
    bulk: SharedBulk,
}

#[napi]
impl NativeBulk {
    pub(crate) fn begin(mailer: &Mailer, call: Call) -> napi::Result<Self> {
        let runtime = within_runtime_if_available(tokio::runtime::Handle::current);
        let bulk = mailer.shared_bulk(call, runtime).map_err(fail)?;
        Ok(Self { mailer: mailer.clone(), bulk })
    }

    /// Whether another message should be pulled now.
    #[napi]
    pub fn has_room(&self) -> bool {
        self.bulk.has_room()
    }

    /// Starts a message.
    #[napi]
    pub fn push(&self, fields: String, blobs: Vec<Buffer>, streams: Vec<Pull>, spool: Option<&NativeSpool>) {
        self.bulk.push(message(&self.mailer, &fields, &blobs, streams, spool));
    }

    /// A message that could not even be read; `error` is a `MailError`'s JSON.
    #[napi]
    pub fn push_invalid(&self, error: Value, tag: Option<String>) {
        let mut told = Error::retold(&error);
        if tag.is_some() {
            told = told.with_message("", tag.as_deref());
        }
        self.bulk.push(Err(told));
    }

    /// The source has no more, or pulling was stopped.
    #[napi]
    pub fn finish(&self) {
        self.bulk.finish();
    }

    /// One result, and what else is there by now, with the counts; null when there is nothing to wait for.
    #[napi(ts_return_type = "Promise<string | null>")]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<String>>> {
        let bulk = self.bulk.clone();
        env.spawn_future(async move {
            let Some(results) = bulk.gather().await.map_err(fail)? else { return Ok(None) };
            let results: Vec<String> = results.iter().map(shown).collect();
            Ok(Some(format!("{{\"results\":[{}],\"counts\":{}}}", results.join(","), to_js(&bulk.counts()))))
        })
    }

    /// The progress.
    #[napi]
    pub fn counts(&self) -> Value {
        to_js(&self.bulk.counts())
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
