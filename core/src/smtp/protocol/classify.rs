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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smtp::protocol::reply::ReplyParser;
    use ErrorCode::*;

    fn meaning(stage: Stage, line: &str) -> Meaning {
        let mut parser = ReplyParser::default();
        parser.push(format!("{line}\r\n").as_bytes());
        classify(stage, &parser.next().unwrap().unwrap())
    }

    #[test]
    fn replies_mean_what_the_providers_say() {
        let table = [
            (Stage::Auth, "535 5.7.3 Authentication unsuccessful [AM0.prod 2026]", AuthRejected, false),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
                SmtpAuthDisabled,
                false,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.",
                SmtpAuthDisabled,
                false,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
                AuthPolicyBlocked,
                false,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy.",
                AuthPolicyBlocked,
                false,
            ),
            (
                Stage::Auth,
                "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated successfully.",
                AuthPolicyBlocked,
                false,
            ),
            (
                Stage::End,
                "550 5.7.30 Basic authentication is not supported for Client Submission.",
                AuthPolicyBlocked,
                false,
            ),
            (Stage::Auth, "535 5.7.8 Username and Password not accepted.", AuthRejected, false),
            (Stage::Auth, "535 no", AuthRejected, false),
            (
                Stage::Auth,
                "534 5.7.9 Please log in with your web browser and then try again.",
                AuthPolicyBlocked,
                false,
            ),
            (Stage::Auth, "454 4.7.0 Too many login attempts, please try again later.", Throttled, true),
            (Stage::Auth, "421 4.7.0 Try again later, closing connection.", Throttled, true),
            (Stage::Auth, "451 4.3.0 hiccup", TemporarilyRefused, true),
            (Stage::Auth, "504 5.7.4 Unrecognized authentication type", CapabilityMissing, false),
            (Stage::Auth, "501 5.5.124 Invalid XOAUTH2 auth data", AuthRejected, false),
            (Stage::Auth, "535 5.7.143 token expired", AuthRejected, false),
            (Stage::Mail, "530 5.7.57 Client not authenticated to send mail.", AuthRejected, false),
            (
                Stage::End,
                "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed",
                SendAsDenied,
                false,
            ),
            (Stage::End, "554 5.2.252 SendAsDenied; a@x not allowed to send as b@x", SendAsDenied, false),
            (
                Stage::Mail,
                "550 5.7.60 SMTP; Client does not have permissions to send as this sender",
                SendAsDenied,
                false,
            ),
            (
                Stage::End,
                "430 4.2.0 STOREDRV; mailbox logon failure; MapiExceptionLogonFailed",
                MailboxUnavailable,
                false,
            ),
            (
                Stage::Mail,
                "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending",
                Throttled,
                true,
            ),
            (Stage::End, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", Throttled, true),
            (
                Stage::Mail,
                "421 4.4.2 Message submission rate for this client has exceeded the configured limit",
                Throttled,
                true,
            ),
            (Stage::Mail, "451 4.7.500 Server busy", Throttled, true),
            (
                Stage::End,
                "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException",
                MailboxFull,
                false,
            ),
            (Stage::Rcpt, "552 5.2.2 mailbox full", RecipientsRejected, false),
            (
                Stage::End,
                "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
                QuotaExceeded,
                false,
            ),
            (Stage::End, "550 5.4.5 Daily user sending limit exceeded.", QuotaExceeded, false),
            (Stage::End, "550 5.7.232 tenant external recipient limit", QuotaExceeded, false),
            (
                Stage::Mail,
                "552 5.3.4 Message size exceeds fixed maximum message size",
                MessageTooLarge,
                false,
            ),
            (Stage::End, "552 too big", MessageTooLarge, false),
            (Stage::End, "554 5.2.0 STOREDRV; MapiExceptionMaxSubmissionExceeded", MessageTooLarge, false),
            (Stage::End, "550 5.1.8 Access denied, bad outbound sender", AccountBlocked, false),
            (Stage::Mail, "550 5.7.501 Service unavailable. Spam abuse detected", AccountBlocked, false),
            (Stage::End, "550 5.7.705 Access denied, tenant has exceeded threshold", AccountBlocked, false),
            (
                Stage::End,
                "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP",
                AccountBlocked,
                false,
            ),
            (Stage::End, "550 5.2.251 x", MailboxFull, false),
            (Stage::End, "550 5.2.253 x", MailboxUnavailable, false),
            (Stage::End, "550 5.2.254 x", QuotaExceeded, false),
            (
                Stage::End,
                "550 5.2.254 InvalidRecipientsException; Too many invalid recipients",
                RecipientsRejected,
                false,
            ),
            (Stage::End, "550 5.7.236 onmicrosoft.com limit", QuotaExceeded, false),
            // Postfix, at RCPT.
            (
                Stage::Rcpt,
                "553 5.7.1 <a@example.com>: Sender address rejected: not owned by user x",
                SenderRejected,
                false,
            ),
            (
                Stage::Rcpt,
                "550 5.1.8 <a@nowhere.example>: Sender address rejected: Domain not found",
                SenderRejected,
                false,
            ),
            (
                Stage::Mail,
                "553 5.1.8 <a@nowhere.example>... Domain of sender address does not exist",
                SenderRejected,
                false,
            ),
            (
                Stage::Rcpt,
                "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.example",
                ConnectFailed,
                false,
            ),
            (
                Stage::Rcpt,
                "504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname",
                ProtocolError,
                false,
            ),
            (Stage::Rcpt, "530 5.7.0 Authentication required", AuthRejected, false),
            (Stage::Rcpt, "554 5.7.1 <b@example.net>: Relay access denied", RecipientsRejected, false),
            // Exim, at RCPT and at DATA.
            (Stage::Rcpt, "550 Sender verify failed", SenderRejected, false),
            (
                Stage::Rcpt,
                "550 5.1.1 <b@example.net>: Recipient address rejected: User unknown",
                RecipientsRejected,
                false,
            ),
            (
                Stage::Rcpt,
                "450 4.1.8 <a@nowhere.example>: Sender address rejected: Domain not found",
                TemporarilyRefused,
                true,
            ),
            (Stage::End, "550 5.2.255 x", RecipientsRejected, false),
            (Stage::End, "550 5.6.11 bare line feeds", MessageRejected, false),
            (Stage::Rcpt, "550 5.5.105 external recipient", RecipientsRejected, false),
            (Stage::Rcpt, "550 5.1.1 no such user", RecipientsRejected, false),
            (Stage::Rcpt, "450 4.2.1 receiving too fast", TemporarilyRefused, true),
            (Stage::Rcpt, "452 4.5.3 Too many recipients", TemporarilyRefused, true),
            (Stage::Mail, "550 5.7.1 not yours", SenderRejected, false),
            (Stage::Mail, "501 5.5.4 bad parameter", MessageRejected, false),
            (Stage::End, "421 4.3.0 closing", TemporarilyRefused, true),
            (Stage::End, "554 5.6.0 no", MessageRejected, false),
            (Stage::Data, "451 later", TemporarilyRefused, true),
            (Stage::Greeting, "421 4.3.2 Service not available", TemporarilyRefused, true),
            (Stage::Greeting, "554 no", ConnectFailed, false),
            (Stage::Hello, "501 5.5.4 HELO/EHLO argument invalid", ProtocolError, false),
            (Stage::Hello, "502 what", CapabilityMissing, false),
            (Stage::StartTls, "454 4.7.0 TLS not available", TemporarilyRefused, true),
            (Stage::StartTls, "502 no", TlsFailed, false),
        ];
        for (stage, line, code, retryable) in table {
            let seen = meaning(stage, line);
            assert_eq!((seen.code, seen.retryable), (code, retryable), "{stage:?} {line}");
        }
    }

    #[test]
    fn hints_name_the_cmdlet() {
        let table = [
            (
                Stage::Auth,
                "535 5.7.139 x, SmtpClientAuthentication is disabled for the Mailbox.",
                "Set-CASMailbox",
            ),
            (
                Stage::Auth,
                "535 5.7.139 x, SmtpClientAuthentication is disabled for the Tenant.",
                "Set-TransportConfig",
            ),
            (Stage::End, "430 4.2.0 STOREDRV; mailbox logon failure", "Add-MailboxPermission"),
            (Stage::Auth, "535 5.7.3 no", "New-ServicePrincipal"),
        ];
        for (stage, line, cmdlet) in table {
            let hint = meaning(stage, line).hint.unwrap_or_default();
            assert!(hint.contains(cmdlet), "{line}: {hint}");
        }
    }
}
