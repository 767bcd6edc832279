//! What this process has learned about a server.

use std::sync::atomic::{AtomicBool, Ordering};

/// What this process has learned about a server.
#[derive(Default)]
pub(crate) struct ServerFacts {
    /// It refused an AUTH line with the response on it.
    two_step: AtomicBool,
    /// It cannot follow when commands run ahead.
    in_groups: AtomicBool,
}

impl ServerFacts {
    /// Whether this host refused a response on the AUTH line before.
    pub(crate) fn is_two_step(&self) -> bool {
        self.two_step.load(Ordering::Relaxed)
    }

    /// This host refused a response on the AUTH line.
    pub(crate) fn remember_two_step(&self) {
        self.two_step.store(true, Ordering::Relaxed);
    }

    /// Whether nothing may run ahead of its reply.
    pub(crate) fn in_groups_only(&self) -> bool {
        self.in_groups.load(Ordering::Relaxed)
    }

    /// From now on nothing may; true the first time.
    pub(crate) fn fall_back_to_groups(&self) -> bool {
        !self.in_groups.swap(true, Ordering::Relaxed)
    }
}
