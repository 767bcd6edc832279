//! What became of a message: the reply, the receipt, and one result per message of a bulk send.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Rejection, Reply};
use crate::instant;

/// The sender and the recipients as the server gets them, apart from the headers (RFC 5321 §2.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// The reverse-path, without angle brackets; empty for the null reverse-path.
    pub mail_from: String,
    /// The forward-paths, without angle brackets, each once.
    pub rcpt_to: Vec<String>,
}

/// The server took the message for at least one recipient.
#[derive(Clone, Debug, Serialize)]
pub struct Receipt {
    /// Our Message-ID, with angle brackets.
    pub message_id: String,
    /// The id in the server's reply, where it names one: Exchange may replace ours by it.
    pub server_message_id: Option<String>,
    /// The caller's own string.
    pub tag: Option<String>,
    /// Recipients that the server took.
    pub accepted: Vec<String>,
    /// Recipients that it refused.
    pub rejected: Vec<Rejection>,
    /// The reply to the end of the message.
    pub reply: Reply,
    /// The envelope that was used.
    pub envelope: Envelope,
    /// Octets of the message as sent, before dot-stuffing.
    pub size: u64,
    /// How many tries it took.
    pub attempts: u32,
    /// The connection's number, for the event.
    #[serde(skip)]
    pub(crate) connection: u64,
    /// When the server's reply was read.
    #[serde(serialize_with = "instant::serialize")]
    pub sent_at: SystemTime,
    /// Seconds spent, by stage: `queue`, `connect`, `send`, `total`.
    pub timings: Timings,
}

/// Time spent by stage. Serialises to seconds.
#[derive(Clone, Debug, Default)]
pub struct Timings(pub BTreeMap<&'static str, Duration>);

impl Serialize for Timings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(stage, time)| (stage, time.as_secs_f64())))
    }
}

/// What became of one message of a bulk send.
#[derive(Clone, Debug)]
pub struct SendResult {
    /// The message's place in the source, from 0.
    pub index: u64,
    /// The caller's own string.
    pub tag: Option<String>,
    /// The message's Message-ID; empty if the message could not be built.
    pub message_id: String,
    /// The receipt or the error; the outcome follows from them.
    pub result: Result<Receipt, Error>,
    /// Whether the send was started at all.
    pub started: bool,
}

impl SendResult {
    /// `sent`, `failed`, `uncertain` or `not_sent`.
    pub fn outcome(&self) -> Outcome {
        match &self.result {
            Ok(_) => Outcome::Sent,
            Err(_) if !self.started => Outcome::NotSent,
            Err(e) if e.delivery() == crate::error::Delivery::Uncertain => Outcome::Uncertain,
            Err(_) => Outcome::Failed,
        }
    }
}

impl Serialize for SendResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            index: u64,
            tag: Option<&'a str>,
            message_id: &'a str,
            outcome: Outcome,
            receipt: Option<&'a Receipt>,
            error: Option<&'a Error>,
        }
        Shape {
            index: self.index,
            tag: self.tag.as_deref(),
            message_id: &self.message_id,
            outcome: self.outcome(),
            receipt: self.result.as_ref().ok(),
            error: self.result.as_ref().err(),
        }
        .serialize(serializer)
    }
}

/// The four ends of a message in a bulk send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Accepted for at least one recipient.
    Sent,
    /// Refused, or not delivered.
    Failed,
    /// Handed over, unanswered.
    Uncertain,
    /// Pulled from the source but never started.
    NotSent,
}
