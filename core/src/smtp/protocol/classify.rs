//! What a reply means: the error code, whether a later try may do better, and the cure.
//!
//! Sources: RFC 3463; Microsoft Learn "Fix issues with SMTP AUTH client submission", "SMTP submission
//! improvements" and "NDR codes in Exchange Online"; Google "SMTP errors and codes". Rules go from the
//! particular to the general; the first that fits decides.

use crate::error::{ErrorCode, Reply};

/// What the reply answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Greeting,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The end of the message, or its body under way.
    End,
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) code: ErrorCode,
    pub(crate) retryable: bool,
    /// Instead of the code's own; `<mailbox>` stands for the mailbox that authenticates.
    pub(crate) hint: Option<&'static str>,
}

/// Judges a 4xx or 5xx reply.
pub(crate) fn classify(stage: Stage, reply: &Reply) -> Meaning {
    let seen =
        Examined { stage, code: reply.code, status: status(reply), text: reply.text.to_ascii_lowercase() };
    seen.blocked()
        .or_else(|| seen.limits())
        .or_else(|| seen.sign_in())
        .or_else(|| seen.delayed())
        .or_else(|| seen.message())
        .unwrap_or_else(|| seen.by_stage())
}

struct Examined {
    stage: Stage,
    code: u16,
    status: (u16, u16, u16),
    text: String,
}

impl Examined {
    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.text.contains(word))
    }

    fn permanent(&self) -> bool {
        self.code >= 500
    }

    /// The account or its rights.
    fn blocked(&self) -> Option<Meaning> {
        use ErrorCode::*;
        Some(match self.status {
            _ if self.says(&["mapiexceptionlogonfailed", "mailbox logon failure"]) => {
                // Sent as 4xx, but it lasts until an administrator acts.
                never(MailboxUnavailable, Some(GRANT_MAILBOX))
            }
            _ if self.says(&["sendasdenied", "not permitted to send as", "not allowed to send as"]) => {
                never(SendAsDenied, None)
            }
            (5, 7, 60) | (5, 2, 252) => never(SendAsDenied, None),
            (5, 7, 139) | (5, 7, 30) | (5, 7, 57) => self.policy(),
            (5, 2, 251) => never(MailboxFull, Some(CONTINUOUS_ERRORS)),
            (5, 2, 253) => {
                never(MailboxUnavailable, Some("Assign a licence to the mailbox in the admin centre."))
            }
            (5, 2, 254) if self.says(&["invalidrecipients"]) => {
                never(RecipientsRejected, Some(CONTINUOUS_ERRORS))
            }
            (5, 2, 254) => never(QuotaExceeded, Some(CONTINUOUS_ERRORS)),
            (5, 2, 255) => never(RecipientsRejected, Some(CONTINUOUS_ERRORS)),
            (5, 1, 8) if self.says(&["bad outbound sender", "access denied"]) => {
                never(AccountBlocked, Some(RESTRICTED))
            }
            // RFC 3463 §3.2: the sender's system; only Microsoft means the account by it.
            (5, 1, 7 | 8) => never(SenderRejected, Some(UNKNOWN_SENDER)),
            (5, 7, 501..=503) | (5, 7, 511) => never(AccountBlocked, Some(RESTRICTED)),
            (5, 7, 500..=508) => never(AccountBlocked, None),
            (5, 7, 705) => never(
                AccountBlocked,
                Some("The organisation sent more than it may: ask Microsoft's support to lift the limit."),
            ),
            (5, 7, 708) => never(
                AccountBlocked,
                Some(
                    "New and trial organisations send from addresses that are not trusted yet: buy a licence or ask Microsoft's support.",
                ),
            ),
            (5, 7, 750) => never(
                AccountBlocked,
                Some("Add and verify the sender's domain in the Microsoft 365 admin centre."),
            ),
            _ => return None,
        })
    }

    fn policy(&self) -> Meaning {
        use ErrorCode::*;
        match self.status.2 {
            57 => never(AuthRejected, Some(NOT_SIGNED_IN)),
            30 => never(
                AuthPolicyBlocked,
                Some(
                    "The server took this for a password sign-in, which it no longer accepts: set smtp.mechanism = \"xoauth2\".",
                ),
            ),
            _ if self.says(&["smtpclientauthentication is disabled"]) && self.says(&["tenant"]) => {
                never(SmtpAuthDisabled, Some(ENABLE_TENANT))
            }
            _ if self.says(&["smtpclientauthentication is disabled"]) => {
                never(SmtpAuthDisabled, Some(ENABLE_MAILBOX))
            }
            _ if self.says(&["security defaults"]) => never(
                AuthPolicyBlocked,
                Some(
                    "Security defaults block SMTP AUTH: an administrator must turn them off, or allow it by Conditional Access.",
                ),
            ),
            _ => never(AuthPolicyBlocked, None),
        }
    }

    /// How much and how fast.
    fn limits(&self) -> Option<Meaning> {
        use ErrorCode::*;
        let sender = self.stage != Stage::Rcpt;
        Some(match self.status {
            _ if self.says(&["submissionquotaexceeded"]) => {
                never(QuotaExceeded, Some("Wait, or use another mailbox: Exchange Online takes 10,000 recipients a mailbox in 24 hours."))
            }
            (5, 4, 5) | (5, 7, 232 | 233) => never(QuotaExceeded, None),
            (5, 7, 236) => never(QuotaExceeded, Some(OWN_DOMAIN)),
            (5, 2, 2) if sender => never(MailboxFull, None),
            (5, 2, 3) | (5, 3, 4) if sender => never(MessageTooLarge, None),
            _ if sender && self.says(&["maxsubmissionexceeded"]) => never(MessageTooLarge, None),
            // RFC 5321 §4.2.3: 552 is storage; before and at the data it is about this message.
            (0, ..) if self.code == 552 && sender => never(MessageTooLarge, None),
            _ if self.code == 432 || self.says(&["thread limit exceeded", "concurrent connections"]) => {
                later(Throttled, Some("Lower limits.max_connections, and count the other programs that use the mailbox: Exchange Online takes 3 connections a mailbox."))
            }
            (4, 7, 500..=699 | 850..=899) => later(Throttled, None),
            (4, 4, 2) if self.says(&["submission rate"]) => later(Throttled, None),
            (4, 2, 1) if sender && !self.permanent() => later(Throttled, None),
            (4, 7, 0) if self.stage == Stage::StartTls => {
                later(TemporarilyRefused, Some("Try again later. If it stays so, tell the server's operator that TLS does not work."))
            }
            (4, 7, 0) if matches!(self.code, 421 | 450 | 451 | 454) => later(
                Throttled,
                (self.stage == Stage::Auth).then_some("Wait some minutes: the server counts too many sign-ins. mailbearer then keeps its connections and reuses them."),
            ),
            _ => return None,
        })
    }

    fn sign_in(&self) -> Option<Meaning> {
        use ErrorCode::*;
        if self.stage != Stage::Auth || !self.permanent() {
            return None;
        }
        Some(match (self.code, self.status) {
            (_, (5, 5, 121..=126)) => never(
                AuthRejected,
                Some(
                    "Set `username` to the mailbox's address: the server cannot read the user that came with the token.",
                ),
            ),
            (_, (5, 5, 127)) | (_, (5, 7, 142 | 143)) => never(
                AuthRejected,
                Some(
                    "Check this machine's clock: the server wants a token that is good for 10 to 20 minutes more.",
                ),
            ),
            (504, _) => never(
                CapabilityMissing,
                Some("Leave smtp.mechanism out: the server does not take this mechanism."),
            ),
            (534, _) => never(
                AuthPolicyBlocked,
                Some("The account's owner must sign in with a browser first: the provider asks for it."),
            ),
            (535, (5, 7, 3)) => never(AuthRejected, Some(CHECK_EXCHANGE)),
            _ => never(AuthRejected, None),
        })
    }

    /// Servers refuse the client, its name, its sign-in or its sender late: Postfix waits for RCPT by default
    /// (`smtpd_delay_reject`), and others for DATA. The recipients are not to blame.
    fn delayed(&self) -> Option<Meaning> {
        use ErrorCode::*;
        if !self.permanent() || !matches!(self.stage, Stage::Mail | Stage::Rcpt | Stage::Data) {
            return None;
        }
        Some(match self.code {
            530 => never(AuthRejected, Some(NOT_SIGNED_IN)),
            _ if self.says(&[
                "client host",
                "client address",
                "block list",
                "blocklist",
                "blacklist",
                "blocked using",
            ]) =>
            {
                never(ConnectFailed, Some(UNWANTED_CLIENT))
            }
            _ if self.says(&["helo command rejected", "ehlo command rejected", "helo/ehlo"]) => {
                never(ProtocolError, Some(HELLO_NAME))
            }
            _ if self.says(&[
                "sender address",
                "sender verify",
                "sender denied",
                "sender rejected",
                "not owned by",
                "domain of sender",
                "invalid sender",
            ]) =>
            {
                never(SenderRejected, Some(UNKNOWN_SENDER))
            }
            _ if self.stage == Stage::Rcpt
                && self.says(&[
                    "relay access denied",
                    "relaying denied",
                    "relay not permitted",
                    "relaying not permitted",
                ]) =>
            {
                never(RecipientsRejected, Some(NO_RELAY))
            }
            _ => return None,
        })
    }

    fn message(&self) -> Option<Meaning> {
        use ErrorCode::*;
        Some(match self.status {
            (5, 6, 11) => never(
                MessageRejected,
                Some("Write the message with CRLF line ends throughout: it has a bare line feed."),
            ),
            (5, 7, 512) => {
                never(MessageRejected, Some("Write exactly one valid address into the From header."))
            }
            (5, 5, 105) => never(
                RecipientsRejected,
                Some("High Volume Email reaches recipients inside the organisation only."),
            ),
            _ => return None,
        })
    }

    fn by_stage(&self) -> Meaning {
        use ErrorCode::*;
        if !self.permanent() {
            return later(TemporarilyRefused, None);
        }
        match self.stage {
            Stage::Greeting => never(ConnectFailed, Some(UNWANTED_CLIENT)),
            Stage::Hello if self.says(&["helo", "ehlo", "hostname", "host name", "argument"]) => {
                never(ProtocolError, Some(HELLO_NAME))
            }
            Stage::Hello => never(
                CapabilityMissing,
                Some("Check smtp.host and smtp.port: the server does not speak ESMTP."),
            ),
            Stage::StartTls => never(TlsFailed, None),
            Stage::Auth => never(AuthRejected, None),
            Stage::Mail if self.status.1 == 5 || (500..=504).contains(&self.code) => {
                never(MessageRejected, None)
            }
            Stage::Mail => never(SenderRejected, None),
            Stage::Rcpt => never(RecipientsRejected, None),
            Stage::Data | Stage::End => never(MessageRejected, None),
        }
    }
}

fn never(code: ErrorCode, hint: Option<&'static str>) -> Meaning {
    Meaning { code, retryable: false, hint }
}

fn later(code: ErrorCode, hint: Option<&'static str>) -> Meaning {
    Meaning { code, retryable: true, hint }
}

/// The enhanced status code's numbers; zeros if there is none.
fn status(reply: &Reply) -> (u16, u16, u16) {
    let mut parts = reply.enhanced.as_deref().unwrap_or_default().split('.').map_while(|n| n.parse().ok());
    match (parts.next(), parts.next(), parts.next()) {
        (Some(class), Some(subject), Some(detail)) => (class, subject, detail),
        _ => (0, 0, 0),
    }
}

const NOT_SIGNED_IN: &str = "The server does not see us as signed in. Check smtp.host and smtp.port (587), and that no device on the way rewrites SMTP.";
const UNWANTED_CLIENT: &str = "Check smtp.host and smtp.port, and whether this machine's address is on a block list: the server wants no connection from here.";
const HELLO_NAME: &str =
    "Set smtp.hello_name to this machine's full host name: the server refuses the name that it was given.";
const UNKNOWN_SENDER: &str = "Check `from` and the envelope's sender: the server does not let this account send as that address, or does not know its domain.";
const NO_RELAY: &str =
    "Check smtp.host and smtp.port (587): the server does not pass mail on to that domain for this account.";
const OWN_DOMAIN: &str = "Send from a domain of your own: Microsoft 365 lets senders at onmicrosoft.com reach 100 recipients outside a day.";
const ENABLE_MAILBOX: &str = "An Exchange administrator runs: Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false";
const ENABLE_TENANT: &str = "An Exchange administrator runs: Set-TransportConfig -SmtpClientAuthenticationDisabled $false, or for one mailbox: \
     Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false";
const GRANT_MAILBOX: &str = "An Exchange administrator runs: Add-MailboxPermission -Identity <mailbox> -User <service principal> -AccessRights FullAccess. \
     A new permission takes up to an hour.";
const RESTRICTED: &str = "Unblock the mailbox at https://security.microsoft.com/restrictedentities, and find out who sent spam with it: it is on the list of restricted senders.";
const CONTINUOUS_ERRORS: &str = "Stop sending from this mailbox, cure the cause, then wait: Exchange Online pauses a mailbox that goes on after errors.";
const CHECK_EXCHANGE: &str = "Run `mailbearer verify`: it reads the token. Usual causes: the user is not the token's mailbox; SMTP.Send or SMTP.SendAsApp is missing; New-ServicePrincipal got the object id of the registration and not of the enterprise application; Add-MailboxPermission is missing or younger than an hour.";
