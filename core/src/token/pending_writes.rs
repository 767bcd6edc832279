//! Refresh tokens on their way: posted or about to be, and what came back not kept yet. A program that ends
//! meanwhile may sign its account out, since services that rotate do not take the old one again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::fork::ForkCell;

/// How many there are.
#[derive(Debug, Default)]
pub(crate) struct PendingWrites(Arc<watch::Sender<usize>>);

/// A refresh token on its way. When this value is dropped, the answer is stored.
#[derive(Debug)]
pub(crate) struct PendingWrite(Arc<watch::Sender<usize>>);

/// This process's refresh tokens on their way.
pub(crate) fn pending() -> &'static PendingWrites {
    static CELL: ForkCell<PendingWrites> = ForkCell::new();
    CELL.get(|_| PendingWrites::default())
}

impl PendingWrites {
    pub(crate) fn begin(&self) -> PendingWrite {
        self.0.send_modify(|count| *count += 1);
        PendingWrite(self.0.clone())
    }

    /// Completes when there is none, at the latest after [`LONGEST`].
    pub(crate) async fn settled(&self) {
        let mut count = self.0.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = tokio::time::timeout(LONGEST, count.wait_for(|count| *count == 0)).await;
    }
}

impl Drop for PendingWrite {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Completes when no refresh token of this process is on its way, at the latest after 30 seconds; `None` if there
/// is none. For programs about to end, whose refreshes may have outlived the calls that wanted them.
pub fn settled() -> Option<impl Future<Output = ()>> {
    let all = pending();
    let busy = *all.0.borrow() > 0;
    busy.then(|| all.settled())
}

/// A request for a token, and a store that is slow.
const LONGEST: Duration = Duration::from_secs(30);
