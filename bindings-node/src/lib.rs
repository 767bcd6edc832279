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

use napi_derive::napi;

/// Runs the command line; returns its exit code.
#[napi]
pub fn run_cli(arguments: Vec<String>) -> i32 {
    mailbearer_cli::run(arguments.into_iter().map(Into::into))
}
