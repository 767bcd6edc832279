//! The C face: opaque handles over the core. It converts; it decides nothing.
//!
//! One file per C object. `ffi.rs` holds all dangerous code: the other files reach pointers, strings and
//! callbacks through its functions, so that the only `unsafe` in them is the attribute
//! `#[unsafe(no_mangle)]`, which exports a name. A test holds them to it. The doc comments are written for
//! the reader of `include/mailbearer.h`, which cbindgen makes from them.

pub mod account;
mod blocking;
pub mod call;
pub mod config;
pub mod error;
pub mod event;
pub mod explain;
mod ffi;
pub mod login;
pub mod mailer;
pub mod message;
pub mod outbox;
mod own_callback;
pub mod receipt;
pub mod report;
pub mod result;
mod returns;
pub mod status;
mod stream;
pub mod string;
pub mod tokens;

pub use error::Error;
pub use status::Status;
