//! What connections are told apart and counted by.

use std::sync::Arc;

use crate::config::SmtpSettings;
use crate::metrics;
use crate::net::server_url::ServerUrl;
use crate::net::tls::Roots;
use crate::token::SourceId;

/// Everything that made a connection: only an equal one is reused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RouteKey {
    pub(crate) settings: Arc<SmtpSettings>,
    pub(crate) roots: Roots,
    pub(crate) username: Option<String>,
    pub(crate) tokens: SourceId,
    /// A connection lives on the runtime that opened it, and may be stuck there with it.
    pub(crate) runtime: tokio::runtime::Id,
}

impl RouteKey {
    /// Equal but for the runtime.
    pub(super) fn is_same_route(&self, other: &Self) -> bool {
        (&self.settings, &self.roots, &self.username, &self.tokens)
            == (&other.settings, &other.roots, &other.username, &other.tokens)
    }
}

/// What connections are counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cap {
    pub(super) host: String,
    pub(super) port: u16,
    /// The username; the token source where it is not known.
    pub(super) mailbox: String,
    /// Where the limits are kept together with other processes.
    pub(super) shared: Option<ServerUrl>,
}

impl Cap {
    /// As it is shown to people.
    pub(super) fn name(&self) -> metrics::MailboxLabel {
        let mailbox = if self.mailbox.starts_with('\n') { "" } else { &self.mailbox };
        metrics::MailboxLabel::new(&self.host, self.port, mailbox)
    }

    pub(crate) fn of(settings: &SmtpSettings, username: Option<&str>, tokens: &SourceId) -> Self {
        Self {
            host: settings.host.to_ascii_lowercase(),
            port: settings.port,
            // Providers tell no two mailboxes apart by the case of their letters.
            mailbox: username.map_or_else(|| format!("\n{}", tokens.source), str::to_lowercase),
            shared: settings.shared.clone(),
        }
    }
}
