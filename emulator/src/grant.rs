//! What was granted: authorization codes, device codes, refresh tokens, access tokens.

use std::collections::{HashMap, VecDeque};

use crate::tenant::Tenant;

/// Entries kept of each kind.
const KEPT: usize = 100_000;

/// Everything that the sign-in service remembers.
#[derive(Default)]
pub(crate) struct Grants {
    pub(crate) codes: Bounded<Code>,
    pub(crate) devices: Bounded<Device>,
    pub(crate) refresh: Bounded<Refresh>,
    /// By `uti` claim, or by the token itself where it is opaque.
    pub(crate) access: Bounded<Access>,
    pub(crate) issued: usize,
    /// Tokens up to this one are refused at SMTP.
    pub(crate) expired_through: usize,
    pub(crate) families: usize,
}

/// What a person has allowed an application to do; every grant carries it.
#[derive(Clone, Debug)]
pub(crate) struct Consent {
    pub(crate) client_id: String,
    pub(crate) tenant: Tenant,
    pub(crate) username: String,
    pub(crate) scope: String,
    pub(crate) nonce: Option<String>,
    /// A refresh token was asked for.
    pub(crate) offline: bool,
}

/// An authorization code (RFC 6749 §4.1.2), with its PKCE challenge (RFC 7636).
#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) consent: Consent,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<Challenge>,
    pub(crate) issued_at: f64,
    pub(crate) redeemed: bool,
    /// The family of refresh tokens that this code has given.
    pub(crate) family: usize,
}

/// A PKCE challenge.
#[derive(Clone, Debug)]
pub(crate) struct Challenge {
    pub(crate) value: String,
    pub(crate) hashed: bool,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Pending,
    Approved(String),
    Denied,
}

/// A device's request (RFC 8628), by its device code.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) user_code: String,
    pub(crate) consent: Consent,
    pub(crate) issued_at: f64,
    pub(crate) polled_at: Option<f64>,
    pub(crate) interval: u64,
    pub(crate) answer: Answer,
    pub(crate) redeemed: bool,
}

/// A refresh token.
#[derive(Clone, Debug)]
pub(crate) struct Refresh {
    pub(crate) consent: Consent,
    pub(crate) family: usize,
    pub(crate) superseded: bool,
    pub(crate) revoked: bool,
    pub(crate) issued_at: f64,
}

/// An access token.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) id: usize,
    /// None for an app-only token.
    pub(crate) username: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) expires_at: f64,
}

impl Grants {
    /// A number for the next access token, from 1.
    pub(crate) fn next_token(&mut self) -> usize {
        self.issued += 1;
        self.issued
    }

    pub(crate) fn next_family(&mut self) -> usize {
        self.families += 1;
        self.families
    }

    /// Revokes each refresh token that `of` picks.
    pub(crate) fn revoke(&mut self, of: impl Fn(&Refresh) -> bool) {
        for token in self.refresh.entries.values_mut() {
            if of(token) {
                token.revoked = true;
            }
        }
    }

    /// Devices that wait for an answer, the newest first.
    pub(crate) fn devices_waiting(&self, now: f64, lifetime: f64) -> Vec<&Device> {
        let waits = |device: &&Device| device.answer == Answer::Pending && now <= device.issued_at + lifetime;
        let mut waiting: Vec<_> = self.devices.entries.values().filter(waits).collect();
        waiting.sort_by(|one, other| other.issued_at.total_cmp(&one.issued_at));
        waiting
    }

    /// The device that shows this user code; case and dashes do not matter.
    pub(crate) fn device_shown(&mut self, user_code: &str) -> Option<&mut Device> {
        let plain = |code: &str| {
            code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
        };
        let wanted = plain(user_code);
        self.devices.entries.values_mut().find(|device| plain(&device.user_code) == wanted)
    }
}

/// A map that forgets its oldest entries.
pub(crate) struct Bounded<T> {
    entries: HashMap<String, T>,
    order: VecDeque<String>,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Bounded<T> {
    pub(crate) fn insert(&mut self, key: String, value: T) {
        if self.order.len() >= KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.entries.insert(key, value);
    }

    pub(crate) fn find(&self, key: &str) -> Option<&T> {
        self.entries.get(key)
    }

    pub(crate) fn find_mut(&mut self, key: &str) -> Option<&mut T> {
        self.entries.get_mut(key)
    }
}
