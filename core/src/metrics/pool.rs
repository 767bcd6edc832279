//! How the connections and limits of mailboxes stand.

use std::time::Duration;

use super::MailboxLabel;
use super::family::{Families, Number};

/// How the connections and limits of a mailbox stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolNumbers {
    pub(crate) open: usize,
    pub(crate) idle: usize,
    pub(crate) waiting: usize,
    pub(crate) messages_last_minute: usize,
    pub(crate) recipients_last_day: u64,
    /// How long nothing is sent.
    pub(crate) paused: Option<Duration>,
}

impl PoolNumbers {
    pub(crate) fn add(&mut self, other: &Self) {
        self.open += other.open;
        self.idle += other.idle;
        self.waiting += other.waiting;
        self.messages_last_minute += other.messages_last_minute;
        self.recipients_last_day += other.recipients_last_day;
        self.paused = self.paused.max(other.paused);
    }
}

pub(super) fn families(out: &mut Families, pools: &[(MailboxLabel, PoolNumbers)]) {
    let level = |out: &mut Families, name, unit, help, of: fn(&PoolNumbers) -> f64| {
        out.begin(name, unit, help);
        for (key, pool) in pools {
            out.add(&key.labels(), Number::Level(of(pool)));
        }
    };
    level(out, "mailbearer_connections_open", "", "Connections, idle ones too.", |pool| pool.open as f64);
    level(out, "mailbearer_connections_idle", "", "Connections without a message.", |pool| pool.idle as f64);
    level(out, "mailbearer_sends_waiting", "", "Messages that wait for a connection.", |pool| {
        pool.waiting as f64
    });
    level(
        out,
        "mailbearer_messages_last_minute",
        "",
        "Messages that were let through within 60 s, where that is limited.",
        |pool| pool.messages_last_minute as f64,
    );
    level(out, "mailbearer_recipients_last_day", "", "Recipients accepted within 24 hours.", |pool| {
        pool.recipients_last_day as f64
    });
    level(
        out,
        "mailbearer_paused_seconds",
        "s",
        "How long the server, or refusals in a row, keep the mailbox from sending.",
        |pool| pool.paused.unwrap_or_default().as_secs_f64(),
    );
}
