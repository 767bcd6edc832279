//! The smallest program: options from the environment, one message, one receipt.
//!
//! `mailbearer emulator -- cargo run -p mailbearer --example send`

use mailbearer::{Call, Host, Load, Mailer, Message};

#[tokio::main]
async fn main() -> Result<(), mailbearer::Error> {
    let load = Load { env_prefix: Some("MAILBEARER_".into()), ..Load::default() };
    let mailer = Mailer::load(load, Host::default())?;
    let message = Message::builder()
        .to("ada@example.com")
        .subject("Hello from Rust")
        .text("Sent with a token, without a password.\n")
        .build_for(&mailer)?;
    let receipt = mailer.send(&message, Call::default()).await?;
    println!("Rust    {} {}", receipt.message_id, receipt.reply);
    mailer.close(std::time::Duration::from_secs(5)).await;
    Ok(())
}
