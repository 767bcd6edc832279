//! A bulk send: JavaScript pulls from its own source and pushes while there is room.

use std::sync::Arc;

use mailbearer::{Bulk, Call, Mailer};
use napi::Env;
use napi::bindgen_prelude::{Buffer, PromiseRaw, within_runtime_if_available};
use napi_derive::napi;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::convert::{fail, message, to_js};

/// A bulk send under way. Its methods are called one after the other.
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
        self.bulk.try_lock().is_ok_and(|bulk| bulk.has_room())
    }

    /// Starts a message.
    #[napi]
    pub fn push(&self, fields: Value, blobs: Vec<Buffer>) {
        if let Ok(mut bulk) = self.bulk.try_lock() {
            bulk.push(message(&self.mailer, fields, &blobs));
        }
    }

    /// The source has no more, or pulling was stopped.
    #[napi]
    pub fn finish(&self) {
        if let Ok(mut bulk) = self.bulk.try_lock() {
            bulk.finish();
        }
    }

    /// One result with the counts, or null when there is nothing to wait for.
    #[napi(ts_return_type = "Promise<any>")]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Value>> {
        let bulk = self.bulk.clone();
        env.spawn_future(async move {
            let mut bulk = bulk.lock().await;
            let next = bulk.next().await.transpose().map_err(fail)?;
            Ok(match next {
                Some(result) => json!({"result": to_js(&result), "counts": to_js(&bulk.counts())}),
                None => Value::Null,
            })
        })
    }

    /// The progress.
    #[napi]
    pub fn counts(&self) -> Option<Value> {
        self.bulk.try_lock().ok().map(|bulk| to_js(&bulk.counts()))
    }
}
