//! Exit codes: those of `sysexits.h` where one fits, so that mail programs understand them.

use mailbearer::{Delivery, Error, ErrorCode, Receipt};

/// All accepted.
pub const OK: i32 = 0;
/// The command line is wrong (`EX_USAGE`).
pub const USAGE: i32 = 64;
/// The message is wrong (`EX_DATAERR`).
pub const MESSAGE: i32 = 65;
/// Input cannot be read (`EX_NOINPUT`).
pub const INPUT: i32 = 66;
/// A recipient was refused (`EX_NOUSER`).
pub const RECIPIENT: i32 = 67;
/// Refused for good, or not to be reached (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: i32 = 69;
/// A fault of ours (`EX_SOFTWARE`).
pub const INTERNAL: i32 = 70;
/// The token store or an output file cannot be written (`EX_CANTCREAT`).
pub const STORE: i32 = 73;
/// The same command may be repeated later (`EX_TEMPFAIL`).
pub const RETRY: i32 = 75;
/// The server and we do not understand each other, or TLS failed (`EX_PROTOCOL`).
pub const PROTOCOL: i32 = 76;
/// Sign-in or permission (`EX_NOPERM`).
pub const PERMISSION: i32 = 77;
/// The options are wrong (`EX_CONFIG`).
pub const CONFIG: i32 = 78;
/// The message may have been delivered: never resend by script.
pub const UNCERTAIN: i32 = 79;
/// Interrupted from the keyboard or by a signal.
pub const INTERRUPTED: i32 = 130;

/// The code for an error: `UNCERTAIN` before all else, `RETRY` exactly where the error itself says that
/// the call may be repeated, else its code's row.
pub fn of(error: &Error) -> i32 {
    match error.delivery() {
        Delivery::Uncertain => UNCERTAIN,
        Delivery::None if error.code() == ErrorCode::Cancelled => INTERRUPTED,
        Delivery::None if error.retryable() => RETRY,
        Delivery::None => row(error.code()).unwrap_or(INTERNAL),
    }
}

/// The code for a message that somebody got.
pub fn of_receipt(receipt: &Receipt) -> i32 {
    if receipt.rejected.is_empty() { OK } else { RECIPIENT }
}

/// The row of a code, for errors that may not be retried.
fn row(code: ErrorCode) -> Option<i32> {
    ROWS.iter().find(|(codes, _)| codes.contains(&code)).map(|(_, exit)| *exit)
}

use ErrorCode::*;

const ROWS: &[(&[ErrorCode], i32)] = &[
    (&[ConfigInvalid], CONFIG),
    (&[MessageInvalid, MessageTooLarge], MESSAGE),
    (&[AttachmentUnreadable], INPUT),
    (
        &[
            AccountMismatch,
            LoginInvalid,
            InteractionRequired,
            ConsentRequired,
            ClientRejected,
            GrantRejected,
            ScopeRejected,
            LoginDeclined,
            LoginExpired,
            TokenProviderFailed,
            AuthRejected,
            SmtpAuthDisabled,
            AuthPolicyBlocked,
            AccountBlocked,
            SendAsDenied,
            MailboxUnavailable,
        ],
        PERMISSION,
    ),
    (&[RecipientsRejected], RECIPIENT),
    (
        &[
            TokenEndpointUnavailable,
            MessageRejected,
            Throttled,
            QuotaExceeded,
            SenderRejected,
            MailboxFull,
            TemporarilyRefused,
            NameNotResolved,
            ConnectFailed,
            TimedOut,
            ConnectionLost,
            Closed,
        ],
        UNAVAILABLE,
    ),
    (&[DeliveryUncertain], UNCERTAIN),
    (&[TlsFailed, CertificateInvalid, ProtocolError, CapabilityMissing], PROTOCOL),
    (&[StoreFailed], STORE),
    (&[Cancelled], INTERRUPTED),
    (&[Internal], INTERNAL),
];

#[cfg(test)]
mod tests {
    use super::*;
    use mailbearer::CODES;

    #[test]
    fn every_code_has_exactly_one_row() {
        for code in CODES {
            let rows = ROWS.iter().filter(|(codes, _)| codes.contains(&code.code)).count();
            assert_eq!(rows, 1, "{}", code.name);
        }
    }

    #[test]
    fn uncertain_goes_before_retry_and_retry_before_the_row() {
        assert_eq!(of(&Error::new(ErrorCode::ConnectionLost, "x")), RETRY);
        assert_eq!(of(&Error::new(ErrorCode::ConnectionLost, "x").with_retryable(false)), UNAVAILABLE);
        assert_eq!(of(&Error::new(ErrorCode::ConnectionLost, "x").with_uncertain_delivery()), UNCERTAIN);
        assert_eq!(of(&Error::new(ErrorCode::Cancelled, "x").with_uncertain_delivery()), UNCERTAIN);
        assert_eq!(of(&Error::new(ErrorCode::Cancelled, "x")), INTERRUPTED);
        assert_eq!(of(&Error::new(ErrorCode::RecipientsRejected, "x").with_retryable(true)), RETRY);
        assert_eq!(of(&Error::new(ErrorCode::RecipientsRejected, "x")), RECIPIENT);
        assert_eq!(of(&Error::new(ErrorCode::CertificateInvalid, "x")), PROTOCOL);
        assert_eq!(of(&Error::config("x", "y")), CONFIG);
    }
}
