//! The built binary against the emulator: what the caller got, and what the server saw.

#![allow(clippy::unwrap_used)] // a test's own failure is a panic

mod bulk;
mod emulator;
mod explain;
mod interrupt;
mod options;
mod run;
mod send;
mod sendmail;
mod setup;
mod sign_in;
mod source;
mod verify;
