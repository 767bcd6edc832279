//! The `mailbearer` command.
fn main() {
    std::process::exit(mailbearer_cli::run(std::env::args_os().skip(1)));
}
