//! What is handed to a connection: one message with its envelope.

use std::sync::Arc;

use super::capabilities::Capabilities;
use crate::call::Partial;
use crate::message::{Content, Fallback, Requests};
use crate::receipt::Envelope;

/// One message for the wire.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: Content,
    pub(crate) smtputf8: bool,
    pub(crate) eight_bit: bool,
    /// For a server that cannot take `body`.
    pub(crate) fallback: Option<Fallback>,
    pub(crate) partial: Partial,
    /// What the server is asked for.
    pub(crate) requests: Requests,
}

impl Transaction {
    /// Takes the fallback, if this server lacks what the message needs.
    pub(crate) fn fit(&mut self, server: &Capabilities) {
        let lacks = (self.smtputf8 && !server.smtputf8) || (self.eight_bit && !server.eight_bit_mime);
        if let Some(fallback) = self.fallback.take_if(|_| lacks) {
            (self.body, self.eight_bit, self.smtputf8) = (fallback.content, fallback.eight_bit, false);
        }
    }
}
