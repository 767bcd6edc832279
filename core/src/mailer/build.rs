//! Messages for a mailer: its sender's domain is in their Message-ID.

use super::Mailer;
use crate::error::Result;
use crate::message::{Message, MessageBuilder};

impl MessageBuilder {
    /// The message as `mailer` will send it: without a `from`, its Message-ID has the domain of the
    /// mailer's sender.
    ///
    /// # Errors
    /// `message_invalid`, naming the field.
    pub fn build_for(self, mailer: &Mailer) -> Result<Message> {
        self.build_as(mailer.sender().as_ref())
    }
}
