//! How long a stage may take: its own limit, and those of the call that wants it.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{Call, Cancel};
use crate::error::{Error, ErrorCode, Result};

/// The call's own limits, which hold beside each stage's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) deadline: Instant,
    pub(crate) cancel: &'a Cancel,
}

impl Bounds<'_> {
    /// Runs a stage; `what` is waited for.
    ///
    /// # Errors
    /// The stage's own, `timed_out`, or `cancelled`.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        what: &str,
        stage: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let own = Instant::now() + limit;
        tokio::select! {
            biased;
            done = stage => done,
            () = self.cancel.cancelled() => Err(Cancel::error()),
            () = tokio::time::sleep_until(own.min(self.deadline)) => {
                let message = match own <= self.deadline {
                    true => format!("no {what} within {}", shown(limit)),
                    false => format!("the call's time was up while it waited for the {what}"),
                };
                Err(Error::new(ErrorCode::TimedOut, message))
            }
        }
    }

    /// The same limits for the token source.
    pub(crate) fn call(&self) -> Call {
        let timeout = self.deadline.saturating_duration_since(Instant::now());
        Call { timeout: Some(timeout), cancel: self.cancel.clone(), ..Call::default() }
    }
}

fn shown(limit: Duration) -> String {
    match limit.as_millis() {
        ms if ms.is_multiple_of(1000) => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
