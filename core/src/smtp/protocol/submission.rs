//! What is handed to a connection: one message with its envelope.

use std::sync::Arc;

use crate::call::Partial;
use crate::message::{Content, Requests};
use crate::receipt::Envelope;

/// One message for the wire.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) body: Content,
    pub(crate) smtputf8: bool,
    pub(crate) eight_bit: bool,
    pub(crate) partial: Partial,
    /// What the server is asked for.
    pub(crate) requests: Requests,
}
