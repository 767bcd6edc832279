//! When nothing is sent, or nobody signs in: after refusals that would go on, and that servers count.

use std::time::Instant;

use super::Pool;
use crate::error::{Error, ErrorCode, Result};
use crate::smtp::protocol::auth::AuthRefusal;
use crate::smtp::protocol::refusal::Peer;
use crate::sync::lock;

impl Pool {
    /// # Errors
    /// `throttled` while the server pauses this mailbox.
    pub(crate) fn may_send(&self, peer: &Peer) -> Result<()> {
        let state = lock(&self.state);
        let Some((left, words)) = state.limits.pause_left(tokio::time::Instant::now()) else { return Ok(()) };
        let text =
            format!("{} pauses this mailbox, since messages failed again and again: {words}", peer.host);
        Err(Error::new(ErrorCode::Throttled, text)
            .with_retry_after(Some(left))
            .with_hint("Stop sending from it, cure the cause, then wait: going on makes the pause longer."))
    }

    /// Takes what a failure says about the mailbox to heart.
    pub(crate) fn learn(&self, error: &Error) {
        let Some(reply) = error.smtp() else { return };
        let now = tokio::time::Instant::now();
        let mut state = lock(&self.state);
        if reply.code == 432 {
            let open = state.open;
            state.limits.halve(now, open);
        }
        let continuous = |status: &str| {
            status
                .strip_prefix("5.2.")
                .and_then(|detail| detail.parse().ok())
                .is_some_and(|n: u16| (251..=255).contains(&n))
        };
        // The same numbers stand on single refusals with 554.
        if reply.code == 550 && reply.enhanced.as_deref().is_some_and(continuous) {
            state.limits.pause(now, reply.to_string());
        }
    }

    /// # Errors
    /// `auth_rejected` while the breaker is open.
    pub(crate) fn may_sign_in(&self, peer: &Peer) -> Result<()> {
        let Some(left) = lock(&self.state).breaker.remaining(Instant::now()) else { return Ok(()) };
        let seconds = left.as_secs() + 1;
        let message = format!(
            "{} refused the token several times in a row: not tried again for {seconds} s",
            peer.host
        );
        Err(Error::new(ErrorCode::AuthRejected, message).with_retry_after(Some(left)))
    }

    /// AUTH went well.
    pub(crate) fn signed_in(&self) {
        lock(&self.state).breaker.accepted();
    }

    /// Counts a refusal if it `counts` and is no passing one; says whether the breaker is open now.
    pub(crate) fn sign_in_refused(&self, refusal: &AuthRefusal, counts: bool) -> bool {
        let breaker = &mut lock(&self.state).breaker;
        let now = Instant::now();
        if counts && refusal.is_permanent() {
            breaker.refused(now);
        }
        breaker.remaining(now).is_some()
    }

    /// Whether something would go wrong if this pool were made anew: its limits count, or its sign-ins pause.
    pub(super) fn matters(&self) -> bool {
        let state = lock(&self.state);
        state.limits.matters(tokio::time::Instant::now()) || state.breaker.remaining(Instant::now()).is_some()
    }
}
