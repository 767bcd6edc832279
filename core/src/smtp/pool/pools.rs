//! All pools of a process, and what it has learned of servers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::Pool;
use super::route_key::{Cap, RouteKey};
use super::server_facts::ServerFacts;
use crate::error::Result;
use crate::fork::ForkCell;
use crate::metrics::{self, PoolNumbers};
use crate::net::redis;
use crate::sync::lock;

/// The pools of this process.
#[derive(Default)]
pub(crate) struct Pools {
    by_mailbox: Mutex<HashMap<Cap, Arc<Pool>>>,
    /// So many make it worth while to look for those that nobody needs.
    forget_at: AtomicUsize,
    servers: Mutex<HashMap<(String, u16), Arc<ServerFacts>>>,
}

/// This process's pools.
pub(crate) fn pools() -> &'static Pools {
    static CELL: ForkCell<Pools> = ForkCell::new();
    CELL.get(|_| Pools::default())
}

impl Pools {
    /// What was used already.
    pub(crate) fn known(&self, cap: &Cap) -> Option<Arc<Pool>> {
        lock(&self.by_mailbox).get(cap).cloned()
    }

    /// The counted connections that `key` falls under.
    ///
    /// # Errors
    /// `closed` or `internal` if the task that keeps limits together with others cannot run.
    pub(crate) fn of(&self, key: &RouteKey) -> Result<Arc<Pool>> {
        let cap = Cap::of(&key.settings, key.username.as_deref(), &key.tokens);
        let mut pools = lock(&self.by_mailbox);
        if pools.len() >= self.forget_at.load(Ordering::Relaxed).max(MANY) && !pools.contains_key(&cap) {
            pools.retain(|_, pool| Arc::strong_count(pool) > 1 || pool.matters());
            // Looked at again when there are twice as many, so that ten thousand in use cost no more than their number.
            self.forget_at.store(pools.len() * 2, Ordering::Relaxed);
        }
        if let Some(known) = pools.get(&cap) {
            return Ok(known.clone());
        }
        let made = match &cap.shared {
            None => Arc::default(),
            Some(url) => Pool::of_fleet(redis::link(url, &key.roots)?, &cap)?,
        };
        Ok(pools.entry(cap).or_insert(made).clone())
    }

    /// How all mailboxes stand.
    pub(crate) fn numbers(&self) -> Vec<(metrics::MailboxLabel, PoolNumbers)> {
        let all: Vec<_> =
            lock(&self.by_mailbox).iter().map(|(cap, pool)| (cap.name(), pool.clone())).collect();
        let mut all: Vec<_> = all.into_iter().map(|(name, pool)| (name, pool.numbers())).collect();
        all.sort_by(|(a, _), (b, _)| (&a.server, &a.mailbox).cmp(&(&b.server, &b.mailbox)));
        // Those whose name is not known stand together.
        all.dedup_by(|(after, more), (before, numbers)| {
            let same = after == before;
            if same {
                numbers.add(more);
            }
            same
        });
        all
    }

    /// What is known of this server.
    pub(crate) fn server(&self, host: &str, port: u16) -> Arc<ServerFacts> {
        lock(&self.servers).entry((host.to_ascii_lowercase(), port)).or_default().clone()
    }
}

/// Mailboxes remembered before unused ones are forgotten.
const MANY: usize = 1024;
