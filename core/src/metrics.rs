//! Numbers of one mailer: counters that only grow.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::error::{Delivery, Error};

/// Counters of one mailer in one process.
#[derive(Default)]
pub(crate) struct Metrics {
    sent: AtomicU64,
    uncertain: AtomicU64,
    retries: AtomicU64,
    octets: AtomicU64,
    recipients: AtomicU64,
    refused: AtomicU64,
    failed: Mutex<BTreeMap<&'static str, u64>>,
}

impl Metrics {
    pub(crate) fn sent(&self, octets: u64, accepted: usize, refused: usize) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.octets.fetch_add(octets, Ordering::Relaxed);
        self.recipients.fetch_add(accepted as u64, Ordering::Relaxed);
        self.refused.fetch_add(refused as u64, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, error: &Error) {
        if error.delivery() == Delivery::Uncertain {
            self.uncertain.fetch_add(1, Ordering::Relaxed);
        }
        let mut failed = self.failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *failed.entry(error.code().as_str()).or_default() += 1;
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    /// The numbers as data; `failed` by error code, `recipients_of_a_day` of the mailbox in this process.
    pub(crate) fn to_json(&self, in_flight: usize, recipients_of_a_day: u64, limit: Option<u32>) -> Value {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let failed = self.failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        json!({
            "sent": read(&self.sent),
            "failed": *failed,
            "uncertain": read(&self.uncertain),
            "retries": read(&self.retries),
            "octets_sent": read(&self.octets),
            "recipients_accepted": read(&self.recipients),
            "recipients_refused": read(&self.refused),
            "recipients_of_a_day": recipients_of_a_day,
            "recipients_of_a_day_limit": limit,
            "in_flight": in_flight,
        })
    }
}
