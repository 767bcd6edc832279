//! Numbers of one source of tokens: refreshes by outcome, how long they took, and when what it has ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use super::family::{Families, Number};
use super::histogram::Histogram;
use super::{ServiceLabel, lock, seconds};

/// What became of refreshes.
#[derive(Default)]
pub(crate) struct TokenNumbers(Mutex<Refreshes>);

#[derive(Clone, Default)]
struct Refreshes {
    done: u64,
    /// By error code.
    failed: BTreeMap<&'static str, u64>,
    took: Histogram,
    last: Option<Instant>,
    expires_at: Option<SystemTime>,
    /// By mailbox, where the service says it.
    logins_expire_at: BTreeMap<String, SystemTime>,
    credential_expires_at: Option<SystemTime>,
}

impl TokenNumbers {
    pub(crate) fn refreshed(&self, took: Duration, ends: Ends, mailbox: Option<&str>) {
        let mut refreshes = lock(&self.0);
        refreshes.done += 1;
        refreshes.took.note(took);
        refreshes.last = Some(Instant::now());
        refreshes.expires_at = ends.token;
        refreshes.credential_expires_at = ends.credential;
        drop(refreshes);
        if let (Some(at), Some(mailbox)) = (ends.login, mailbox) {
            self.login_expires(mailbox, Some(at));
        }
    }

    /// A person signed in, or out: when they must again, where the service says.
    pub(crate) fn login_expires(&self, mailbox: &str, at: Option<SystemTime>) {
        let (mut refreshes, mailbox) = (lock(&self.0), mailbox.to_lowercase());
        match at {
            // So many are told apart, and no more.
            Some(_) if refreshes.logins_expire_at.len() >= crate::metrics::MOST => {}
            Some(at) => drop(refreshes.logins_expire_at.insert(mailbox, at)),
            None => drop(refreshes.logins_expire_at.remove(&mailbox)),
        }
    }

    pub(crate) fn failed(&self, code: &'static str) {
        *lock(&self.0).failed.entry(code).or_default() += 1;
    }

    /// Returns the numbers as data; `ends` are those of one mailbox.
    pub(crate) fn to_json(&self, ends: Ends) -> Value {
        let refreshes = lock(&self.0).clone();
        let left = |at: Option<SystemTime>| at.map(|at| seconds(left(at)));
        json!({
            "refreshed": refreshes.done,
            "failed": refreshes.failed,
            "seconds": refreshes.took.to_json(),
            "age": refreshes.last.map(|last| seconds(last.elapsed())),
            "expires_in": left(ends.token),
            "login_expires_in": left(ends.login),
            "credential_expires_in": left(ends.credential),
        })
    }
}

/// When what there is ends, as far as that is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    pub(crate) token: Option<SystemTime>,
    pub(crate) login: Option<SystemTime>,
    pub(crate) credential: Option<SystemTime>,
}

pub(super) fn families(out: &mut Families, all: Vec<(ServiceLabel, Arc<TokenNumbers>)>) {
    let mut all: Vec<_> = all.into_iter().map(|(key, numbers)| (key, lock(&numbers.0).clone())).collect();
    all.sort_by(|(a, _), (b, _)| {
        (&a.service, a.grant, &a.application).cmp(&(&b.service, b.grant, &b.application))
    });
    let add = |out: &mut Families, key: &ServiceLabel, more: Option<(&'static str, &str)>, number: Number| {
        let own = [
            ("service", key.service.as_str()),
            ("grant", key.grant),
            ("application", key.application.as_str()),
        ];
        out.add(&own.into_iter().chain(more).collect::<Vec<_>>(), number);
    };
    out.begin("mailbearer_tokens_refreshed", "", "Access tokens that were acquired.");
    for (key, refreshes) in &all {
        add(out, key, None, Number::Count(refreshes.done));
    }
    out.begin("mailbearer_token_refreshes_failed", "", "Token requests that failed, by error code.");
    for (key, refreshes) in &all {
        for (code, count) in &refreshes.failed {
            add(out, key, Some(("code", code)), Number::Count(*count));
        }
    }
    out.begin("mailbearer_token_refresh_seconds", "s", "How long it took to acquire a token.");
    for (key, refreshes) in all.iter().filter(|(_, refreshes)| refreshes.done > 0) {
        add(out, key, None, Number::Durations(refreshes.took.clone()));
    }
    let until = |at: SystemTime| Number::Level(seconds(left(at)));
    out.begin("mailbearer_token_expires_in_seconds", "s", "Until the access token that came last ends.");
    for (key, refreshes) in &all {
        if let Some(at) = refreshes.expires_at {
            add(out, key, None, until(at));
        }
    }
    out.begin(
        "mailbearer_login_expires_in_seconds",
        "s",
        "Until a person must sign in again, where the service says.",
    );
    for (key, refreshes) in &all {
        for (mailbox, at) in &refreshes.logins_expire_at {
            add(out, key, Some(("mailbox", mailbox)), until(*at));
        }
    }
    out.begin(
        "mailbearer_credential_expires_in_seconds",
        "s",
        "Until the application's certificate ends, as it was when the mailer was made.",
    );
    for (key, refreshes) in &all {
        if let Some(at) = refreshes.credential_expires_at {
            add(out, key, None, until(at));
        }
    }
}

fn left(at: SystemTime) -> Duration {
    at.duration_since(SystemTime::now()).unwrap_or_default()
}
