//! Turns at a sign-in service, so that ten thousand accounts that start together are a queue and no storm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::AuthSettings;

/// Turns by service: one that does not answer holds up nobody else's.
#[derive(Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<Semaphore>>>);

/// Leave to ask, until it is dropped.
pub(crate) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for leave to ask the service for a token. After a while it is given anyway: those who have the turns may
    /// stand on runtimes that nobody drives any more.
    pub(crate) async fn take(&self, auth: &AuthSettings) -> Turn {
        let endpoint = auth.endpoints.token.as_ref().and_then(|url| url.host_str());
        let service = endpoint.unwrap_or(&auth.endpoints.authority).to_owned();
        let turns = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(service).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        };
        let permit = tokio::time::timeout(PATIENCE, turns.acquire_owned()).await;
        Turn { _permit: permit.ok().and_then(Result::ok) }
    }
}

/// Requests at once.
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(240);
