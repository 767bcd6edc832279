//! One call's limits, and the handle that cancels it.

use mailbearer::config::{Partial, parse_duration};
use mailbearer::{Call, Cancel, Error};
use napi_derive::napi;

use crate::error::fail;

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
