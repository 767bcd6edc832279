//! What the providers say, line by line.

use super::classify::*;
use crate::error::ErrorCode::*;
use crate::smtp::protocol::reply::ReplyParser;

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
        (Stage::Mail, "552 5.3.4 Message size exceeds fixed maximum message size", MessageTooLarge, false),
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
