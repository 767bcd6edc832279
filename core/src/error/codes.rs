//! The stable codes: their strings, numbers, meanings and cures (`docs/errors.md` is generated from them).

/// One row of the table of codes.
#[derive(Debug)]
pub struct CodeRow {
    /// The code.
    pub code: ErrorCode,
    /// The code's stable name.
    pub name: &'static str,
    /// The code's stable number.
    pub number: u16,
    /// Whether it may be tried again, unless the error says otherwise.
    pub retryable: bool,
    /// What it means.
    pub meaning: &'static str,
    /// The hint, unless the error brings a better one.
    pub hint: &'static str,
}

macro_rules! codes {
    ($($variant:ident $name:literal $number:literal $retry:literal $meaning:literal $hint:literal;)*) => {
        /// The stable codes. Strings and numbers never change and are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        /// Every code with its meaning and cure; `docs/errors.md` is generated from it.
        pub const CODES: &[CodeRow] = &[
            $(CodeRow {
                code: ErrorCode::$variant,
                name: $name,
                number: $number,
                retryable: $retry,
                meaning: $meaning,
                hint: $hint,
            },)*
        ];
    };
}

codes! {
    ConfigInvalid "config_invalid" 100 false
        "an option is missing, unknown or wrong" "";

    MessageInvalid "message_invalid" 200 false
        "the message cannot be sent as it is" "";
    MessageTooLarge "message_too_large" 201 false
        "the message is larger than the server takes"
        "Send fewer or smaller attachments, or a link to them.";
    AttachmentUnreadable "attachment_unreadable" 202 false
        "an attachment's file could not be read"
        "Check the path, and whether the user of this program may read the file.";

    AccountMismatch "account_mismatch" 300 false
        "another person signed in than the one configured"
        "Sign in as the configured username, or change `username`.";
    LoginInvalid "login_invalid" 301 false
        "the answer does not belong to this sign-in"
        "Start a new sign-in. Its answer can be used once, within 15 minutes.";
    InteractionRequired "interaction_required" 302 false
        "a person must sign in"
        "Run `mailbearer login` as the user that runs this program.";
    ConsentRequired "consent_required" 303 false
        "the application was not given the permission it asks for"
        "An administrator must grant consent for the application once.";
    ClientRejected "client_rejected" 304 false
        "the application's id, secret or certificate was refused"
        "Check auth.client_id, and that the secret is its Value, not its ID, and has not expired.";
    GrantRejected "grant_rejected" 305 false
        "the sign-in service refused this way of getting a token"
        "Check that the application is registered for this grant.";
    ScopeRejected "scope_rejected" 306 false
        "the service does not give the requested scope"
        "Leave auth.scopes out: the provider's preset knows the right one.";
    TokenEndpointUnavailable "token_endpoint_unavailable" 307 true
        "the sign-in service gave no usable answer"
        "Try again later: the service or the network has a passing problem.";
    LoginDeclined "login_declined" 308 false
        "the person declined to sign in" "Start the sign-in again and approve it.";
    LoginExpired "login_expired" 309 false
        "nobody finished the sign-in in time" "Start the sign-in again.";
    TokenProviderFailed "token_provider_failed" 310 false
        "the program's own token callback or command failed" "";

    AuthRejected "auth_rejected" 400 false
        "the mail server refused the token"
        "Run `mailbearer verify`: it reads the token and names what is missing.";
    SmtpAuthDisabled "smtp_auth_disabled" 401 false
        "SMTP AUTH is switched off for the mailbox or the organisation"
        "An Exchange administrator runs: Set-CASMailbox -Identity <mailbox> -SmtpClientAuthenticationDisabled $false";
    AuthPolicyBlocked "auth_policy_blocked" 402 false
        "a policy of the organisation blocks this sign-in"
        "An administrator must allow it in Conditional Access, the authentication policies or the security defaults.";
    AccountBlocked "account_blocked" 403 false
        "the account or organisation is blocked from sending"
        "An administrator must unblock it in the provider's admin centre.";
    SendAsDenied "send_as_denied" 404 false
        "the mailbox may not send as this sender"
        "An Exchange administrator runs: Add-RecipientPermission -Identity <from> -Trustee <username> -AccessRights SendAs";
    MailboxUnavailable "mailbox_unavailable" 405 false
        "the authenticated mailbox cannot be used"
        "Check that the mailbox exists and has a licence; new permissions take up to an hour.";

    RecipientsRejected "recipients_rejected" 500 false
        "the server refused the recipients" "Check the addresses above.";
    MessageRejected "message_rejected" 501 false
        "the server refused the message" "";
    Throttled "throttled" 502 true
        "too many messages or connections for now" "Wait, then send again. If it happens often, lower limits.max_connections.";
    QuotaExceeded "quota_exceeded" 503 false
        "a daily limit is used up" "Wait until the limit's period is over, or ask the provider for a higher limit.";
    SenderRejected "sender_rejected" 504 false
        "the server refused the sender's address" "Check `from`: it must be an address that this account may use.";
    MailboxFull "mailbox_full" 505 false
        "the sender's mailbox is full" "Empty the mailbox or raise its quota: the provider keeps sent messages in it.";
    TemporarilyRefused "temporarily_refused" 506 true
        "the server refused for now" "Send again later.";
    DeliveryUncertain "delivery_uncertain" 507 false
        "the connection broke after the message was handed over and before the server answered"
        "Do not let a program resend it. First look into the mailbox's sent items, or ask the recipient.";

    NameNotResolved "name_not_resolved" 600 true
        "a host name has no address" "Check the name and this machine's DNS.";
    ConnectFailed "connect_failed" 601 true
        "no connection to the server" "Check the host and the port, and whether a firewall blocks this port.";
    TlsFailed "tls_failed" 602 false
        "TLS with the server failed" "Check smtp.security: 587 is `starttls`, 465 is `tls`.";
    CertificateInvalid "certificate_invalid" 603 false
        "the server's certificate is not trusted"
        "If a proxy or a private authority signs it, set tls.roots to that authority's PEM file.";
    TimedOut "timed_out" 604 true
        "the call took too long" "Try again; raise `timeout` if the network is slow.";
    ConnectionLost "connection_lost" 605 true
        "the server closed the connection" "Try again.";
    ProtocolError "protocol_error" 606 false
        "the server said something that is not SMTP" "Check the host and the port: no mail server answers there.";
    CapabilityMissing "capability_missing" 607 false
        "the server does not offer what the message needs" "";

    StoreFailed "store_failed" 700 false
        "the token store could not be read or written" "";
    Cancelled "cancelled" 800 false
        "the caller cancelled" "";
    Closed "closed" 801 false
        "the mailer was closed" "";
    Internal "internal" 900 false
        "a fault in mailbearer" "Please report it with this message.";
}

impl ErrorCode {
    /// The stable string, such as `auth_rejected`.
    pub fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The stable number, such as 400.
    pub fn number(self) -> u16 {
        self.row().number
    }

    /// The code with this stable string.
    pub fn from_name(name: &str) -> Option<Self> {
        CODES.iter().find(|row| row.name == name).map(|row| row.code)
    }

    /// Returns the code's row of the table. The enum and the table come from one macro, in one order.
    pub fn row(self) -> &'static CodeRow {
        &CODES[self as usize]
    }
}
