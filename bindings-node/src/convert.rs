//! What every class here needs: errors, messages and calls across the border.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use mailbearer::config::{Partial, Spelling, parse_duration};
use mailbearer::{ByteStream, Call, Cancel, Error, Mailer, Message};
use napi::Status;
use napi::bindgen_prelude::{Buffer, Either, Promise};
use napi::threadsafe_function::ThreadsafeFunction;
use napi_derive::napi;
use serde::Serialize;
use serde_json::Value;

/// A core error as a napi error: its JSON is the message.
pub(crate) fn fail(error: Error) -> napi::Error {
    napi::Error::from_reason(to_js(&error).to_string())
}

/// Core's data with JavaScript's names.
pub(crate) fn to_js(value: &impl Serialize) -> Value {
    // Core's types serialise without fail: plain structs with string keys.
    Spelling::Camel.from_core(serde_json::to_value(value).unwrap_or(Value::Null))
}

/// Core's data as JSON text: objects of many members cross faster so, and are renamed on the other side.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    // Core's types serialise without fail: plain structs with string keys.
    serde_json::to_string(value).unwrap_or_default()
}

/// Gives the next octets of a stream, none at its end, or a text that says why there are no more. Weak, since
/// it is the send that keeps the process.
pub(crate) type Pull = ThreadsafeFunction<(), Promise<Either<Buffer, String>>, (), Status, false, true>;

/// A message of fields, or of `raw` octets, for `mailer`; attachments name `blobs` by index, and `streams` by
/// the indices behind them.
pub(crate) fn message(
    mailer: &Mailer,
    fields: &str,
    blobs: &[Buffer],
    streams: Vec<Pull>,
) -> mailbearer::Result<Message> {
    let fields = serde_json::from_str(fields).map_err(|e| {
        Error::new(mailbearer::ErrorCode::MessageInvalid, format!("the message is no JSON: {e}"))
    })?;
    let octets = blobs.iter().map(|blob| Bytes::copy_from_slice(blob).into());
    let streams = streams.into_iter().map(|pull| stream(Arc::new(pull)).into());
    mailer.message(fields, octets.chain(streams).collect())
}

fn stream(pull: Arc<Pull>) -> ByteStream {
    ByteStream::asking(move || {
        let pull = pull.clone();
        async move {
            let promise = pull.call_async_catch(()).await.map_err(|e| io::Error::other(e.reason))?;
            match promise.await.map_err(|e| io::Error::other(e.reason))? {
                Either::A(octets) => Ok(Bytes::copy_from_slice(&octets)),
                Either::B(text) => Err(io::Error::other(text)),
            }
        }
    })
}

/// One call's limits, and the handle that cancels it.
#[napi]
#[derive(Default)]
pub struct NativeCall {
    timeout: Option<String>,
    partial: Option<String>,
    cancel: Cancel,
}

#[napi]
impl NativeCall {
    /// A handle for one call.
    #[napi(constructor)]
    pub fn new(timeout: Option<String>, partial: Option<String>) -> Self {
        Self { timeout, partial, cancel: Cancel::default() }
    }

    /// Ends the call.
    #[napi]
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    pub(crate) fn to_core(&self) -> napi::Result<Call> {
        let timeout = self.timeout.as_deref().map(parse_duration).transpose();
        Ok(Call {
            timeout: timeout.map_err(|text| fail(Error::config("timeout", format!("`timeout`: {text}"))))?,
            partial: match self.partial.as_deref() {
                None => None,
                Some("deliver") => Some(Partial::Deliver),
                Some("refuse") => Some(Partial::Refuse),
                Some(_) => {
                    let text = "`partial` is `deliver` or `refuse`";
                    return Err(fail(Error::config("partial", text)));
                }
            },
            cancel: self.cancel.clone(),
        })
    }
}
