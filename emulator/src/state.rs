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
use crate::seen::Log;

/// The most that is kept of messages, whatever `keep` says.
const MESSAGE_OCTETS: usize = 512 << 20;

/// The one object behind every listener and the Rust interface.
pub(crate) struct Shared {
    pub(crate) dialect: Dialect,
    pub(crate) keys: Keys,
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// `https://localhost:PORT`
    pub(crate) authority: String,
    pub(crate) ca_file: String,
    pub(crate) smtp_port: u16,
    pub(crate) smtps_port: u16,
    state: Mutex<State>,
    arrived: Condvar,
    changed: watch::Sender<()>,
    scripted: watch::Sender<()>,
}

/// What changes.
pub(crate) struct State {
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
    pub(crate) ca_file: String,
    pub(crate) smtp_port: u16,
    pub(crate) smtps_port: u16,
}

impl Shared {
    pub(crate) fn new(dialect: Dialect, config: Config, keys: Keys, at: Addresses) -> Self {
        Self {
            dialect,
            keys,
            url: at.url,
            authority: at.authority,
            ca_file: at.ca_file,
            smtp_port: at.smtp_port,
            smtps_port: at.smtps_port,
            state: Mutex::new(State {
                config: Arc::new(config),
                faults: Faults::default(),
                grants: Grants::default(),
                log: Log::default(),
                inbox: Inbox::default(),
                connections: 0,
                mailboxes: HashMap::new(),
            }),
            arrived: Condvar::new(),
            changed: watch::Sender::new(()),
            scripted: watch::Sender::new(()),
        }
    }

    /// The state. A panic elsewhere does not spoil it: each change is whole before the next.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message and wakes whoever waits for one.
    pub(crate) fn deliver(&self, message: Received) {
        {
            let mut state = self.lock();
            let keep = state.config.keep;
            state.inbox.push(message, keep);
        }
        self.arrived.notify_all();
        self.changed.send_replace(());
    }

    /// Told at each message that arrives.
    pub(crate) fn arrivals(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Told at each fault that is added.
    pub(crate) fn scripts(&self) -> watch::Receiver<()> {
        self.scripted.subscribe()
    }

    /// Adds a fault, for connections that are idle right now too.
    pub(crate) fn fail(&self, fault: Fault) -> Result<(), String> {
        self.lock().faults.add(fault)?;
        self.scripted.send_replace(());
        Ok(())
    }

    /// Changes the configuration.
    pub(crate) fn configure(&self, changes: &serde_json::Value) -> Result<(), String> {
        let mut state = self.lock();
        state.config = Arc::new(state.config.merged(changes)?);
        Ok(())
    }

    /// Blocks until `count` messages have arrived.
    pub(crate) fn wait_for(&self, count: usize, timeout: Duration) -> Result<Vec<Arc<Received>>, String> {
        let until = Instant::now() + timeout.min(Duration::from_secs(86_400));
        let mut state = self.lock();
        loop {
            if state.inbox.total >= count {
                return Ok(state.inbox.all());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(too_few(count, state.inbox.total, timeout));
            }
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Messages, log and faults are forgotten; tokens and the configuration stay.
    pub(crate) fn clear(&self) {
        let mut state = self.lock();
        state.inbox = Inbox::default();
        state.log.clear();
        state.faults.clear();
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
        let state = self.lock();
        state.log.to_json(&state.inbox.all())
    }

    pub(crate) fn take_fault(&self, point: Point, text: &str) -> Option<Fault> {
        self.lock().faults.take(point, text)
    }
}

impl State {
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
