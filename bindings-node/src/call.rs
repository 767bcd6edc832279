//! One call's limits, and the handle that cancels it.

use mailbearer::{Call, Cancel};
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
        Call::read(self.timeout.as_deref(), self.partial.as_deref(), self.cancel.clone()).map_err(fail)
    }
}
