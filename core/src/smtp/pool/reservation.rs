//! A turn to send that was promised to one message.

use std::time::Duration;

use super::Pool;
use super::route_key::RouteKey;
use crate::blocking;
use crate::call::Cancel;
use crate::error::{Error, ErrorCode, Result};
use crate::event::{Event, EventSink};
use crate::smtp::bounds::Bounds;
use crate::smtp::fleet;
use crate::sync::lock;

impl Pool {
    /// Waits for the mailbox's turn, if only so many messages may go in a minute.
    ///
    /// # Errors
    /// `throttled` at once if the turn would come after the deadline; `cancelled`.
    pub(crate) async fn let_through(
        &self,
        key: &RouteKey,
        bounds: Bounds<'_>,
        events: &EventSink,
    ) -> Result<()> {
        let Some(per_minute) = key.settings.messages_per_minute else { return Ok(()) };
        let now = tokio::time::Instant::now();
        let mut alone = per_minute;
        if let Some(fleet) = &self.fleet {
            let longest = bounds.deadline.saturating_duration_since(now);
            let asked = bounds.within(longest, "turn from Redis", fleet.turn(per_minute, longest)).await;
            fleet.tell_if_away(events);
            let now = tokio::time::Instant::now();
            match asked? {
                fleet::SharedTurn::After(wait, mark) => {
                    // Remembered here too, for the case that Redis goes away.
                    lock(&self.state).limits.note(now, now + wait);
                    let turn = Reservation { pool: self, at: Some(now + wait), mark: Some(mark) };
                    return turn.wait(wait, bounds, events).await;
                }
                fleet::SharedTurn::TooLate(wait) => return Err(too_late(per_minute, wait)),
                fleet::SharedTurn::Alone(share) => alone = share,
            }
        }
        let now = tokio::time::Instant::now();
        let at = lock(&self.state).limits.reserve(now, alone);
        let wait = at.saturating_duration_since(now);
        let turn = Reservation { pool: self, at: Some(at), mark: None };
        if at >= bounds.deadline {
            return Err(too_late(alone, wait));
        }
        turn.wait(wait, bounds, events).await
    }
}

/// A turn that was promised; given back if its message does not go.
struct Reservation<'a> {
    pool: &'a Pool,
    at: Option<tokio::time::Instant>,
    /// What the other processes know it by.
    mark: Option<String>,
}

impl Reservation<'_> {
    async fn wait(mut self, wait: Duration, bounds: Bounds<'_>, events: &EventSink) -> Result<()> {
        if let Some(at) = self.at
            && !wait.is_zero()
        {
            events.emit(|| {
                Event::new("limit.waiting")
                    .with("limit", "messages_per_minute")
                    .with("delay", wait.as_secs_f64())
            });
            tokio::select! {
                biased;
                () = bounds.cancel.cancelled() => return Err(Cancel::error()),
                () = tokio::time::sleep_until(at) => {}
            }
        }
        self.at = None;
        Ok(())
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let Some(at) = self.at else { return };
        lock(&self.pool.state).limits.give_back(at);
        if let (Some(fleet), Some(mark)) = (&self.pool.fleet, self.mark.take())
            && let Ok(runtime) = blocking::handle()
        {
            let fleet = fleet.clone();
            runtime.spawn(async move { fleet.skip_turn(&mark).await });
        }
    }
}

fn too_late(per_minute: u32, wait: Duration) -> Error {
    let text = format!(
        "{per_minute} messages a minute are allowed: the next may go in {} s, after the call's time",
        wait.as_secs() + 1
    );
    Error::new(ErrorCode::Throttled, text).with_retry_after(Some(wait)).with_hint(
        "Wait, give the call more time, or raise limits.messages_per_minute if the provider allows it.",
    )
}
