//! The process's own memory.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use super::Versioned;
use crate::sync::lock;
use crate::token::entry::Entry;

/// Entries of one token source.
#[derive(Default)]
pub(crate) struct MemoryStore(Mutex<MemoryEntries>);

#[derive(Clone, Default)]
struct MemoryEntries {
    /// Boxed: a table has room for several, and mostly holds one.
    entries: HashMap<String, Box<Versioned>>,
    counter: u64,
}

impl MemoryStore {
    pub(super) fn load(&self, key: &str) -> Option<Versioned> {
        self.lock().entries.get(key).map(|held| Versioned::clone(held))
    }

    pub(super) fn save(&self, key: &str, entry: Option<&Entry>, expected: Option<u64>) -> bool {
        let mut inner = self.lock();
        if inner.entries.get(key).map(|e| e.version) != expected {
            return false;
        }
        inner.counter += 1;
        match entry {
            Some(entry) => {
                let version = inner.counter;
                let held = Versioned { entry: entry.clone(), version };
                inner.entries.insert(key.to_owned(), Box::new(held));
            }
            None => {
                inner.entries.remove(key);
            }
        }
        true
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.lock().entries.keys().cloned().collect()
    }

    /// A forked child's copy: without waiting for a lock, since its holder may be gone, and without the
    /// claims, since whoever refreshes does so in the parent.
    pub(crate) fn fork(&self) -> Self {
        let mut inner = self.0.try_lock().map(|inner| inner.clone()).unwrap_or_default();
        for held in inner.entries.values_mut() {
            held.entry.refreshing = None;
        }
        Self(Mutex::new(inner))
    }

    fn lock(&self) -> MutexGuard<'_, MemoryEntries> {
        lock(&self.0)
    }
}
