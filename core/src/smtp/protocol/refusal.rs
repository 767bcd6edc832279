//! From verdicts to what the caller gets: receipts' parts and errors.

use super::classify::{Meaning, Stage, classify};
use super::pipeline::{Decision, Lost};
use crate::call::{Cancel, Partial};
use crate::error::{Error, ErrorCode, Rejection, Reply};
use crate::receipt::Envelope;

/// Whom an error is about, for its sentences.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) host: String,
    pub(crate) username: Option<String>,
}

/// What the server took.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) reply: Reply,
    pub(crate) accepted: Vec<String>,
    pub(crate) rejected: Vec<Rejection>,
}

impl Peer {
    /// The error of a refusing reply; `what` was refused.
    pub(crate) fn refused(&self, stage: Stage, what: &str, reply: Reply) -> Error {
        self.with_meaning(classify(stage, &reply), format!("{} {what}: {reply}", self.host)).with_smtp(reply)
    }

    fn with_meaning(&self, meaning: Meaning, message: String) -> Error {
        let error = Error::new(meaning.code, message).with_retryable(meaning.retryable);
        let hint = meaning.hint.map(str::to_owned).or_else(|| error.hint().map(str::to_owned));
        match (hint, &self.username) {
            (Some(hint), Some(user)) => {
                error.with_hint(hint.replace("<mailbox>", user).replace("<username>", user))
            }
            (Some(hint), None) => error.with_hint(hint),
            (None, _) => error,
        }
    }

    /// The error of a transaction or a step that has no reply of its own.
    pub(crate) fn lost(&self, why: &Lost, during: &str) -> Error {
        let host = &self.host;
        match why {
            Lost::Connection(what) => Error::new(
                ErrorCode::ConnectionLost,
                format!("the connection to {host} was lost {during}: {what}"),
            ),
            Lost::TimedOut(what) => Error::new(ErrorCode::TimedOut, format!("no {what} from {host} in time")),
            Lost::Deadline => Error::new(ErrorCode::TimedOut, format!("the call's time was up {during}")),
            Lost::Cancelled => Cancel::error(),
            Lost::Protocol(what) => Error::new(ErrorCode::ProtocolError, format!("{host}: {what}")),
            Lost::ServerClosing(reply) => self.refused(Stage::Mail, "closes the connection", reply.clone()),
            Lost::OutOfStep(reply) => Error::new(
                ErrorCode::ProtocolError,
                format!("{host} lost step when commands ran ahead of their replies: {reply}"),
            ),
        }
    }

    /// The caller's result of a transaction.
    pub(crate) fn result(
        &self,
        outcome: Decision,
        envelope: &Envelope,
        partial: Partial,
    ) -> Result<Taken, Error> {
        match outcome {
            Decision::Accepted { reply, recipients } => {
                let (accepted, rejected) = by_recipient(envelope, &recipients);
                Ok(Taken { reply, accepted, rejected })
            }
            Decision::Refused { reply, recipients } => {
                let (stage, what) = match reply.command.as_deref() {
                    Some("MAIL FROM") => (Stage::Mail, "refused the sender"),
                    Some("RCPT TO") => (Stage::Rcpt, "refused a recipient"),
                    Some("DATA") => (Stage::Data, "refused the message"),
                    _ => (Stage::End, "refused the message"),
                };
                let rejected = by_recipient(envelope, &recipients).1;
                Err(self.refused(stage, what, reply).with_rejected(rejected))
            }
            Decision::NoRecipients { recipients } => {
                Err(self.no_recipients(by_recipient(envelope, &recipients).1, envelope, partial))
            }
            // Nobody got it: the same call may be repeated, whatever broke; but a cancelled one was meant.
            Decision::NotDelivered(why) => {
                let error = self.lost(&why, "before the message was handed over");
                let again = !matches!(why, Lost::Cancelled | Lost::ServerClosing(_)) || error.retryable();
                Err(error.with_retryable(again))
            }
            Decision::Uncertain(why) => Err(self.uncertain(&why)),
        }
    }

    /// The terminator was handed over, and its reply never read.
    pub(crate) fn uncertain(&self, why: &Lost) -> Error {
        let error = self.lost(why, "after the message was handed over");
        let message = format!("the server's answer was never read: {}", error.message());
        Error::new(ErrorCode::DeliveryUncertain, message).with_uncertain_delivery()
    }

    fn no_recipients(&self, rejected: Vec<Rejection>, envelope: &Envelope, partial: Partial) -> Error {
        let retryable = match partial {
            // One lasting refusal would stop the next try too.
            Partial::Refuse => rejected.iter().all(|r| r.retryable),
            Partial::Deliver => rejected.iter().any(|r| r.retryable),
        };
        let telling = rejected.iter().find(|r| r.retryable == retryable).or_else(|| rejected.first());
        let Some(telling) = telling else {
            return Error::new(ErrorCode::RecipientsRejected, "the server took no recipient");
        };
        let reply = telling.reply.clone();
        let (count, all) = (rejected.len(), envelope.rcpt_to.len());
        // A reply to RCPT may be about the account; if it says so for everyone, that is the reason.
        let same = rejected.iter().all(|r| r.code == telling.code);
        let meaning = classify(Stage::Rcpt, &reply);
        let about_account =
            !matches!(meaning.code, ErrorCode::RecipientsRejected | ErrorCode::TemporarilyRefused);
        let what = match partial {
            _ if same && about_account && count == all => match meaning.code {
                ErrorCode::SenderRejected | ErrorCode::SendAsDenied => "refused the sender".to_owned(),
                ErrorCode::ConnectFailed => "refuses this client".to_owned(),
                ErrorCode::AuthRejected => "refuses to take mail without a sign-in".to_owned(),
                _ => "refused the message".to_owned(),
            },
            Partial::Refuse if count < all => {
                format!("refused {count} of {all} recipients, so nobody got it")
            }
            _ if all == 1 => format!("refused the recipient {}", telling.address),
            _ => format!("refused all {all} recipients"),
        };
        let message = format!("{} {what}: {reply}", self.host);
        let error = if same && about_account && count == all {
            self.with_meaning(meaning, message)
        } else {
            Error::new(ErrorCode::RecipientsRejected, message)
        };
        error.with_retryable(retryable).with_smtp(reply).with_rejected(rejected)
    }
}

fn by_recipient(envelope: &Envelope, replies: &[Option<Reply>]) -> (Vec<String>, Vec<Rejection>) {
    let (mut accepted, mut rejected) = (Vec::new(), Vec::new());
    for (address, reply) in envelope.rcpt_to.iter().zip(replies) {
        match reply {
            Some(reply) if reply.is_positive() => accepted.push(address.clone()),
            Some(reply) => {
                let meaning = classify(Stage::Rcpt, reply);
                rejected.push(Rejection {
                    address: address.clone(),
                    code: meaning.code.as_str(),
                    reply: reply.clone(),
                    retryable: meaning.retryable,
                });
            }
            None => {}
        }
    }
    (accepted, rejected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Delivery;

    fn peer() -> Peer {
        Peer { host: "mx.test".into(), username: Some("me@x".into()) }
    }

    fn reply(code: u16, text: &str) -> Option<Reply> {
        Some(Reply { code, enhanced: None, text: text.into(), command: None })
    }

    fn envelope() -> Envelope {
        Envelope { mail_from: "me@x".into(), rcpt_to: vec!["a@x".into(), "b@x".into()] }
    }

    fn error(outcome: Decision, partial: Partial) -> Error {
        peer().result(outcome, &envelope(), partial).unwrap_err()
    }

    #[test]
    fn recipients_decide_by_policy() {
        let mixed = || Decision::NoRecipients { recipients: vec![reply(450, "later"), reply(550, "never")] };
        let lenient = error(mixed(), Partial::Deliver);
        assert_eq!((lenient.code(), lenient.retryable()), (ErrorCode::RecipientsRejected, true));
        assert_eq!(lenient.rejected().len(), 2);
        assert_eq!(lenient.rejected()[1].code, "recipients_rejected");
        assert!(!error(mixed(), Partial::Refuse).retryable());
        let throttled = error(
            Decision::NoRecipients { recipients: vec![reply(432, "x"), reply(432, "x")] },
            Partial::Deliver,
        );
        assert_eq!((throttled.code(), throttled.retryable()), (ErrorCode::Throttled, true));
    }

    #[test]
    fn what_was_lost_may_be_repeated_until_it_was_handed_over() {
        let table = [
            (Lost::Connection("x".into()), ErrorCode::ConnectionLost, true),
            (Lost::TimedOut("reply".into()), ErrorCode::TimedOut, true),
            (Lost::Deadline, ErrorCode::TimedOut, true),
            (Lost::Protocol("x".into()), ErrorCode::ProtocolError, true),
            (Lost::Cancelled, ErrorCode::Cancelled, false),
        ];
        for (why, code, retryable) in table {
            let before = error(Decision::NotDelivered(why.clone()), Partial::Deliver);
            assert_eq!((before.code(), before.retryable()), (code, retryable));
            assert_eq!(before.delivery(), Delivery::None);
            let uncertain = error(Decision::Uncertain(why), Partial::Deliver);
            assert_eq!((uncertain.code(), uncertain.retryable()), (ErrorCode::DeliveryUncertain, false));
            assert_eq!(uncertain.delivery(), Delivery::Uncertain);
        }
    }

    #[test]
    fn hints_name_the_mailbox() {
        let text = "5.7.139 x, SmtpClientAuthentication is disabled for the Mailbox.";
        let mut parser = crate::smtp::protocol::reply::ReplyParser::default();
        parser.push(format!("535 {text}\r\n").as_bytes());
        let error = peer().refused(Stage::Auth, "refused", parser.next().unwrap().unwrap());
        assert_eq!(
            error.hint(),
            Some(
                "An Exchange administrator runs: Set-CASMailbox -Identity me@x -SmtpClientAuthenticationDisabled $false"
            )
        );
    }
}
