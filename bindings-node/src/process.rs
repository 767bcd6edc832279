//! What belongs to the process, not to one mailer.

use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;
use serde_json::Value;

use crate::json::to_js;

/// What a server's words mean, each with its text for a person beside it.
#[napi]
pub fn explain(text: String) -> Vec<(Value, String)> {
    mailbearer::explain(&text).iter().map(|found| (to_js(found), found.to_string())).collect()
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
