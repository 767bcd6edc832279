//! One file a command. Each reads its arguments, makes its call of core, shows the answer, and gives
//! the exit code; none decides anything about mail or tokens.

mod bulk;
mod emulator;
mod explain;
mod login;
mod logout;
mod send;
mod sendmail;
mod setup;
mod token;
mod verify;
mod watch;

use crate::arguments::{Arguments, Command};
use crate::failure::Result;
use crate::output::Output;

/// Runs the command.
pub(crate) fn run(arguments: Arguments, output: &Output) -> Result<i32> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Login(login) => login::run(&global, login, *output),
        Command::Logout(logout) => logout::run(&global, &logout, *output),
        Command::Token(token) => token::run(&global, &token, *output),
        Command::Send(send) if send.bulk.from_jsonl.is_some() => bulk::run(&global, &send, *output),
        Command::Send(send) => send::run(&global, &send, *output),
        Command::Sendmail(sendmail) => sendmail::run(&global, &sendmail, *output),
        Command::Verify(verify) => verify::run(&global, verify, *output),
        Command::Explain(explain) => explain::run(&explain, *output),
        Command::Setup(setup) => setup::run(&global, setup, *output),
        Command::Watch(watch) => watch::run(&watch, *output),
        Command::Emulator(emulator) => emulator::run(emulator, *output),
    }
}
