//! The envelope of a mail transaction under way.

use super::command::Path;
use super::reply::Reply;

/// The envelope so far, and the chunks of its message.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    pub(super) from: Path,
    /// A refusal of the sender that waits for RCPT.
    pub(super) refusal: Option<Reply>,
    pub(super) recipients: Vec<Path>,
    pub(super) chunks: Vec<u8>,
    /// A BDAT came: DATA may not.
    pub(super) chunked: bool,
}

impl Envelope {
    /// What a fault's `match` looks at behind the envelope.
    pub(super) fn text(&self, command: &str) -> String {
        let mut text = format!("{command} FROM:<{}>", self.from.address);
        for recipient in &self.recipients {
            text.push_str(&format!(" TO:<{}>", recipient.address));
        }
        text
    }
}
