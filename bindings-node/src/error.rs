//! Errors across the border: as JSON in the message of a napi error. `lib/errors.cjs` makes a `MailError` of it.

use mailbearer::{Error, ErrorCode};
use napi_derive::napi;

use crate::json::to_js;

/// A core error as a napi error: its JSON is the message.
pub(crate) fn fail(error: Error) -> napi::Error {
    napi::Error::from_reason(to_js(&error).to_string())
}

/// The JSON of an error that the JavaScript half found: the sentence speaks of JavaScript's own types.
#[napi]
pub fn make_error(code: String, field: Option<String>, message: String, hint: Option<String>) -> String {
    let code = ErrorCode::from_name(&code).unwrap_or(ErrorCode::Internal);
    let error = Error::told(code, message, field.as_deref(), hint.as_deref());
    to_js(&error).to_string()
}
