//! What every class here needs: errors, messages and calls across the border.

use bytes::Bytes;
use mailbearer::config::{Partial, Spelling, parse_duration};
use mailbearer::{Call, Cancel, Error, Mailer, Message};
use napi::bindgen_prelude::Buffer;
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

/// A message of fields, or of `raw` octets, for `mailer`; attachments name `blobs` by index.
pub(crate) fn message(mailer: &Mailer, fields: &str, blobs: &[Buffer]) -> mailbearer::Result<Message> {
    let fields = serde_json::from_str(fields).map_err(|e| {
        Error::new(mailbearer::ErrorCode::MessageInvalid, format!("the message is no JSON: {e}"))
    })?;
    let blobs = blobs.iter().map(|blob| Bytes::copy_from_slice(blob)).collect();
    mailer.message(fields, blobs)
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
