//! What became of one transaction: the left column of design's verdict table.

use crate::error::Reply;

/// The end of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Decision,
    /// MAIL got 2xx: the server had begun to take the message.
    pub(crate) mail_accepted: bool,
}

/// How a transaction ended. `recipients` has the reply to each RCPT, in the envelope's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// 2xx to the terminator.
    Accepted { reply: Reply, recipients: Vec<Option<Reply>> },
    /// This reply refused the message for all.
    Refused { reply: Reply, recipients: Vec<Option<Reply>> },
    /// No recipient was taken, or one was refused and `partial` is `refuse`.
    NoRecipients { recipients: Vec<Option<Reply>> },
    /// The connection ended before the terminator was handed over: nobody got the message.
    NotDelivered(Lost),
    /// The connection ended after the terminator was handed over, and no answer came.
    Uncertain(Lost),
}

/// Why a transaction has no reply of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// End of file or an I/O error, in the operating system's words.
    Connection(String),
    /// No progress in time; what was waited for.
    TimedOut(String),
    /// The call's deadline passed.
    Deadline,
    /// The caller cancelled.
    Cancelled,
    /// What came was not SMTP, or one reply too many.
    Protocol(String),
    /// The server said that it is closing before it took anything.
    ServerClosing(Reply),
    /// The server lost step when commands ran ahead of their replies.
    OutOfStep(Reply),
}
