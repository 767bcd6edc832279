//! Runs an emulator until standard input ends; the first line of output says where it is, as JSON.
//! `cargo run -p mailbearer-emulator --example serve -- '{"dialect":"google"}'`

use std::io::Read;

use mailbearer_emulator::{Emulator, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options: Options = match std::env::args().nth(1) {
        Some(options) => serde_json::from_str(&options)?,
        None => Options::default(),
    };
    let emulator = Emulator::start(options)?;
    println!(
        "{}",
        serde_json::json!({
            "url": emulator.url(), "authority": emulator.authority(), "ca_file": emulator.ca_file(),
            "smtp_port": emulator.smtp_port(), "smtps_port": emulator.smtps_port(),
        })
    );
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
