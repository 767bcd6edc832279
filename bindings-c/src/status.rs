//! Status numbers: the numbers of core's error codes, spelled out because cbindgen reads only literals.

use std::ffi::{CStr, c_char};

/// 0 is success; any other value is the number of an error code. Numbers are never reused and never
/// change their meaning; later versions may add some.
pub type Status = i32;

/// Success.
pub const MAILBEARER_OK: Status = 0;
/// An option is missing, unknown or wrong.
pub const MAILBEARER_CONFIG_INVALID: Status = 100;
/// The message cannot be sent as it is.
pub const MAILBEARER_MESSAGE_INVALID: Status = 200;
/// The message is larger than the server takes.
pub const MAILBEARER_MESSAGE_TOO_LARGE: Status = 201;
/// An attachment's file could not be read.
pub const MAILBEARER_ATTACHMENT_UNREADABLE: Status = 202;
/// Another person signed in than the one configured.
pub const MAILBEARER_ACCOUNT_MISMATCH: Status = 300;
/// The sign-in's answer does not belong to this sign-in.
pub const MAILBEARER_LOGIN_INVALID: Status = 301;
/// A person must sign in.
pub const MAILBEARER_INTERACTION_REQUIRED: Status = 302;
/// The application was not given the permission it asks for.
pub const MAILBEARER_CONSENT_REQUIRED: Status = 303;
/// The application's id, secret or certificate was refused.
pub const MAILBEARER_CLIENT_REJECTED: Status = 304;
/// The sign-in service refused this way of getting a token.
pub const MAILBEARER_GRANT_REJECTED: Status = 305;
/// The requested scope is not one the service gives.
pub const MAILBEARER_SCOPE_REJECTED: Status = 306;
/// The sign-in service did not answer usefully.
pub const MAILBEARER_TOKEN_ENDPOINT_UNAVAILABLE: Status = 307;
/// The person declined to sign in.
pub const MAILBEARER_LOGIN_DECLINED: Status = 308;
/// Nobody finished the sign-in in time.
pub const MAILBEARER_LOGIN_EXPIRED: Status = 309;
/// The program's own token callback or command failed.
pub const MAILBEARER_TOKEN_PROVIDER_FAILED: Status = 310;
/// The mail server refused the token.
pub const MAILBEARER_AUTH_REJECTED: Status = 400;
/// SMTP AUTH is switched off for the mailbox or the organisation.
pub const MAILBEARER_SMTP_AUTH_DISABLED: Status = 401;
/// A policy of the organisation blocks this sign-in.
pub const MAILBEARER_AUTH_POLICY_BLOCKED: Status = 402;
/// The account or organisation is blocked from sending.
pub const MAILBEARER_ACCOUNT_BLOCKED: Status = 403;
/// The mailbox may not send as this sender.
pub const MAILBEARER_SEND_AS_DENIED: Status = 404;
/// The authenticated mailbox cannot be used.
pub const MAILBEARER_MAILBOX_UNAVAILABLE: Status = 405;
/// The server refused the recipients.
pub const MAILBEARER_RECIPIENTS_REJECTED: Status = 500;
/// The server refused the message.
pub const MAILBEARER_MESSAGE_REJECTED: Status = 501;
/// Too many messages or connections for now.
pub const MAILBEARER_THROTTLED: Status = 502;
/// A daily limit is used up.
pub const MAILBEARER_QUOTA_EXCEEDED: Status = 503;
/// The server refused the sender's address.
pub const MAILBEARER_SENDER_REJECTED: Status = 504;
/// The sender's mailbox is full.
pub const MAILBEARER_MAILBOX_FULL: Status = 505;
/// The server refused for now.
pub const MAILBEARER_TEMPORARILY_REFUSED: Status = 506;
/// The connection broke after the message was handed over and before the server answered.
pub const MAILBEARER_DELIVERY_UNCERTAIN: Status = 507;
/// A host name has no address.
pub const MAILBEARER_NAME_NOT_RESOLVED: Status = 600;
/// No connection to the server.
pub const MAILBEARER_CONNECT_FAILED: Status = 601;
/// The server and we could not agree on TLS.
pub const MAILBEARER_TLS_FAILED: Status = 602;
/// The server's certificate is not trusted.
pub const MAILBEARER_CERTIFICATE_INVALID: Status = 603;
/// It took too long.
pub const MAILBEARER_TIMED_OUT: Status = 604;
/// The server closed the connection.
pub const MAILBEARER_CONNECTION_LOST: Status = 605;
/// The server said something that is not SMTP.
pub const MAILBEARER_PROTOCOL_ERROR: Status = 606;
/// The server lacks something that is needed.
pub const MAILBEARER_CAPABILITY_MISSING: Status = 607;
/// The token store could not be read or written.
pub const MAILBEARER_STORE_FAILED: Status = 700;
/// The caller cancelled.
pub const MAILBEARER_CANCELLED: Status = 800;
/// The mailer was closed.
pub const MAILBEARER_CLOSED: Status = 801;
/// A fault of this library.
pub const MAILBEARER_INTERNAL: Status = 900;

/// mailbearer_status_str() gives the stable name of a status, such as `auth_rejected`; `ok` for 0, `unknown` for a
/// number that this version does not know.
/// Owner: nobody frees it; it is never NULL and lives for ever. Threads: many at once.
#[unsafe(no_mangle)]
pub extern "C" fn mailbearer_status_str(status: Status) -> *const c_char {
    let row = STATUSES.iter().find(|(number, _)| *number == status);
    row.map_or(c"unknown", |(_, name)| *name).as_ptr()
}

const STATUSES: &[(Status, &CStr)] = &[
    (MAILBEARER_OK, c"ok"),
    (MAILBEARER_CONFIG_INVALID, c"config_invalid"),
    (MAILBEARER_MESSAGE_INVALID, c"message_invalid"),
    (MAILBEARER_MESSAGE_TOO_LARGE, c"message_too_large"),
    (MAILBEARER_ATTACHMENT_UNREADABLE, c"attachment_unreadable"),
    (MAILBEARER_ACCOUNT_MISMATCH, c"account_mismatch"),
    (MAILBEARER_LOGIN_INVALID, c"login_invalid"),
    (MAILBEARER_INTERACTION_REQUIRED, c"interaction_required"),
    (MAILBEARER_CONSENT_REQUIRED, c"consent_required"),
    (MAILBEARER_CLIENT_REJECTED, c"client_rejected"),
    (MAILBEARER_GRANT_REJECTED, c"grant_rejected"),
    (MAILBEARER_SCOPE_REJECTED, c"scope_rejected"),
    (MAILBEARER_TOKEN_ENDPOINT_UNAVAILABLE, c"token_endpoint_unavailable"),
    (MAILBEARER_LOGIN_DECLINED, c"login_declined"),
    (MAILBEARER_LOGIN_EXPIRED, c"login_expired"),
    (MAILBEARER_TOKEN_PROVIDER_FAILED, c"token_provider_failed"),
    (MAILBEARER_AUTH_REJECTED, c"auth_rejected"),
    (MAILBEARER_SMTP_AUTH_DISABLED, c"smtp_auth_disabled"),
    (MAILBEARER_AUTH_POLICY_BLOCKED, c"auth_policy_blocked"),
    (MAILBEARER_ACCOUNT_BLOCKED, c"account_blocked"),
    (MAILBEARER_SEND_AS_DENIED, c"send_as_denied"),
    (MAILBEARER_MAILBOX_UNAVAILABLE, c"mailbox_unavailable"),
    (MAILBEARER_RECIPIENTS_REJECTED, c"recipients_rejected"),
    (MAILBEARER_MESSAGE_REJECTED, c"message_rejected"),
    (MAILBEARER_THROTTLED, c"throttled"),
    (MAILBEARER_QUOTA_EXCEEDED, c"quota_exceeded"),
    (MAILBEARER_SENDER_REJECTED, c"sender_rejected"),
    (MAILBEARER_MAILBOX_FULL, c"mailbox_full"),
    (MAILBEARER_TEMPORARILY_REFUSED, c"temporarily_refused"),
    (MAILBEARER_DELIVERY_UNCERTAIN, c"delivery_uncertain"),
    (MAILBEARER_NAME_NOT_RESOLVED, c"name_not_resolved"),
    (MAILBEARER_CONNECT_FAILED, c"connect_failed"),
    (MAILBEARER_TLS_FAILED, c"tls_failed"),
    (MAILBEARER_CERTIFICATE_INVALID, c"certificate_invalid"),
    (MAILBEARER_TIMED_OUT, c"timed_out"),
    (MAILBEARER_CONNECTION_LOST, c"connection_lost"),
    (MAILBEARER_PROTOCOL_ERROR, c"protocol_error"),
    (MAILBEARER_CAPABILITY_MISSING, c"capability_missing"),
    (MAILBEARER_STORE_FAILED, c"store_failed"),
    (MAILBEARER_CANCELLED, c"cancelled"),
    (MAILBEARER_CLOSED, c"closed"),
    (MAILBEARER_INTERNAL, c"internal"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_core() {
        let core = mailbearer::CODES.iter().map(|row| (Status::from(row.number), row.name.to_owned()));
        let ours = STATUSES.iter().skip(1).map(|(number, name)| (*number, name.to_str().unwrap().to_owned()));
        assert_eq!(ours.collect::<Vec<_>>(), core.collect::<Vec<_>>());
    }
}
