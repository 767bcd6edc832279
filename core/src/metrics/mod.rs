//! Numbers: of one mailer, and of a process by mailbox and by sign-in service. Counters only grow.

pub(crate) mod family;
mod histogram;
pub(crate) mod otlp;
mod pool;
pub(crate) mod prometheus;
mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use self::family::{Families, Number};
use self::histogram::Histogram;
pub(crate) use self::pool::PoolNumbers;
pub(crate) use self::tokens::{Ends, TokenNumbers};
use crate::error::{Delivery, Error};
use crate::fork::ForkCell;
use crate::receipt::Receipt;
use crate::sync::lock;

/// What became of messages.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Sends>);

#[derive(Clone, Default)]
struct Sends {
    sent: u64,
    uncertain: u64,
    retries: u64,
    octets: u64,
    accepted: u64,
    refused: u64,
    /// By error code.
    failed: BTreeMap<&'static str, u64>,
    /// By stage.
    took: BTreeMap<&'static str, Histogram>,
}

impl Metrics {
    pub(crate) fn sent(&self, receipt: &Receipt) {
        let mut sends = lock(&self.0);
        sends.sent += 1;
        sends.octets += receipt.size;
        sends.accepted += receipt.accepted.len() as u64;
        sends.refused += receipt.rejected.len() as u64;
        for (stage, took) in &receipt.timings.0 {
            sends.took.entry(stage).or_default().note(*took);
        }
    }

    pub(crate) fn failed(&self, error: &Error) {
        let mut sends = lock(&self.0);
        if error.delivery() == Delivery::Uncertain {
            sends.uncertain += 1;
        }
        *sends.failed.entry(error.code().as_str()).or_default() += 1;
    }

    pub(crate) fn retried(&self) {
        lock(&self.0).retries += 1;
    }

    /// The numbers as data.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let sends = lock(&self.0).clone();
        let took: Map<String, Value> =
            sends.took.iter().map(|(stage, took)| ((*stage).to_owned(), took.to_json())).collect();
        let all = json!({
            "sent": sends.sent,
            "failed": sends.failed,
            "uncertain": sends.uncertain,
            "retries": sends.retries,
            "octets_sent": sends.octets,
            "recipients_accepted": sends.accepted,
            "recipients_refused": sends.refused,
            "seconds": took,
        });
        if let Value::Object(all) = all { all } else { Map::new() }
    }
}

/// Of all mailers of a process, also of those that are gone.
pub(crate) struct Numbers {
    pub(crate) began: SystemTime,
    sends: Registry<MailboxLabel, Metrics>,
    tokens: Registry<ServiceLabel, TokenNumbers>,
}

/// This process's numbers.
pub(crate) fn numbers() -> &'static Numbers {
    static CELL: ForkCell<Numbers> = ForkCell::new();
    CELL.get(|_| Numbers::default())
}

impl Default for Numbers {
    fn default() -> Self {
        Self { began: SystemTime::now(), sends: Registry::default(), tokens: Registry::default() }
    }
}

/// The labels of a mailbox's numbers: who sends, and through which server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MailboxLabel {
    pub(crate) server: String,
    pub(crate) mailbox: String,
}

/// Where tokens come from, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ServiceLabel {
    pub(crate) service: String,
    pub(crate) grant: &'static str,
    /// The application's id.
    pub(crate) application: String,
}

/// Numbers by key, up to a limit.
struct Registry<K, V>(Mutex<HashMap<K, Arc<V>>>);

impl<K, V> Default for Registry<K, V> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Clone + Eq + Hash, V: Default> Registry<K, V> {
    fn of(&self, key: &K) -> Option<Arc<V>> {
        let mut map = lock(&self.0);
        if let Some(known) = map.get(key) {
            return Some(known.clone());
        }
        (map.len() < MOST).then(|| map.entry(key.clone()).or_default().clone())
    }

    fn known(&self, key: &K) -> Option<Arc<V>> {
        lock(&self.0).get(key).cloned()
    }

    fn all(&self) -> Vec<(K, Arc<V>)> {
        lock(&self.0).iter().map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// Mailboxes beyond these are not counted one by one.
const MOST: usize = 20_000;

impl Numbers {
    /// Of one mailbox; none if there are too many.
    pub(crate) fn of_mailbox(&self, mailbox: &MailboxLabel) -> Option<Arc<Metrics>> {
        self.sends.of(mailbox)
    }

    /// Of one source of tokens; none if there are too many.
    pub(crate) fn of_service(&self, service: &ServiceLabel) -> Option<Arc<TokenNumbers>> {
        self.tokens.of(service)
    }

    /// The same, if anything was counted.
    pub(crate) fn known_service(&self, service: &ServiceLabel) -> Option<Arc<TokenNumbers>> {
        self.tokens.known(service)
    }

    pub(crate) fn families(&self, pools: &[(MailboxLabel, PoolNumbers)]) -> Families {
        let mut out = Families::default();
        let mut sends: Vec<_> =
            self.sends.all().into_iter().map(|(key, metrics)| (key, lock(&metrics.0).clone())).collect();
        sends.sort_by(|(a, _), (b, _)| (&a.server, &a.mailbox).cmp(&(&b.server, &b.mailbox)));
        let count = |out: &mut Families, name, unit, help, of: fn(&Sends) -> u64| {
            out.begin(name, unit, help);
            for (key, sends) in &sends {
                out.add(&key.labels(), Number::Count(of(sends)));
            }
        };
        count(&mut out, "mailbearer_messages_sent", "", "Messages that the server took.", |s| s.sent);
        out.begin("mailbearer_messages_failed", "", "Messages that were not sent, by error code.");
        for (key, sends) in &sends {
            for (code, count) in &sends.failed {
                let [server, mailbox] = key.labels();
                out.add(&[server, mailbox, ("code", code)], Number::Count(*count));
            }
        }
        count(
            &mut out,
            "mailbearer_messages_uncertain",
            "",
            "Failed messages that may have gone out.",
            |s| s.uncertain,
        );
        count(&mut out, "mailbearer_send_retries", "", "Tries beyond the first.", |s| s.retries);
        count(&mut out, "mailbearer_octets_sent", "By", "Octets of messages that were taken.", |s| s.octets);
        out.begin("mailbearer_recipients", "", "Recipients of messages that were taken, by outcome.");
        for (key, sends) in &sends {
            let [server, mailbox] = key.labels();
            for (outcome, count) in [("accepted", sends.accepted), ("refused", sends.refused)] {
                out.add(&[server, mailbox, ("outcome", outcome)], Number::Count(count));
            }
        }
        out.begin("mailbearer_send_seconds", "s", "How long messages took that were sent, by stage.");
        for (key, sends) in &sends {
            let [server, mailbox] = key.labels();
            for (stage, took) in &sends.took {
                out.add(&[server, mailbox, ("stage", stage)], Number::Durations(took.clone()));
            }
        }
        pool::families(&mut out, pools);
        tokens::families(&mut out, self.tokens.all());
        out
    }
}

impl MailboxLabel {
    /// Makes the labels as people see them; hosts are in lower case.
    pub(crate) fn new(host: &str, port: u16, mailbox: &str) -> Self {
        Self { server: format!("{}:{port}", host.to_ascii_lowercase()), mailbox: mailbox.to_owned() }
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [("server", &self.server), ("mailbox", &self.mailbox)]
    }
}

/// Seconds with three decimals, for data.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every name in a text, without what Prometheus adds.
    fn names(text: &str) -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
        let names = words.filter(|word| word.starts_with("mailbearer_") && !word.ends_with('_'));
        let bare = |word: &str| {
            let tails = ["_total", "_bucket", "_sum", "_count"];
            tails.iter().find_map(|tail| word.strip_suffix(tail)).unwrap_or(word).to_owned()
        };
        names.map(bare).collect()
    }

    #[test]
    fn the_documents_name_the_numbers_that_there_are() {
        let there: BTreeSet<String> =
            Numbers::default().families(&[]).0.iter().map(|family| family.name.to_owned()).collect();
        let page = names(include_str!("../../../docs/monitoring.md").split("## The numbers").nth(1).unwrap());
        let mut missing: Vec<_> = there.difference(&page).collect();
        missing.retain(|name| *name != "mailbearer_connections_idle");
        assert!(missing.is_empty(), "not in docs/monitoring.md: {missing:?}");
        for text in [
            include_str!("../../../docs/monitoring/alerts.yml"),
            include_str!("../../../docs/monitoring/grafana.json"),
        ] {
            let named = names(text);
            assert!(named.is_subset(&there), "{:?}", named.difference(&there).collect::<Vec<_>>());
            assert!(named.len() > 5);
        }
    }
}
