//! What the sign-in service refused again and again, for all sources of a process.
//!
//! A program that makes a mailer for each message would repeat a request that cannot succeed for ever, and Entra then
//! refuses everything for a while (AADSTS50196). So the same request that was refused the same way three times within a
//! minute is answered from here until that minute is over, or, where the service asked to wait, until then.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ring::digest::{Context, SHA256};
use url::Url;

use super::form::Form;
use crate::error::{Error, ErrorCode};
use crate::fork::ForkCell;
use crate::input::Secret;
use crate::sync::lock;

/// A request, as a digest: no secret is kept.
pub(crate) type Fingerprint = [u8; 32];

/// By request.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<HashMap<Fingerprint, RememberedRefusal>>);

struct RememberedRefusal {
    error: Error,
    since: Instant,
    times: u32,
    until: Instant,
}

/// This process's remembered refusals.
pub(crate) fn refusals() -> &'static Refusals {
    static CELL: ForkCell<Refusals> = ForkCell::new();
    CELL.get(|_| Refusals::default())
}

impl Refusals {
    /// The refusal, if the service need not be asked for it again.
    pub(crate) fn recall(&self, request: &Fingerprint, now: Instant) -> Option<Error> {
        let map = lock(&self.0);
        let refused = map.get(request).filter(|refused| refused.times >= ENOUGH && now < refused.until)?;
        let left = refused.until - now;
        let error = refused.error.clone();
        if error.retry_after().is_some() {
            return Some(error.with_retry_after(Some(left)));
        }
        let note = format!(
            "(The service refused {ENOUGH} times within a minute; mailbearer asks again in {} s.)",
            left.as_secs() + 1
        );
        let hint = error.hint().map_or_else(|| note.clone(), |hint| format!("{hint} {note}"));
        Some(error.with_hint(hint))
    }

    /// Notes how a request ended.
    pub(crate) fn note(&self, request: Fingerprint, outcome: Option<&Error>, now: Instant) {
        let mut map = lock(&self.0);
        let Some(error) = outcome else {
            map.remove(&request);
            return;
        };
        let asked = error.retry_after();
        // An outage passes by itself; what the service said counts.
        if asked.is_none() && (error.code() == ErrorCode::TokenEndpointUnavailable || error.oauth().is_none())
        {
            return;
        }
        if map.len() >= MOST {
            map.retain(|_, refused| now < refused.until);
        }
        if map.len() >= MOST && !map.contains_key(&request) {
            return;
        }
        let until = now + asked.unwrap_or(MINUTE);
        let refused = map.entry(request).or_insert_with(|| RememberedRefusal {
            error: error.clone(),
            since: now,
            times: 0,
            until,
        });
        if now > refused.since + MINUTE || !same(&refused.error, error) {
            *refused = RememberedRefusal { error: error.clone(), since: now, times: 0, until };
        }
        refused.times += 1;
        refused.until = asked.map_or(refused.since + MINUTE, |asked| now + asked);
    }
}

/// What tells requests apart.
pub(crate) fn fingerprint(url: &Url, form: &Form) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    let mut add = |text: &str| {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    };
    add(url.as_str());
    add(form.authorization().map_or("", Secret::expose));
    for (name, likeness) in form.likeness() {
        add(name);
        add(likeness);
    }
    let digest = context.finish();
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}

fn same(a: &Error, b: &Error) -> bool {
    let words = |error: &Error| error.oauth().map(|detail| (detail.error.clone(), detail.codes.clone()));
    a.code() == b.code() && words(a) == words(b)
}

const ENOUGH: u32 = 3;
const MINUTE: Duration = Duration::from_secs(60);
/// More requests than this at once are not remembered.
const MOST: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::OAuthDetail;

    fn refusal(code: u64) -> Error {
        let detail = OAuthDetail {
            error: "invalid_client".into(),
            description: String::new(),
            suberror: None,
            codes: vec![code],
            correlation_id: None,
            trace_id: None,
            claims: None,
        };
        Error::new(ErrorCode::ClientRejected, "no").with_oauth(detail)
    }

    #[test]
    fn the_third_same_refusal_within_a_minute_is_the_last_one_asked_for() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let refusals = Refusals::default();
        let (key, other) = ([1; 32], [2; 32]);
        for second in 0..3 {
            assert!(refusals.recall(&key, at(second)).is_none());
            refusals.note(key, Some(&refusal(7_000_215)), at(second));
        }
        let recalled = refusals.recall(&key, at(3)).unwrap();
        assert!(recalled.hint().unwrap().contains("in 58 s"), "{recalled}");
        assert!(refusals.recall(&other, at(3)).is_none());
        assert!(refusals.recall(&key, at(60)).is_none());
        // Another reason, a success, or slowness begins anew.
        for (outcome, second) in [
            (Some(refusal(7_000_215)), 70),
            (Some(refusal(7_000_222)), 71),
            (Some(refusal(7_000_222)), 72),
            (None, 73),
            (Some(refusal(7_000_222)), 74),
            (Some(refusal(7_000_222)), 100),
            (Some(refusal(7_000_222)), 140),
        ] {
            refusals.note(key, outcome.as_ref(), at(second));
            assert!(refusals.recall(&key, at(second)).is_none(), "{second}");
        }
    }

    #[test]
    fn who_asks_to_wait_is_waited_for_and_outages_are_not_remembered() {
        let start = Instant::now();
        let refusals = Refusals::default();
        let key = [1; 32];
        let busy = Error::new(ErrorCode::TokenEndpointUnavailable, "busy");
        for _ in 0..5 {
            refusals.note(key, Some(&busy), start);
        }
        assert!(refusals.recall(&key, start).is_none());
        let asked = busy.with_retry_after(Some(Duration::from_secs(600)));
        for _ in 0..3 {
            refusals.note(key, Some(&asked), start);
        }
        let recalled = refusals.recall(&key, start + Duration::from_secs(100)).unwrap();
        assert_eq!(recalled.retry_after(), Some(Duration::from_secs(500)));
        assert!(refusals.recall(&key, start + Duration::from_secs(600)).is_none());
    }

    #[test]
    fn requests_differ_by_what_they_ask_and_not_by_the_time() {
        let url = Url::parse("https://login.example/token").unwrap();
        let form = |assertion: &str, scope: &str| {
            let alike = assertion.split('.').next().unwrap().to_owned();
            Form::default().with_fresh("assertion", &Secret::new(assertion), alike).with("scope", scope)
        };
        let first = fingerprint(&url, &form("head.one.x", "s"));
        assert_eq!(first, fingerprint(&url, &form("head.two.y", "s")));
        assert_ne!(first, fingerprint(&url, &form("other.one.x", "s")));
        assert_ne!(first, fingerprint(&url, &form("head.one.x", "t")));
        // One that was read in is another when it was renewed.
        let given = |assertion: &str| fingerprint(&url, &Form::default().with("client_assertion", assertion));
        assert_ne!(given("head.one.x"), given("head.two.y"));
    }
}
