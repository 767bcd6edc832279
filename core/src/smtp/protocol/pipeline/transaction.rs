//! One message on a connection: what was sent of it, and what was answered.

use super::plan::{self, Plan};
use super::verdict::{Decision, Lost};
use crate::call::Partial;
use crate::config::Chunking;
use crate::error::Reply;
use crate::smtp::protocol::dot_stuffing::DotStuffing;

/// How far commands run ahead of their replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    /// PIPELINING: MAIL, RCPT and DATA in one write; else one command at a time.
    pub(crate) grouped: bool,
    /// The next message's commands ride behind the end of this one (RFC 2920 §3.1).
    pub(crate) ahead: bool,
    /// CHUNKING (RFC 3030): BDAT instead of DATA.
    pub(crate) chunking: Chunking,
}

impl Mode {
    /// One command, one reply.
    #[cfg(test)]
    pub(crate) const SINGLE: Self = Self { grouped: false, ahead: false, chunking: Chunking::Off };
    /// One write for the commands, one for the body.
    #[cfg(test)]
    pub(crate) const GROUP: Self = Self { grouped: true, ..Self::SINGLE };
    /// The commands of the next behind the body of this one.
    #[cfg(test)]
    pub(crate) const CHAIN: Self = Self { ahead: true, ..Self::GROUP };
    /// Chunks behind their own envelopes' replies.
    #[cfg(test)]
    pub(crate) const CHUNKED: Self = Self { chunking: Chunking::On, ..Self::CHAIN };
    /// Whole messages in a sliding window.
    #[cfg(test)]
    pub(crate) const WINDOW: Self = Self { chunking: Chunking::Pipelined, ..Self::CHAIN };

    /// How this message's body goes.
    pub(super) fn carriage(self, plan: &Plan) -> Carriage {
        let small = matches!(&plan.body, plan::PlannedBody::Whole(octets) if octets.len() <= AHEAD)
            && plan.partial == Partial::Deliver;
        match self.chunking {
            Chunking::Pipelined if small && self.ahead && plan.fits_one_group() => Carriage::Window,
            Chunking::On | Chunking::Pipelined if small => Carriage::Chunk,
            _ => Carriage::Data,
        }
    }

    /// How many messages may be under way.
    pub(crate) fn depth(self) -> usize {
        match self {
            Self { ahead: false, .. } => 1,
            Self { chunking: Chunking::Pipelined, .. } => WINDOW,
            _ => 2,
        }
    }
}

/// How a body goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carriage {
    /// DATA, dots stuffed.
    Data,
    /// BDAT, once its envelope was accepted.
    Chunk,
    /// BDAT right behind its envelope.
    Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Reset,
    Mail,
    Rcpt(usize),
    Data,
    /// The end of the body; expected from its first octet on, since a refusal may come early.
    End,
    /// The last octet of a chunk.
    Chunk,
    /// The end of an empty body that must not be delivered.
    LoneDot,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reset => "RSET",
            Self::Mail => "MAIL FROM",
            Self::Rcpt(_) => "RCPT TO",
            Self::Data => "DATA",
            Self::Chunk => "BDAT",
            Self::End | Self::LoneDot => "end of data",
        }
    }

    /// Whether the reply to this command answers for the message.
    pub(super) fn ends_the_message(self) -> bool {
        matches!(self, Self::End | Self::Chunk)
    }
}

/// A reply that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) id: u64,
    pub(super) command: Command,
    /// Octets queued with the command: a reply before they were handed over answers nothing.
    pub(super) until: u64,
}

#[derive(Debug)]
pub(super) enum BodyProgress {
    NotBegun,
    /// Being encoded.
    Going(DotStuffing),
    /// All of it is queued; its last octet is the `end`th of the connection.
    Queued {
        end: u64,
    },
}

/// A message under way.
#[derive(Debug)]
pub(super) struct OpenTransaction {
    pub(super) id: u64,
    pub(super) plan: Plan,
    pub(super) carriage: Carriage,
    /// Octets queued before it: until more were handed over, nothing of it left us.
    pub(super) begun_at: u64,
    pub(super) reset_first: bool,
    /// Begun before the verdict of the one before it was read.
    pub(super) chained: bool,
    /// The next recipient to be sent.
    pub(super) next_rcpt: usize,
    pub(super) data_sent: bool,
    pub(super) mail: Option<Reply>,
    pub(super) recipients: Vec<Option<Reply>>,
    /// Commands of the message without a reply.
    pub(super) outstanding: usize,
    /// The verdict was given; what is left are replies to commands sent before.
    pub(super) decided: bool,
    pub(super) body: BodyProgress,
}

impl OpenTransaction {
    pub(super) fn anyone(&self) -> bool {
        self.recipients.iter().flatten().any(Reply::is_positive)
    }

    pub(super) fn refuses_partial(&self) -> bool {
        self.plan.partial == Partial::Refuse && self.recipients.iter().flatten().any(|r| !r.is_positive())
    }

    pub(super) fn mail_refused(&self) -> bool {
        self.mail.as_ref().is_some_and(|mail| !mail.is_positive())
    }

    /// The server cannot have a recipient for it.
    pub(super) fn is_refused_by_envelope(&self) -> bool {
        self.mail_refused() || (self.recipients.iter().all(Option::is_some) && !self.anyone())
    }

    pub(super) fn is_queued(&self) -> bool {
        matches!(self.body, BodyProgress::Queued { .. })
    }

    /// Whether the last octet was handed over.
    pub(super) fn is_committed(&self, total_written: u64) -> bool {
        matches!(self.body, BodyProgress::Queued { end } if end <= total_written)
    }

    /// What MAIL or the recipients decided.
    pub(super) fn envelope_outcome(&self) -> Decision {
        match &self.mail {
            // RSET went before it: the server has lost step.
            Some(mail) if mail.code == 503 && self.chained => {
                Decision::NotDelivered(Lost::OutOfStep(mail.clone()))
            }
            Some(mail) if !mail.is_positive() => {
                Decision::Refused { reply: mail.clone(), recipients: Vec::new() }
            }
            _ => Decision::NoRecipients { recipients: self.recipients.clone() },
        }
    }
}

/// A body over this goes alone.
pub(super) const AHEAD: usize = 256 * 1024;
/// Messages unanswered at most, and their octets.
const WINDOW: usize = 16;
pub(super) const WINDOW_OCTETS: u64 = 1024 * 1024;
