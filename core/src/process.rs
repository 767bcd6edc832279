//! What all mailers of one process share: reached through one pid-checked slot.

use crate::fork::ForkCell;
use crate::metrics::Numbers;
use crate::net::tls::TlsConfigs;
use crate::oauth::discovery::Discovered;
use crate::oauth::http::HttpClients;
use crate::oauth::refusals::Refusals;
use crate::oauth::saved::FinishedLogins;
use crate::oauth::turns::Turns;
use crate::smtp::pool::Pools;
use crate::token::Custody;

/// This process's shared state.
#[derive(Default)]
pub(crate) struct Process {
    /// Connections, counted per host and mailbox.
    pub(crate) pools: Pools,
    /// TLS configurations by their settings.
    pub(crate) tls: TlsConfigs,
    /// HTTP clients by their settings.
    pub(crate) http: HttpClients,
    /// What was sent and asked for.
    pub(crate) numbers: Numbers,
    /// Who may ask for a token now.
    pub(crate) turns: Turns,
    /// What sign-in services say of themselves.
    pub(crate) discovered: Discovered,
    /// Token requests that were refused again and again.
    pub(crate) refusals: Refusals,
    /// Refresh tokens on their way.
    pub(crate) custody: Custody,
    /// Sign-ins that cannot be finished again.
    pub(crate) logins: FinishedLogins,
}

/// The slot.
pub(crate) fn process() -> &'static Process {
    static PROCESS: ForkCell<Process> = ForkCell::new();
    PROCESS.get(|_| Process::default())
}
