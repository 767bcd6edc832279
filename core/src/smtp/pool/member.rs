//! A mailbox's connections as the fleet sees them.

use std::sync::Arc;

use super::Pool;
use crate::error::Error;
use crate::smtp::fleet::{self, Member};
use crate::sync::lock;

impl Member for Pool {
    /// How many waiters a new connection would help, if any.
    fn wanted(&self) -> Option<usize> {
        lock(&self.state).wanted(tokio::time::Instant::now())
    }

    /// Opens what these leases allow; those that nobody needs are given back.
    fn take_leases(self: &Arc<Self>, leases: Vec<fleet::Lease>) {
        lock(&self.state).spare.extend(leases);
        self.give_out();
        // Dropped outside the lock.
        let _unused = std::mem::take(&mut lock(&self.state).spare);
    }

    /// Tells idle connections whose leases are lost to close.
    fn evict_lost(&self) {
        lock(&self.state).evict_lost();
    }

    /// Tells the connection that was idle for longest to close, if there is one.
    fn evict_one(&self) {
        let mut state = lock(&self.state);
        if !state.idle.is_empty() {
            // Its end is seen by its lease.
            drop(state.idle.remove(0).evict());
        }
    }

    /// Gives all who wait this error.
    fn refuse(&self, error: &Error) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        for waiter in waiting {
            // Whoever went away needs no answer.
            let _ = waiter.grant.send(Err(error.clone()));
        }
    }
}
