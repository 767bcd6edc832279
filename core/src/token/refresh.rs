//! One refresh: a task of its own, so that a caller who gives up takes nobody along.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::acquire::{Attempt, Order};
use super::shared::Shared;
use super::state::{Held, Landing, LastFailure};
use crate::error::{Error, ErrorCode, Result};
use crate::net::http::RETRY_AFTER_CAP;

/// A refresh that takes longer is given up by those who wait for it: its runtime may be gone.
pub(crate) const LONGEST: Duration = Duration::from_secs(300);

/// Starts it on the caller's runtime.
pub(crate) fn start(shared: Arc<Shared>, order: Order) -> watch::Receiver<Option<Landing>> {
    let (tx, rx) = watch::channel(None);
    tokio::spawn(async move {
        let mut attempt = Attempt::new(&shared, order.clone());
        let mut acquired = Box::pin(attempt.acquire());
        let in_time = tokio::time::timeout(LONGEST, &mut acquired).await;
        if let Ok(outcome) = in_time {
            drop(acquired);
            let _ = tx.send(Some(land(&attempt, outcome)));
            return;
        }
        // It may have been posted: what was rotated is kept all the same, for whoever asks next.
        let late = Attempt::new(&shared, order);
        let error = Error::new(ErrorCode::TokenEndpointUnavailable, "the refresh took too long");
        let _ = tx.send(Some(land(&late, Err(error))));
        let _ = tokio::time::timeout(LONGEST, acquired).await;
    });
    rx
}

/// Publishes the outcome, unless a sign-in or sign-out came between.
fn land(attempt: &Attempt<'_>, outcome: Result<Held>) -> Landing {
    let (shared, order) = (attempt.shared(), attempt.order());
    let landing = {
        let mut inner = shared.state().lock();
        if inner.refresh.as_ref().is_some_and(|refresh| refresh.id == order.id) {
            inner.refresh = None;
        }
        if inner.generation != order.generation {
            return Landing::Superseded;
        }
        match &outcome {
            Ok(held) => {
                inner.held = Some(held.clone());
                inner.failure = None;
                Landing::Token(held.token.clone())
            }
            // Who comes next asks anew.
            Err(_) if attempt.is_abandoned() => return Landing::Superseded,
            Err(error) => {
                let until = Instant::now() + repeated_for(error);
                inner.failure = Some(LastFailure { error: error.clone(), until });
                Landing::Failed(error.clone())
            }
        }
    };
    // Outside the lock: a listener may ask us things.
    attempt.tell(&outcome);
    landing
}

/// How long a failure is repeated without asking again.
fn repeated_for(error: &Error) -> Duration {
    let usual = Duration::from_secs(5);
    error.retry_after().map_or(usual, |after| after.clamp(usual, RETRY_AFTER_CAP))
}
