//! One call's own limits: how long, what about refused recipients, and how to cancel it.

use std::future::Future;
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::error::{Error, ErrorCode, Result};
use crate::input::read_duration;

/// What one call may say differently from the options.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Overrides `timeout`.
    pub timeout: Option<Duration>,
    /// Overrides `partial`.
    pub partial: Option<Partial>,
    /// Ends the call early.
    pub cancel: Cancel,
}

impl Call {
    /// From words: a duration with its unit, and `deliver` or `refuse`.
    ///
    /// # Errors
    /// `config_invalid`, naming which of them.
    pub fn read(timeout: Option<&str>, partial: Option<&str>, cancel: Cancel) -> Result<Self> {
        let timeout = timeout.map(|text| read_duration("timeout", text)).transpose()?;
        Ok(Self { timeout, partial: partial.map(Partial::read).transpose()?, cancel })
    }

    /// `work`, or the end of this call if that comes first: its cancel, or its time (`default` where it has none of
    /// its own). `late` is the sentence about what did not happen in time.
    ///
    /// # Errors
    /// `cancelled`, `timed_out`, and those of `work`.
    pub(crate) async fn within<T>(
        &self,
        default: Option<Duration>,
        late: &str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit = self.timeout.or(default);
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(Cancel::error()),
            done = work => done,
            limit = elapsed(limit) => {
                Err(Error::new(ErrorCode::TimedOut, format!("{late} within {:.1} s", limit.as_secs_f64())))
            }
        }
    }
}

/// Completes when the time is over; never without one.
async fn elapsed(limit: Option<Duration>) -> Duration {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
    limit.unwrap_or_default()
}

/// Ends when a call is cancelled.
pub(crate) type Cancelled = WaitForCancellationFutureOwned;

/// Cancels calls from any thread; clones cancel together. A cancelled one stays cancelled.
#[derive(Clone, Debug, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// Ends the calls that were given this handle.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// The same, as a future with a name and nothing borrowed.
    pub(crate) fn into_cancelled(self) -> Cancelled {
        self.0.cancelled_owned()
    }

    /// One that is cancelled with this one, and alone.
    pub fn child(&self) -> Self {
        Self(self.0.child_token())
    }

    /// The error of a cancelled call.
    pub(crate) fn error() -> Error {
        Error::new(ErrorCode::Cancelled, "the call was cancelled")
    }
}

/// What happens when the server takes some recipients and refuses others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Partial {
    /// Send to those it takes.
    #[default]
    Deliver,
    /// Send to nobody.
    Refuse,
}

impl Partial {
    /// From its word, `deliver` or `refuse`.
    ///
    /// # Errors
    /// `config_invalid`.
    pub fn read(word: &str) -> Result<Self> {
        match word {
            "deliver" => Ok(Self::Deliver),
            "refuse" => Ok(Self::Refuse),
            _ => Err(Error::config("partial", "`partial` must be `deliver` or `refuse`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_ends_with_its_work_its_cancel_or_its_time() {
        let never = || std::future::pending::<Result<()>>();
        let call = Call::default();
        assert_eq!(call.within(None, "x", async { Ok(1) }).await.unwrap(), 1);
        let error = call.within(Some(Duration::from_millis(100)), "nothing came", never()).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (ErrorCode::TimedOut, "nothing came within 0.1 s"));
        // The call's own time goes before the default.
        let short = Call { timeout: Some(Duration::ZERO), ..Call::default() };
        let error = short.within(None, "nothing came", never()).await.unwrap_err();
        assert_eq!(error.message(), "nothing came within 0.0 s");
        call.cancel.cancel();
        let error = call.within(None, "x", async { Ok(1) }).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Cancelled, "a cancelled call does not begin");
    }
}
