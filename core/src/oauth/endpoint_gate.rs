//! Gates at a sign-in service, so that ten thousand accounts that start together are a queue and no storm.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::service::Service;
use crate::fork::ForkCell;
use crate::sync::lock;

/// Gates by service: one that does not answer holds up nobody else's.
#[derive(Default)]
pub(crate) struct EndpointGates(Mutex<HashMap<String, Arc<Gate>>>);

struct Gate {
    turns: Arc<Semaphore>,
    /// When a turn was given back last.
    moved: Mutex<Instant>,
}

/// Leave to ask, until it is dropped.
pub(crate) struct Turn {
    gate: Arc<Gate>,
    _permit: Option<OwnedSemaphorePermit>,
}

/// This process's gates.
fn gates() -> &'static EndpointGates {
    static CELL: ForkCell<EndpointGates> = ForkCell::new();
    CELL.get(|_| EndpointGates::default())
}

impl Service<'_> {
    /// Waits until this service may be asked. If no turn comes back for a while it is given anyway: those who
    /// have them may stand on runtimes that nobody drives any more.
    pub(crate) async fn turn(self) -> Turn {
        gates().take(self).await
    }
}

impl EndpointGates {
    async fn take(&self, Service { auth, .. }: Service<'_>) -> Turn {
        let name = auth.token_host().unwrap_or(&auth.authority).to_owned();
        let gate = {
            let mut known = lock(&self.0);
            known.entry(name).or_default().clone()
        };
        loop {
            let permit = tokio::time::timeout(PATIENCE, gate.turns.clone().acquire_owned()).await;
            // It is never closed.
            let permit = permit.ok().and_then(Result::ok);
            if permit.is_some() || gate.stands_still() {
                return Turn { gate, _permit: permit };
            }
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), moved: Mutex::new(Instant::now()) }
    }
}

impl Gate {
    fn stands_still(&self) -> bool {
        lock(&self.moved).elapsed() > PATIENCE
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *lock(&self.gate.moved) = Instant::now();
    }
}

/// Requests at once.
const AT_ONCE: usize = 32;
/// Longer than a request may take, with what proves who asks.
const PATIENCE: Duration = Duration::from_secs(120);
