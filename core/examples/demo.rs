//! The whole way without an account: starts the emulator, gets a token from it, sends a message to it.

use mailbearer::{Call, Error, ErrorCode, Host, Mailer, Message};
use mailbearer_emulator::{DEFAULT_USERNAME, Emulator, Options};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let internal = |e: String| Error::new(ErrorCode::Internal, e);
    let emulator = Emulator::start(Options::default()).map_err(|e| internal(e.to_string()))?;
    let options = emulator.settings("client_credentials", DEFAULT_USERNAME).map_err(internal)?;
    let mailer = Mailer::from_json(options, Host::default())?;
    let message = Message::builder()
        .to("ada@example.com")
        .subject("Hello")
        .text("Sent with a token, without a password.\n")
        .build()?;
    let receipt = mailer.send(&message, Call::default()).await?;
    println!("sent {} to {}: {}", receipt.message_id, receipt.accepted.join(", "), receipt.reply);
    for received in emulator.messages() {
        println!("the server took {} octets from {}", received.raw.len(), received.mail_from);
    }
    Ok(())
}
