//! The command line behind `mailbearer`, `python -m mailbearer` and `npx mailbearer`.
//!
//! Data goes to standard output, everything else to standard error; the exit code says what became of
//! it ([`exit`]). Every decision about mail and tokens is core's: a command here reads its arguments,
//! makes one call, and shows the answer.

mod arguments;
mod commands;
mod envelope;
pub mod exit;
mod exposition;
mod failure;
mod interrupt;
mod jsonl;
mod local_names;
mod options;
mod output;
mod progress;
mod results;
mod terminal;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::Parser;

pub use mailbearer_emulator as emulator;

use arguments::Arguments;
use output::Output;

/// Runs one command to its end and returns its exit code; `arguments` come without the program's name.
///
/// It never ends the process and never panics. It takes the process for its own meanwhile: it reads
/// standard input, writes to standard output and error, and answers SIGINT and SIGTERM.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    catch_unwind(AssertUnwindSafe(|| dispatch(arguments))).unwrap_or(exit::INTERNAL)
}

fn dispatch(arguments: Vec<OsString>) -> i32 {
    let named = std::iter::once(OsString::from("mailbearer")).chain(arguments);
    let arguments = match Arguments::try_parse_from(named) {
        Ok(arguments) => arguments,
        Err(help) => {
            // Help and version are data; its own write error is a pipe that nobody reads any more.
            let _ = help.print();
            return if help.use_stderr() { exit::USAGE } else { exit::OK };
        }
    };
    let output = Output::new(arguments.global.json, arguments.global.trace);
    let exit = commands::run(arguments, &output).unwrap_or_else(|failure| output.failure(&failure));
    interrupt::wait_for_posted_tokens(&output);
    exit
}
