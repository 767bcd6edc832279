//! The native half of the Node face: converts, and decides nothing. Private; `lib/` is the public half.
//!
//! A file uses those below it in this list, and none above: `process`, `emulator` · `mailer` · `bulk`, `tokens` ·
//! `login`, `host`, `environment`, `load`, `message` · `spool`, `call` · `error` · `json`.

mod bulk;
mod call;
mod emulator;
mod environment;
mod error;
mod host;
mod json;
mod load;
mod login;
mod mailer;
mod message;
mod process;
mod spool;
mod tokens;

pub use error::make_error;
pub use process::{explain, prometheus, run_cli, settled};
