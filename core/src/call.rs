//! One call's own limits: how long, what about refused recipients, and how to cancel it.

use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::error::{Error, ErrorCode};

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
