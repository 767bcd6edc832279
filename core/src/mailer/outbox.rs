//! What `provider = "memory"` keeps instead of sending.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use crate::error::Reply;
use crate::message::Message;
use crate::receipt::Envelope;
use crate::smtp::{Delivered, Transaction};
use crate::sync::lock;

/// A message that was kept instead of sent.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The message's Message-ID.
    pub message_id: String,
    /// The caller's own string.
    pub tag: Option<String>,
    /// The sender and the recipients, as the server gets them.
    pub envelope: Envelope,
    /// The octets that would have been sent.
    pub bytes: Bytes,
}

/// The last messages, oldest first.
#[derive(Default)]
pub(super) struct Outbox(Mutex<VecDeque<Kept>>);

impl Outbox {
    pub(super) fn keep(&self, message: &Message, transaction: &Transaction, bytes: Bytes) -> Delivered {
        let mut kept = lock(&self.0);
        if kept.len() == MOST {
            kept.pop_front();
        }
        kept.push_back(Kept {
            message_id: message.message_id().to_owned(),
            tag: message.tag().map(str::to_owned),
            envelope: Envelope::clone(&transaction.envelope),
            bytes,
        });
        Delivered {
            connection: 0,
            reply: Reply {
                code: 250,
                enhanced: Some("2.0.0".into()),
                text: "kept in memory".into(),
                command: Some("DATA".into()),
            },
            accepted: transaction.envelope.rcpt_to.clone(),
            rejected: Vec::new(),
            queue_time: Duration::ZERO,
            connect_time: Duration::ZERO,
            send_time: Duration::ZERO,
        }
    }

    pub(super) fn all(&self) -> Vec<Kept> {
        lock(&self.0).iter().cloned().collect()
    }
}

const MOST: usize = 1000;
