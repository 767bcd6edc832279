//! The providers as data: endpoints, scopes, servers, limits and quirks. No behaviour lives here.
//!
//! Sources: Microsoft Learn "Authenticate an IMAP, POP or SMTP connection using OAuth" and "Exchange
//! Online limits"; Google "OAuth 2.0 Mechanism" and "Gmail sending limits"; Thunderbird's provider list.

use serde::Deserialize;

mod presets;

pub use self::presets::{find, names};

/// One provider.
#[derive(Debug)]
pub struct Preset {
    /// The value of the option `provider`.
    pub name: &'static str,
    /// The dialect of the token endpoint.
    pub family: Family,
    /// The submission server; empty for `custom`.
    pub smtp_host: &'static str,
    /// The submission server's port.
    pub smtp_port: u16,
    /// How the connection is secured.
    pub smtp_security: Security,
    /// The sign-in service's base URL (Microsoft), or empty.
    pub authority: &'static str,
    /// The tenant where none is given, for delegated grants.
    pub tenant: &'static str,
    /// Authorization endpoint; empty where it follows from the authority.
    pub authorization_endpoint: &'static str,
    /// Token endpoint; empty where it follows from the authority.
    pub token_endpoint: &'static str,
    /// Device authorization endpoint; empty where there is none.
    pub device_authorization_endpoint: &'static str,
    /// Revocation endpoint (RFC 7009); empty where there is none.
    pub revocation_endpoint: &'static str,
    /// Delegated scope for SMTP.
    pub smtp_scope: &'static str,
    /// Delegated scope for IMAP; empty where unknown.
    pub imap_scope: &'static str,
    /// Delegated scope for POP; empty where unknown.
    pub pop_scope: &'static str,
    /// Scope of the application itself; empty where there is no such grant.
    pub app_scope: &'static str,
    /// Asked for beside the above when a person signs in.
    pub login_scopes: &'static [&'static str],
    /// Added to the authorization URL.
    pub authorization_parameters: &'static [(&'static str, &'static str)],
    /// Host names (and names below them) that a token of this provider may be sent to.
    pub token_hosts: &'static [&'static str],
    /// Connections at once per mailbox.
    pub max_connections: Option<usize>,
    /// Messages in any minute for one mailbox.
    pub messages_per_minute: Option<u32>,
    /// Recipients a message.
    pub max_recipients: usize,
    /// Recipients in 24 hours, where one number holds for everybody.
    pub recipients_of_a_day: Option<u32>,
    /// Whether AUTH lines over 512 octets are known to be taken.
    pub long_auth_line: bool,
    /// Whether commands may run ahead of their replies by default.
    pub chains: bool,
    /// A token with less than this left is refreshed ahead of use, in seconds.
    pub refresh_ahead: u64,
    /// A token with less than this left is not used at all, in seconds.
    pub min_remaining: u64,
    /// Grants that this provider is known not to give for mail, and the cure.
    pub refused_grants: &'static [(&'static str, &'static str)],
}

/// Dialects of sign-in services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Entra ID: paths follow from authority and tenant; errors carry AADSTS numbers.
    Microsoft,
    /// Google.
    Google,
    /// RFC 6749 and nothing more.
    Plain,
}

/// How the connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// STARTTLS (RFC 3207), required.
    Starttls,
    /// TLS from the first octet (RFC 8314 §3.3).
    Tls,
    /// None: on loopback only.
    None,
}
