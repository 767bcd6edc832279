//! What all clones of a token source share: options, the host program's functions, state, and the place of the tokens.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::AccessToken;
use super::pending_writes::{PendingWrite, pending};
use super::state::SourceState;
use super::store::Store;
use super::store::file::FileStore;
use super::store::redis::RedisStore;
use crate::config::{AuthSettings, Settings, StoreSettings};
use crate::crypto::seal::Seal;
use crate::error::{Error, ErrorCode, Result};
use crate::event::Event;
use crate::fork::ForkCell;
use crate::host::Host;
use crate::metrics::ServiceLabel;
use crate::net::redis;
use crate::oauth::service::Service;

/// What clones share.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) host: Host,
    /// The settings' user name, given to each token.
    username: Option<Arc<str>>,
    /// Siblings for other mailboxes of the same application have the same one.
    state: Arc<ForkCell<SourceState>>,
    /// The same for siblings that share their state, and for no other source of this process.
    pub(super) id: u64,
    closed: AtomicBool,
}

impl Shared {
    /// With a state of its own.
    pub(super) fn new(settings: Arc<Settings>, host: Host) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::assemble(settings, host, Arc::new(ForkCell::new()), NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// For another mailbox: an application's own token serves all of them.
    pub(super) fn sibling(&self, settings: Arc<Settings>) -> Self {
        let app = |s: &Settings| s.auth.as_ref().is_some_and(|a| a.grant.is_anonymous());
        match app(&settings) && app(&self.settings) {
            true => Self::assemble(settings, self.host.clone(), self.state.clone(), self.id),
            false => Self::new(settings, self.host.clone()),
        }
    }

    fn assemble(settings: Arc<Settings>, host: Host, state: Arc<ForkCell<SourceState>>, id: u64) -> Self {
        let username = settings.username.as_deref().map(Into::into);
        Self { settings, host, username, state, id, closed: AtomicBool::new(false) }
    }

    /// This process's state.
    pub(crate) fn state(&self) -> &SourceState {
        self.state.get(SourceState::begin)
    }

    /// How tokens are acquired.
    pub(crate) fn auth(&self) -> Result<&AuthSettings> {
        self.settings.auth.as_deref().ok_or_else(|| {
            Error::config("auth", format!("provider {} has no tokens", self.settings.preset.name))
        })
    }

    /// Who gives its tokens.
    pub(crate) fn service(&self) -> Result<Service<'_>> {
        Ok(Service { settings: &self.settings, auth: self.auth()? })
    }

    /// Where tokens are kept: the host program's own place goes before the option.
    ///
    /// # Errors
    /// `closed` or `internal` if a connection to it cannot run.
    pub(crate) fn store(&self) -> Result<Store<'_>> {
        let seal = || self.settings.store.key().cloned().map(Seal::new);
        Ok(match (&self.host.store, &self.settings.store) {
            (Some(store), _) => Store::Host(&**store),
            (None, StoreSettings::File(path, _)) => Store::File(FileStore::new(path.clone(), seal())),
            (None, StoreSettings::Redis(url, _)) => {
                Store::Redis(RedisStore::new(redis::link(url, &self.settings.roots)?, seal()))
            }
            (None, StoreSettings::Memory) => Store::Memory(&self.state().memory),
        })
    }

    /// Whether entries outlive the process.
    pub(crate) fn is_persistent(&self) -> bool {
        self.host.store.is_some() || self.settings.store != StoreSettings::Memory
    }

    /// Where its tokens come from, for counting.
    pub(crate) fn label(&self) -> Option<ServiceLabel> {
        let auth = self.auth().ok()?;
        let host = auth.token_host();
        Some(ServiceLabel {
            service: host.filter(|_| auth.grant.asks_service()).unwrap_or_default().to_owned(),
            grant: auth.grant.as_str(),
            application: auth.client_id().to_owned(),
        })
    }

    /// The token with the name of its caller's own mailbox.
    pub(super) fn with_username(&self, mut token: AccessToken, adopted: Option<&str>) -> AccessToken {
        match (&self.username, adopted) {
            (Some(name), _) => token.username = Some(name.clone()),
            (None, Some(name)) => token.username = Some(name.into()),
            (None, None) => {}
        }
        token
    }

    /// Counts a refresh token of this source as being on its way, until the guards are dropped.
    pub(crate) fn pending_write(&self) -> [PendingWrite; 2] {
        [self.state().pending_writes.begin(), pending().begin()]
    }

    /// Tells that something failed which does not end the work.
    pub(super) fn warn(&self, code: &str, message: impl Into<String>) {
        self.host.events.emit(|| Event::new("warning").with("code", code).with("message", message.into()));
    }

    /// # Errors
    /// `closed`.
    pub(crate) fn open(&self) -> Result<()> {
        match self.is_closed() {
            true => Err(Error::new(ErrorCode::Closed, "the token source was closed")),
            false => Ok(()),
        }
    }

    /// Whether calls are refused.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Refuses calls from now on.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }
}
