//! The native half of the Node face: converts, and decides nothing. Private; `lib/` is the public half.
//!
//! Errors cross as JSON in the message of a napi error; `lib/errors.cjs` makes a `MailError` of it.

mod bulk;
mod convert;
mod emulator;
mod host;
mod login;
mod mailer;
mod tokens;

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

/// An error that the JavaScript half found, as JSON: its sentences are those of JavaScript's own types.
#[napi]
pub fn make_error(code: String, field: Option<String>, message: String, hint: Option<String>) -> String {
    let code = mailbearer::ErrorCode::from_name(&code).unwrap_or(mailbearer::ErrorCode::Internal);
    let error = mailbearer::Error::told(code, message, field.as_deref(), hint.as_deref());
    convert::to_js(&error).to_string()
}

/// The process's numbers as Prometheus' text.
#[napi]
pub fn prometheus() -> String {
    mailbearer::prometheus()
}

/// Waits for what posted refresh tokens bring, if one is on its way.
#[napi(ts_return_type = "Promise<void> | null")]
pub fn settled(env: &Env) -> napi::Result<Option<PromiseRaw<'_, ()>>> {
    let Some(settled) = mailbearer::settled() else { return Ok(None) };
    let arrived = async move {
        settled.await;
        Ok(())
    };
    env.spawn_future(arrived).map(Some)
}

/// Runs the command line; returns its exit code.
#[napi]
pub fn run_cli(arguments: Vec<String>) -> i32 {
    mailbearer_cli::run(arguments.into_iter().map(Into::into))
}
