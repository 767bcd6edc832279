//! What all listeners share: the configuration, the faults, the grants, the log, the messages.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::clock;
use crate::config::{Config, Dialect};
use crate::fault::{Fault, Faults, Point};
use crate::grant::Grants;
use crate::keys::Keys;
use crate::received::Received;
use crate::seen::{Auth, Log};
use crate::service_account::ServiceAccount;

/// Messages are kept up to this many octets, also if `keep` allows more.
const MESSAGE_OCTETS: usize = 512 << 20;

/// The one object behind every listener and the Rust interface.
pub(crate) struct Shared {
    pub(crate) dialect: Dialect,
    pub(crate) keys: Keys,
    pub(crate) service_account: ServiceAccount,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// `https://localhost:PORT`
    pub(crate) authority: String,
    /// The name of the mail server.
    pub(crate) host: String,
    pub(crate) ca_file: String,
    /// The service account's key file; only Google's dialect has one.
    pub(crate) key_file: String,
    pub(crate) smtp_port: u16,
    pub(crate) smtps_port: u16,
    memory: Mutex<Memory>,
    arrived: Condvar,
    /// Counts everything that the page shows.
    revision: watch::Sender<u64>,
    scripted: watch::Sender<()>,
}

/// What changes.
pub(crate) struct Memory {
    /// Replaced as a whole, so that a session reads one version.
    pub(crate) config: Arc<Config>,
    pub(crate) faults: Faults,
    pub(crate) grants: Grants,
    pub(crate) log: Log,
    pub(crate) inbox: Inbox,
    /// SMTP connections so far; the number of the newest.
    pub(crate) connections: usize,
    /// Open connections of each mailbox.
    pub(crate) mailboxes: HashMap<String, usize>,
}

/// The addresses under which the emulator is found.
pub(crate) struct Addresses {
    pub(crate) url: String,
    pub(crate) authority: String,
    /// The name of the mail server.
    pub(crate) host: String,
    pub(crate) ca_file: String,
    /// The service account's key file; only Google's dialect has one.
    pub(crate) key_file: String,
    pub(crate) smtp_port: u16,
    pub(crate) smtps_port: u16,
}

impl Shared {
    pub(crate) fn new(
        dialect: Dialect,
        config: Config,
        keys: Keys,
        service_account: ServiceAccount,
        at: Addresses,
    ) -> Self {
        Self {
            dialect,
            keys,
            service_account,
            url: at.url,
            authority: at.authority,
            host: at.host,
            ca_file: at.ca_file,
            key_file: at.key_file,
            smtp_port: at.smtp_port,
            smtps_port: at.smtps_port,
            memory: Mutex::new(Memory {
                config: Arc::new(config),
                faults: Faults::default(),
                grants: Grants::default(),
                log: Log::default(),
                inbox: Inbox::default(),
                connections: 0,
                mailboxes: HashMap::new(),
            }),
            arrived: Condvar::new(),
            revision: watch::Sender::new(0),
            scripted: watch::Sender::new(()),
        }
    }

    /// The memory. A panic elsewhere does not spoil it: each change is whole before the next.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message and wakes the calls that wait for one.
    pub(crate) fn deliver(&self, message: Received) {
        {
            let mut memory = self.lock();
            let keep = memory.config.keep;
            memory.inbox.push(message, keep);
        }
        self.arrived.notify_all();
        self.touch();
    }

    /// Says that something changed which the page shows.
    pub(crate) fn touch(&self) {
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// Grows with each change.
    pub(crate) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// Told at each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Told at each fault that is added.
    pub(crate) fn scripts(&self) -> watch::Receiver<()> {
        self.scripted.subscribe()
    }

    /// Adds a fault, for connections that are idle right now too.
    pub(crate) fn fail(&self, fault: Fault) -> Result<(), String> {
        self.lock().faults.add(fault)?;
        self.scripted.send_replace(());
        self.touch();
        Ok(())
    }

    /// Changes the configuration.
    pub(crate) fn configure(&self, changes: &serde_json::Value) -> Result<(), String> {
        let mut memory = self.lock();
        memory.config = Arc::new(memory.config.merged(changes)?);
        drop(memory);
        self.touch();
        Ok(())
    }

    /// Blocks until `count` messages have arrived.
    pub(crate) fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Arc<Received>>, String> {
        let until = Instant::now() + timeout.min(Duration::from_secs(86_400));
        let mut memory = self.lock();
        loop {
            if memory.inbox.total >= count {
                return Ok(memory.inbox.all());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(too_few(count, memory.inbox.total, timeout));
            }
            memory = self.arrived.wait_timeout(memory, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Messages, log and faults are forgotten; tokens and the configuration stay.
    pub(crate) fn clear(&self) {
        let mut memory = self.lock();
        memory.inbox = Inbox::default();
        memory.log.clear();
        memory.faults.clear();
        drop(memory);
        self.touch();
    }

    /// Removes the faults that are still to come, or those of them that `which` picks.
    pub(crate) fn heal(&self, which: impl Fn(&Fault) -> bool) {
        self.lock().faults.remove(which);
        self.touch();
    }

    /// Revokes the refresh tokens of this user.
    pub(crate) fn revoke(&self, username: &str) {
        self.lock().grants.revoke(|token| token.consent.username.eq_ignore_ascii_case(username));
    }

    /// Refuses the access tokens issued so far.
    pub(crate) fn expire_tokens(&self) {
        let grants = &mut self.lock().grants;
        grants.expired_through = grants.issued;
    }

    /// What the servers saw.
    pub(crate) fn seen(&self) -> serde_json::Value {
        let memory = self.lock();
        memory.log.to_json(&memory.inbox.all())
    }

    pub(crate) fn take_fault(&self, point: Point, text: &str) -> Option<Fault> {
        let taken = self.lock().faults.take(point, text);
        if taken.is_some() {
            self.touch();
        }
        taken
    }

    /// Notes an authentication, good or refused.
    pub(crate) fn note_auth(&self, auth: Auth) {
        self.lock().log.auth(auth);
        self.touch();
    }
}

impl Memory {
    /// Seconds since the Unix epoch on the server's own clock, which may be wrong.
    pub(crate) fn now(&self) -> f64 {
        clock::unix_now() + self.config.clock_skew as f64
    }

    /// Connections that this mailbox has open.
    pub(crate) fn connections_of(&self, username: &str) -> usize {
        let key = username.to_ascii_lowercase();
        self.mailboxes.get(&key).copied().unwrap_or(0)
    }

    pub(crate) fn connect(&mut self, username: &str) {
        *self.mailboxes.entry(username.to_ascii_lowercase()).or_insert(0) += 1;
    }

    pub(crate) fn disconnect(&mut self, username: &str) {
        let key = username.to_ascii_lowercase();
        if let Some(count) = self.mailboxes.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.mailboxes.remove(&key);
            }
        }
    }
}

/// The sentence of a wait that ended.
pub(crate) fn too_few(count: usize, total: usize, timeout: Duration) -> String {
    format!("{total} of {count} messages arrived within {} seconds", timeout.as_secs_f64())
}

/// The messages, the newest last.
#[derive(Default)]
pub(crate) struct Inbox {
    messages: VecDeque<Arc<Received>>,
    octets: usize,
    /// How many arrived, those included that are no longer kept.
    pub(crate) total: usize,
}

impl Inbox {
    fn push(&mut self, mut message: Received, keep: usize) {
        self.total += 1;
        message.number = self.total;
        self.octets += message.raw.len();
        self.messages.push_back(Arc::new(message));
        while self.messages.len() > keep.max(1) || (self.octets > MESSAGE_OCTETS && self.messages.len() > 1) {
            let Some(old) = self.messages.pop_front() else {
                return;
            };
            self.octets -= old.raw.len();
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Received>> {
        self.messages.iter().cloned().collect()
    }

    pub(crate) fn numbered(&self, number: usize) -> Option<Arc<Received>> {
        self.messages.iter().find(|message| message.number == number).cloned()
    }

    pub(crate) fn has_id(&self, message_id: &str) -> bool {
        self.messages.iter().any(|message| message.message_id == message_id)
    }
}
